"""Training XLSR-53 and PhoBERT-base on a GPU: utterances a second, memory, share of the card's own matrix rate.

    nox -s bench -- gpu_training [--batch N] [--seconds S] [--words N] [--steps N]
    nox -s bench -- gpu_training --tiny

Both encoders have their true sizes and random weights, so that nothing is fetched; `xattn` and `attn` have their
defaults. They are frozen, adapted by LoRA, or trained whole, in bf16, with torch's deterministic algorithms as by
default and without. The utterances are noise of one length and transcripts of one number of words, so that nothing is
padded; their batches lie in memory, so that the steps alone are timed, as the training loop takes them. Floating-point
operations are counted by torch in one step, those of the frozen encoders included; MFU is their number a second ÷ the
rate of the best of some large bf16 matrix products, measured on the same card just before. `--tiny` runs the same with
tiny networks, on a CPU too, to see that it works; its figures mean nothing.
"""

import argparse
import gc
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import soundfile
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode
from transformers import RobertaConfig, Wav2Vec2Config
from vietmer_audio_wav2vec2 import plugin as wav2vec2
from vietmer_text_phobert import plugin as phobert

from vietmer_core.batch import Batch
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.data.loader import iterate
from vietmer_core.spec_loading import load_spec
from vietmer_core.testing.material import transcript_of, waveform_of
from vietmer_core.training.determinism import deterministic
from vietmer_core.training.experiment import Experiment, prepare
from vietmer_core.training.processes import Processes
from vietmer_core.training.state import TrainingState

RATE: Final = 16_000
WARM_UP: Final = 3
XLSR: Final[Mapping[str, Any]] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}
SMALL: Final[Mapping[str, Any]] = {
    **XLSR,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
}
PHOBERT: Final[Mapping[str, Any]] = {"vocab_size": 64_001, "max_position_embeddings": 258, "type_vocab_size": 1}
WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "frozen": {"freeze": True},
    "LoRA, rank 8": {"lora": {"rank": 8}},
    "whole": {"freeze": False},
}


@attrs.frozen(kw_only=True)
class Figures:
    """Of the steps of one way of training: seconds of each, operations of one, peak memory in bytes."""

    seconds: list[float]
    operations: int
    memory: int
    trainable: int


def write_checkpoints(folder: Path, *, tiny: bool) -> dict[str, Path]:
    """Configurations of both encoders with what their frontends need, and no weights."""
    found = {"audio": folder / "audio", "text": folder / "text"}
    shutil.copytree(Path(wav2vec2.__file__).parent / "tiny", found["audio"])
    shutil.copytree(phobert.TINY, found["text"])
    xlsr: Any = Wav2Vec2Config
    xlsr(**(SMALL if tiny else XLSR)).save_pretrained(found["audio"])
    if not tiny:  # the tokenizer stays a small one: what it gives are ids of the true vocabulary, too
        roberta: Any = RobertaConfig
        roberta(**PHOBERT).save_pretrained(found["text"])
    return found


def write_corpus(folder: Path, *, utterances: int, seconds: float, words: int) -> None:
    """Noise and transcripts of one size."""
    rows = []
    for number in range(utterances):
        name = f"{number}.wav"
        soundfile.write(folder / name, waveform_of(round(seconds * RATE), number).numpy(), RATE)
        row = {"utterance_id": str(number), "speaker_id": "noise", "wav_path": name, "start": 0.0, "end": seconds}
        rows.append({**row, "transcript": transcript_of(words, number), "emotion": "ab"[number % 2]})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for split in ("train", "valid"):
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")


