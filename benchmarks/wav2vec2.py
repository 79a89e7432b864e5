"""wav2vec 2.0, HuBERT and WavLM: what leaks, what long audio costs in memory, what the group norm of each row costs.

    nox -s bench -- wav2vec2 [leaks | memory | group-norm]

Prints Markdown tables; without an argument all three, which takes some minutes. One thread.

Leaks: small random models, each utterance alone against the same in a padded batch, differences divided by the largest
number. Ours gets junk of 1e4 in the padding; plain transformers gets zeros there and an attention mask, as its
documentation says. Memory: XLSR-53 in its true size with random weights, every case in a process of its own; the peak
is that above the loaded model.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil
import torch
from torch import Tensor, nn
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel
from vietmer_audio_wav2vec2.factory import make_encoder
from vietmer_audio_wav2vec2.group_norm import masked_moments, moments_of, normalise
from vietmer_audio_wav2vec2.lengths import ConvChain
from vietmer_audio_wav2vec2.params import Wav2Vec2Params

from vietmer_core.sequence import MaskedSequence, pad_rows

Encode = Callable[[MaskedSequence], MaskedSequence]

SMALL: Final[dict[str, Any]] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
XLSR: Final[dict[str, Any]] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
}
MODELS: Final[dict[str, tuple[Any, Any]]] = {
    "wav2vec2": (Wav2Vec2Model, Wav2Vec2Config),
    "HuBERT": (HubertModel, HubertConfig),
    "WavLM": (WavLMModel, WavLMConfig),
}
NORMS: Final[dict[str, dict[str, Any]]] = {
    "group": {"feat_extract_norm": "group"},
    "layer": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
}
LENGTHS: Final = (16_000, 4_321, 400, 9_999)
CASES: Final = (("plain transformers", 60), ("ours, at once", 60), ("ours", 60), ("ours", 120), ("ours", 300))


def relative(expected: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """Largest difference ÷ largest expected number."""
    gaps = [float((one - other).abs().max()) for one, other in zip(expected, found, strict=True)]
    return max(gaps) / max(float(one.abs().max()) for one in expected)


def results(encode: Encode, module: nn.Module, sequence: MaskedSequence) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The frames of each row, and the parameter gradients of their weighted sum."""
    module.zero_grad()
    output = encode(sequence)
    rows = [row[:length] for row, length in zip(output.features, output.lengths.tolist(), strict=True)]
    total = torch.stack([(row * torch.linspace(-1, 1, row.numel()).to(row).reshape(row.shape)).sum() for row in rows])
    torch.autograd.backward(total.sum())
    gradients = {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}
    return [row.detach() for row in rows], gradients


def gaps(encode: Encode, module: nn.Module, rows: Sequence[Tensor], *, junk: float) -> tuple[float, float]:
    """Values and gradients, alone against the padded batch."""
    padded = pad_rows(rows, time=20_000)
    padded = padded.with_features(padded.features.masked_fill(~padded.mask[:, :, None], junk))
    together, gradients = results(encode, module, padded)
    alone, summed = [], {name: torch.zeros_like(value) for name, value in gradients.items()}
    for row in rows:
        (values,), given = results(encode, module, pad_rows([row]))
        alone.append(values)
        summed = {name: value + given[name] for name, value in summed.items()}
    return relative(alone, together), relative(list(summed.values()), [gradients[name] for name in summed])


def plain(model: Any) -> Encode:
    """Plain transformers, with zeros in the padding and an attention mask."""
    chain = ConvChain(kernels=tuple(model.config.conv_kernel), strides=tuple(model.config.conv_stride))

    def encode(sequence: MaskedSequence) -> MaskedSequence:
        mask = sequence.mask.long()
        output = model(sequence.features[:, :, 0], attention_mask=mask).last_hidden_state
        return MaskedSequence(features=output, lengths=chain.lengths(sequence.lengths))

    return encode


