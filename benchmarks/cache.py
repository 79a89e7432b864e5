"""Training with a frozen audio encoder, with and without the feature cache: utterances a second.

    nox -s bench -- cache MANIFEST --checkpoint FOLDER
    nox -s bench -- cache MANIFEST --encoder xlsr --utterances 8 --repeats 1

MANIFEST is a split with audio and transcripts, FOLDER holds the weights of a Whisper; `xlsr` needs none: a network of
the size of XLSR-53 with random weights is written into a temporary folder. Prints three Markdown tables:
1. Features: recordings are read, prepared and encoded one by one, in padded batches of like length, and by canonical
   passes; then the same states are read from the cache, and collated. The ratio is to the fastest of the three ways.
2. Cells: one epoch of training without the cache and with it, for two widths of what is trained and two samplers. The
   bound of the speed-up is (encoding + steps) ÷ steps: encoding reads, prepares and encodes the audio of the same
   batches, steps are taken on the same batches of states that lie in memory already. Where these and an epoch from the
   cache are short, they are timed several times in each repeat, and their median counts.
3. Starts: the first filling, and a start in a process of its own where all is kept.
Repeats are in turn; the median stands in the tables, and the range in brackets.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import torch
import yaml

from vietmer_core.batch import Batch
from vietmer_core.cache.dtypes import Dtype
from vietmer_core.canonical import rows_of
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Modality
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.loader import evaluation_batches, iterate, make_loader
from vietmer_core.features.filling import open_feature_cache
from vietmer_core.features.identity import utterance_key
from vietmer_core.features.states import SplitStates
from vietmer_core.files import in_mib
from vietmer_core.frontends import Frontends
from vietmer_core.spec import CacheSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.experiment import Experiment, prepare
from vietmer_core.training.processes import Processes
from vietmer_core.training.state import TrainingState

KINDS: Final = {"whisper": "whisper", "xlsr": "wav2vec2"}
BATCH_SIZE: Final = 8
ENOUGH_SECONDS: Final = 2.0  # of epochs without the encoder in a repeat: short ones are timed several times
WIDTHS: Final = ((128, 768), (64, 64))  # of what is trained: text encoder, fusion; the first are the defaults
XLSR: Final[Mapping[str, Any]] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}
START: Final = "--start"  # instead of a manifest: only opens the cache of a folder that another process has filled


def write_xlsr(folder: Path) -> Path:
    """A checkpoint of the size of XLSR-53 with random weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    config: Any = Wav2Vec2Config
    Wav2Vec2Model(config(**XLSR)).save_pretrained(folder)
    extractor: Any = Wav2Vec2FeatureExtractor
    extractor(do_normalize=True).save_pretrained(folder)
    return folder