def experiment_of(folder: Path, checkpoints: Mapping[str, Path], way: Mapping[str, Any], *, batch: int) -> Experiment:
    """A model whose encoders are trained in one way."""
    common = {"weights": "random", **way}
    document = {
        "labels": ["a", "b"],
        "data": {split: f"{split}.jsonl" for split in ("train", "valid")},
        "text": {
            "kind": "phobert",
            "checkpoint": str(checkpoints["text"]),
            "segmenter": "none",
            "unreadable": "keep",
            **common,
        },
        "audio": {"kind": "wav2vec2", "checkpoint": str(checkpoints["audio"]), **common},
        "fusion": "xattn",
        "pooler": "attn",
        "sampler": {"kind": "uniform", "batch_size": batch},
        "training": {"precision": "bf16"},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return prepare(load_spec([folder / "spec.yaml"]), installed_catalogue())


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Wall time of one call."""
    wait(device)
    begin = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - begin


def figures_of(experiment: Experiment, *, steps: int, is_deterministic: bool) -> Figures:
    """Take steps over batches that lie in memory."""
    device = experiment.device
    state = TrainingState(experiment, Processes.start(experiment.spec.training), path=Path())
    batches = [batch.drawn(seed=0, epoch=0) for batch in iterate(experiment.train_loader())]
    experiment.model.train()

    def step(batch: Batch) -> None:
        state.stepper.take([batch], num_utterances=len(batch))

    with deterministic(is_wanted=is_deterministic):
        for number in range(WARM_UP):
            step(batches[number % len(batches)])
        with FlopCounterMode(display=False) as counter:
            step(batches[0])
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        seconds = [seconds_of(lambda: step(batches[number % len(batches)]), device) for number in range(steps)]  # noqa: B023  # called at once
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return Figures(
        seconds=seconds,
        operations=counter.get_total_flops(),
        memory=memory,
        trainable=state.num_trainable,
    )


def matrix_rate(device: torch.device, sizes: tuple[int, ...]) -> float:
    """The best rate of some bf16 matrix products, operations a second."""
    best = 0.0
    for size in sizes:
        left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
        for _ in range(WARM_UP):
            left @ right
        times = [seconds_of(lambda: left @ right, device) for _ in range(20)]  # noqa: B023  # called at once
        best = max(best, 2 * size**3 / statistics.median(times))
    return best


def print_row(title: str, found: Figures, *, batch: int, rate: float) -> None:
    """A row of the table."""
    median = statistics.median(found.seconds)
    cells = [
        f"{found.trainable / 1e6:.1f}",
        f"{batch / median:.1f} ({batch / max(found.seconds):.1f}–{batch / min(found.seconds):.1f})",
        f"{found.memory / 2**30:.2f}" if found.memory else "–",
        f"{found.operations / batch / 1e9:.1f}",
        f"{found.operations / median / rate:.3f}",
    ]
    print(f"| {title} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for option, default in (("--batch", 16), ("--words", 24), ("--steps", 20)):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each utterance")
    parser.add_argument("--tiny", action="store_true", help="tiny networks, on a CPU too")
    given = parser.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        sys.exit(
            "This benchmark measures a GPU, but none is usable here; `--tiny` runs it with tiny networks on a CPU."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rate = matrix_rate(device, (256,) if given.tiny else (4096, 8192, 16_384))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}: {rate / 1e12:.3g} TFLOP/s in bf16 matrix products.\n")
    print(f"| batches of {given.batch}, {given.seconds:g} s, {given.words} words | deterministic ", end="")
    print("| millions trained | utterances/s | peak GiB | GFLOP an utterance | MFU |\n|---|---|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        checkpoints = write_checkpoints(folder, tiny=given.tiny)
        write_corpus(folder, utterances=4 * given.batch, seconds=given.seconds, words=given.words)
        for title, way in WAYS.items():
            for is_deterministic in (True, False):
                experiment = experiment_of(folder, checkpoints, way, batch=given.batch)
                found = figures_of(experiment, steps=given.steps, is_deterministic=is_deterministic)
                print_row(f"{title} | {'yes' if is_deterministic else 'no'}", found, batch=given.batch, rate=rate)
                del experiment
                gc.collect()
                if device.type == "cuda":
                    torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