def leak_row(name: str, norm: str, folder: Path) -> str:
    model_class, config_class = MODELS[name]
    torch.manual_seed(0)
    model_class(config_class(**SMALL, **NORMS[norm])).save_pretrained(folder)
    figures = []
    for dtype in (torch.float64, torch.float32):
        generator = torch.Generator().manual_seed(1)
        rows = [torch.randn(length, 1, generator=generator).to(dtype) for length in LENGTHS]
        ours = make_encoder(Wav2Vec2Params(checkpoint=str(folder), normalise=True, freeze=False)).to(dtype).eval()
        theirs = model_class.from_pretrained(folder).to(dtype).eval()
        figures.append((gaps(ours, ours, rows, junk=1e4), gaps(plain(theirs), theirs, rows, junk=0.0)))
    cells = [f"{figures[number][whose][what]:.1e}" for whose in (0, 1) for number in (0, 1) for what in (0, 1)]
    return f"| {name}, {norm} norm | " + " | ".join(cells) + " |"


def leaks() -> None:
    print("| model | ours: float64 values | gradients | float32 values | gradients ", end="")
    print("| transformers: float64 values | gradients | float32 values | gradients |\n|---" + "|--:" * 8 + "|")
    warnings.simplefilter("ignore")  # transformers' WavLM warns of its masks
    for name in MODELS:
        for norm in NORMS:
            with tempfile.TemporaryDirectory() as folder:
                print(leak_row(name, norm, Path(folder)), flush=True)


def memory_case(name: str, seconds: int) -> None:
    """One case, in this process: prints MiB above the loaded model and seconds, as JSON."""
    torch.manual_seed(0)
    waveform = torch.randn(seconds * 16_000, 1)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        config = Wav2Vec2Config(**XLSR)
        config.save_pretrained(folder)
        chunk = None if name == "ours, at once" else 10.0
        if name == "plain transformers":
            model: Any = Wav2Vec2Model(config)
            given: Any = waveform.T
        else:
            params = Wav2Vec2Params(checkpoint=folder, weights="random", normalise=True, chunk_seconds=chunk)
            model, given = make_encoder(params), pad_rows([waveform])
        model.eval()
        loaded = psutil.Process().memory_info().rss
        start = time.perf_counter()
        model(given)
        elapsed = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"mib": (peak - loaded) / 2**20, "seconds": elapsed, "model": loaded / 2**20}))


def memory() -> None:
    print("| XLSR-53, one utterance | peak above the model, MiB | s |\n|---|--:|--:|")
    for name, seconds in CASES:
        command = [sys.executable, __file__, "case", name, str(seconds)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)  # noqa: S603
        found = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"| {name}, {seconds} s | {found['mib']:.0f} | {found['seconds']:.1f} |", flush=True)


def milliseconds(compute: Callable[[], object], *, times: int = 7) -> float:
    """Median of some runs after one for warming up."""
    compute()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        compute()
        found.append(1000 * (time.perf_counter() - start))
    return median(found)


def group_norm() -> None:
    lengths = torch.tensor([9_600, 7_000, 4_800, 3_200, 9_000, 2_000, 6_400, 8_000])  # frames of 1 to 3 s
    states, norm = torch.randn(len(lengths), 512, 9_600), nn.GroupNorm(512, 512)
    ways: dict[str, Callable[[], object]] = {
        "plain, over the padding (leaks)": lambda: norm(states),
        "ours: a slice for each row": lambda: normalise(states, norm, moments_of(states, lengths)),
        "a mask over all rows": lambda: normalise(states, norm, masked_moments(states, lengths)),
    }
    print("| group norm of 8 utterances of up to 3 s, 512 channels | ms, median of 7 |\n|---|--:|")
    with torch.no_grad():
        for name, compute in ways.items():
            print(f"| {name} | {milliseconds(compute):.0f} |", flush=True)


def main(arguments: Sequence[str]) -> None:
    torch.set_num_threads(1)
    if arguments[:1] == ["case"]:
        memory_case(arguments[1], int(arguments[2]))
        return
    parts = {"leaks": leaks, "group-norm": group_norm, "memory": memory}
    for name in arguments or parts:
        parts[name]()
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