def write_spec(folder: Path, manifest: Path, *, utterances: int, audio: Mapping[str, Any], threads: int) -> None:
    """A spec over so many utterances, spread evenly over the manifest."""
    lines = manifest.read_text(encoding="utf-8").splitlines()
    chosen = [lines[number * len(lines) // utterances] for number in range(min(utterances, len(lines)))]
    splits = {"train": chosen, "valid": chosen[:1]}
    for split, kept in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    document = {
        "labels": sorted({json.loads(line)["emotion"] for line in chosen}),
        "threads": threads,
        "data": {name: {"path": f"{name}.jsonl", "root": str(manifest.parent.absolute())} for name in splits},
        "text": {"kind": "syllable"},
        "audio": dict(audio),
        "fusion": {"kind": "xattn"},
        "pooler": "attn",
        "sampler": {"kind": "uniform", "batch_size": BATCH_SIZE},
        "cache": {"folder": "./features"},
        "training": {"device": "cpu"},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def opened(folder: Path, *overrides: str) -> Experiment:
    """The experiment of a folder, its cache filled where it has one."""
    return prepare(load_spec([folder / "spec.yaml"], overrides), installed_catalogue())


def kept_states(experiment: Experiment, folder: Path, dtype: Dtype) -> dict[Modality, SplitStates]:
    """The states of the training split in a dtype, computed where they are not there yet."""
    spec = experiment.spec.model_copy(update={"cache": CacheSpec(folder=folder / "features", dtype=dtype)})
    cache = open_feature_cache(
        spec, experiment.catalogue, experiment.model, experiment.frontends, device=experiment.device
    )
    assert cache is not None
    return cache.states_of(experiment.train, "train")


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def audio_batches(
    experiment: Experiment, batches: Sequence[list[int]], states: Mapping[Modality, SplitStates] | None = None
) -> Iterator[Batch]:
    """The audio alone of some batches, or its states."""
    frontends = Frontends(text=None, audio=experiment.frontends.audio)
    dataset = UtteranceDataset(experiment.train, frontends=frontends, labels=None, channel="mono", states=states)
    yield from iterate(make_loader(dataset, batches, loader=experiment.spec.loader, seed=0, pin_memory=False))


def read(experiment: Experiment, batches: Sequence[list[int]], states: Mapping[Modality, SplitStates]) -> None:
    """Read and collate the states of some batches."""
    deque(audio_batches(experiment, batches, states), maxlen=0)


@torch.inference_mode()
def encode(experiment: Experiment, batches: Sequence[list[int]], *, canonical: bool = False) -> None:
    """Read, prepare and encode the audio of some batches."""
    for batch in audio_batches(experiment, batches):
        if canonical:
            experiment.passes.encoded(Modality.AUDIO, rows_of(batch, Modality.AUDIO))
        else:
            experiment.model.encode(Modality.AUDIO, batch.audio)


def print_features(folder: Path, *, repeats: int) -> dict[str, float]:
    """Print the first table; the seconds of each filling."""
    experiment = opened(folder, "cache=null")
    alone, like = (evaluation_batches(experiment.train.sizes, batch_size=size) for size in (1, BATCH_SIZE))
    fill = partial(kept_states, experiment, folder)
    filling = {"fp32": seconds_of(lambda: fill("fp32")), "fp16": seconds_of(lambda: fill("fp16"))}
    ways: dict[str, Callable[[], object]] = {
        "encoded one by one": lambda: encode(experiment, alone),
        f"encoded in padded batches of {BATCH_SIZE}": lambda: encode(experiment, like),
        "encoded by canonical passes": lambda: encode(experiment, like, canonical=True),
        "read from the cache, fp32": partial(read, experiment, like, fill("fp32")),
        "read from the cache, fp16": partial(read, experiment, like, fill("fp16")),
    }
    experiment.model.eval()
    taken: dict[str, list[float]] = {title: [] for title in ways}
    for _ in range(repeats):
        for title, way in ways.items():
            taken[title].append(seconds_of(way))
    opponents = [times for title, times in taken.items() if title.startswith("encoded")]
    fastest = [min(times) for times in zip(*opponents, strict=True)]
    print("\n| features of audio | utterances/s | ÷ the fastest encoding |\n|---|--:|--:|")
    for title, times in taken.items():
        rates = [len(experiment.train) / seconds for seconds in times]
        ratios = [best / seconds for best, seconds in zip(fastest, times, strict=True)]
        print(f"| {title} | {spread(rates)} | {spread(ratios)} |", flush=True)
    return filling


@attrs.frozen(kw_only=True)
class Turn:
    """One repeat of a cell: seconds of an epoch, of encoding its audio, of its steps alone."""

    without: float
    cached: float
    encoding: float
    steps: float


def trainer(experiment: Experiment) -> Callable[[Experiment, Iterable[Batch]], None]:
    """Trains the model of an experiment on batches, with its states or without."""
    state = TrainingState(experiment, Processes.start(experiment.spec.training), path=Path())
    experiment.model.train()

    def train(trained: Experiment, batches: Iterable[Batch]) -> None:
        for batch in batches:
            drawn = batch.drawn(seed=0, epoch=trained.batches.epoch)
            state.stepper.take([drawn], num_utterances=len(batch))

    return train


def turns_of(experiment: Experiment, *, repeats: int) -> Iterator[Turn]:
    """Repeats of a cell, each over the batches of another epoch; the first warms up and is left out."""
    without = attrs.evolve(experiment, states={})  # the same model and the same batches
    train, plain, kept = trainer(experiment), without.train_loader(), experiment.train_loader()
    for epoch in range(repeats + 1):
        experiment.batches.set_epoch(epoch)
        batches = [[draw.index for draw in batch] for batch in experiment.batches]
        in_memory = list(iterate(kept))
        first = seconds_of(lambda: train(without, iterate(plain)))
        pairs: list[tuple[float, float]] = []
        while sum(map(sum, pairs)) < ENOUGH_SECONDS:
            cached = seconds_of(lambda: train(experiment, iterate(kept)))
            pairs.append((cached, seconds_of(lambda: train(experiment, in_memory))))  # noqa: B023  # called at once
        cached, steps = map(statistics.median, zip(*pairs, strict=True))
        encoding = seconds_of(lambda: encode(without, batches))  # noqa: B023  # likewise
        if epoch:
            yield Turn(without=first, cached=cached, encoding=encoding, steps=steps)


def print_cells(folder: Path, *, dtype: str, repeats: int) -> None:
    """Print the second table."""
    print(
        f"\n| `syllable`, `xattn`: width | sampler | utterances/s without cache | with, {dtype} | speed-up | "
        "encoding, ms an utterance | step, ms an utterance | bound | speed-up ÷ bound |\n"
        "|---|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    for text, fusion in WIDTHS:
        for sampler in ("uniform", "length_bucket"):
            widths = f"text.dim={text}", f"text.hidden_dim={4 * text}", f"fusion.dim={fusion}"
            experiment = opened(folder, f"sampler.kind={sampler}", f"cache.dtype={dtype}", *widths)
            count, turns = len(experiment.train), list(turns_of(experiment, repeats=repeats))
            speed_ups = [turn.without / turn.cached for turn in turns]
            bounds = [(turn.encoding + turn.steps) / turn.steps for turn in turns]
            figures = [
                spread([count / turn.without for turn in turns]),
                spread([count / turn.cached for turn in turns]),
                spread(speed_ups, 2),
                spread([1000 * turn.encoding / count for turn in turns]),
                spread([1000 * turn.steps / count for turn in turns]),
                spread(bounds, 2),
                spread([speed_up / bound for speed_up, bound in zip(speed_ups, bounds, strict=True)], 3),
            ]
            print(f"| {text}, {fusion} | `{sampler}` | {' | '.join(figures)} |", flush=True)


def start(folder: Path) -> None:
    """Open a cache that is filled, and tell how long it took."""
    experiment = opened(folder, "cache=null")
    hashing = seconds_of(lambda: [utterance_key(row, Modality.AUDIO, channel="mono") for row in experiment.train])
    verifying = seconds_of(lambda: kept_states(experiment, folder, "fp32"))
    print(json.dumps({"SHA-256 of the recordings": hashing, "index and checksums, fp32": verifying}))


def print_starts(folder: Path, filling: Mapping[str, float]) -> None:
    """Print the third table."""
    command = [sys.executable, __file__, START, str(folder)]
    found = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])  # noqa: S603  # this program
    count = (folder / "train.jsonl").read_bytes().count(b"\n")
    size = sum(path.stat().st_size for path in folder.glob("features/*/*.safetensors"))
    rows = {f"first filling, {dtype}": seconds for dtype, seconds in filling.items()}
    rows |= {f"start where all is kept: {what}": seconds for what, seconds in found.items()}
    print(f"\nThe states of {count} utterances in both dtypes take {in_mib(size)}.")
    print("\n| | s | ms an utterance |\n|---|--:|--:|")
    for title, seconds in rows.items():
        print(f"| {title} | {seconds:.3f} | {1000 * seconds / count:.2f} |", flush=True)


def main() -> None:
    if sys.argv[1:2] == [START]:
        start(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest", type=Path, metavar="MANIFEST")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="weights of a Whisper")
    parser.add_argument("--encoder", choices=KINDS, default="whisper")
    for option, default in (("--utterances", 96), ("--repeats", 5), ("--threads", 1)):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--dtype", choices=("fp32", "fp16", "bf16"), default="fp32", help="of the states of the cells")
    given = parser.parse_args()
    if given.encoder == "whisper" and given.checkpoint is None:
        parser.error("`--checkpoint` is required with `--encoder whisper`")
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = write_xlsr(folder / "xlsr") if given.encoder == "xlsr" else given.checkpoint.absolute()
        audio = {"kind": KINDS[given.encoder], "checkpoint": str(checkpoint)}
        write_spec(folder, given.manifest, utterances=given.utterances, audio=audio, threads=given.threads)
        print(f"{given.utterances} utterances, {given.repeats} repeats in turn, {given.threads} thread(s).")
        filling = print_features(folder, repeats=given.repeats)
        print_cells(folder, dtype=given.dtype, repeats=given.repeats)
        print_starts(folder, filling)


if __name__ == "__main__":
    main()
