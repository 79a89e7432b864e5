"""The fusions side by side: an utterance alone and in batches, the cost against length, flipping against packing.

    nox -s bench -- fusions
    nox -s bench -- fusions alone
    nox -s bench -- fusions length --most 4000
    nox -s bench -- fusions recurrent

Prints Markdown tables. All fusions have their default parameters (width 768) and read text frames of width 768 and
audio frames of width 1024. One thread of a CPU. Times are CPU seconds of the process, so that other load of the machine
does not count.

Memory is the rise of the resident set's high-water mark over what is resident before the pass, each point in a process
of its own: an allocator that has freed blocks to reuse would hide what a pass needs. torch counts no memory of its own
on a CPU. Parameters and inputs are not in the figure, the gradients of the parameters are. Linux with glibc only.
"""

import argparse
import ctypes
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import attrs
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.nn.recurrent import BiLSTM
from vietmer_core.sequence import MaskedSequence, pad_rows

TEXT_DIM, AUDIO_DIM = 768, 1024
FRAMES: Final = (1000, 2000, 4000, 8000, 16_000)
TOKENS: Final = 64
M_MMAP_THRESHOLD: Final = -3
"""glibc's number of the option; 32 MiB is its greatest value by itself."""
TOGETHER: Final = 8
"""Audio frames for each token where both grow."""
MOST_TOGETHER: Final = 8000
"""Audio frames at most there: training at 16,000 takes 40 s and 8 GiB."""
WIDTHS: Final = (50, 100, 250, 500, 1000)
"""Padded frames of the batches that the recurrent layers read."""
FORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "xattn": {},
    "xattn, reference": {"kind": "xattn", "reference": True},
    "bilstm_attn": {},
    "bilstm_attn, parallel, gate": {"kind": "bilstm_attn", "order": "parallel", "merge": "gate"},
    "cnn_bilstm_attn": {},
    "late": {},
    "text_only": {},
    "audio_only": {},
}
GROWING: Final = ("xattn", "bilstm_attn", "cnn_bilstm_attn", "late", "audio_only")
UTTERANCES: Final = ((12, 180), (40, 35), (0, 90), (7, 0), (25, 211), (1, 3), (33, 120), (18, 64))
"""(tokens, frames); 0 is an absent modality."""


def fusion_of(form: str) -> nn.Module:
    torch.manual_seed(0)
    params = {"kind": form, **FORMS[form]}
    component = installed_catalogue().component(Role.FUSION, params["kind"])
    return cast("nn.Module", component.build(component.params(**params), text_dim=TEXT_DIM, audio_dim=AUDIO_DIM))


def rows_of(lengths: Sequence[int], dim: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(dim)
    return [torch.randn(length, dim, generator=generator, dtype=torch.float64).to(dtype) for length in lengths]


@attrs.frozen(kw_only=True)
class Found:
    """What the fusion gave: the real frames of each utterance, and the gradients of the parameters, summed."""

    values: Sequence[Tensor]
    gradients: Mapping[str, Tensor]


def run(fusion: nn.Module, batches: Sequence[Sequence[int]], dtype: torch.dtype) -> Found:
    """All utterances, in the batches given by their numbers, with junk in the padding."""
    fusion.zero_grad()
    text = rows_of([tokens for tokens, _ in UTTERANCES], TEXT_DIM, dtype)
    audio = rows_of([frames for _, frames in UTTERANCES], AUDIO_DIM, dtype)
    values: dict[int, Tensor] = {}
    for batch in batches:
        streams = fusion(text=junked([text[i] for i in batch]), audio=junked([audio[i] for i in batch]))
        rows = [
            torch.cat([stream.features[place, : stream.lengths[place]].flatten() for stream in streams])
            for place in range(len(batch))
        ]
        torch.autograd.backward(torch.stack([(row * row.sin()).sum() for row in rows]).sum())
        values.update(zip(batch, [row.detach() for row in rows], strict=True))
    gradients = {name: weight.grad.clone() for name, weight in fusion.named_parameters() if weight.grad is not None}
    return Found(values=[values[number] for number in sorted(values)], gradients=gradients)


def junked(rows: Sequence[Tensor]) -> MaskedSequence:
    padded = pad_rows(rows, time=max(len(row) for row in rows) + (len(rows) > 1))
    return padded.with_features(padded.features.masked_fill(~padded.mask[..., None], 1e4))


def relative(expected: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    """The largest difference ÷ the largest expected number."""
    largest = max(float(one.abs().max()) for one in expected if one.numel())
    return (
        max(float((one - other).abs().max()) for one, other in zip(expected, found, strict=True) if one.numel())
        / largest
    )


def alone() -> None:
    """Every utterance alone, against batches of 2, 4 and 8 of the same utterances, without dropout."""
    numbers = list(range(len(UTTERANCES)))
    print("| fusion | float64 values | gradients | float32 values | gradients |\n|---|--:|--:|--:|--:|")
    for form in FORMS:
        cells = []
        for dtype in (torch.float64, torch.float32):
            fusion = fusion_of(form).to(dtype).eval()
            apart = run(fusion, [[number] for number in numbers], dtype)
            values, gradients = 0.0, 0.0
            for size in (2, 4, 8):
                together = run(fusion, [numbers[start : start + size] for start in numbers[::size]], dtype)
                values = max(values, relative(apart.values, together.values))
                names = sorted(apart.gradients)
                pairs = [[side.gradients[name] for name in names] for side in (apart, together)]
                gradients = max(gradients, relative(*pairs))
            cells += [f"{values:.1e}", f"{gradients:.1e}"]
        print(f"| `{form}` | {' | '.join(cells)} |", flush=True)


def resident(field: str) -> float:
    """MiB of a field of the process's status: `VmRSS` now, `VmHWM` at most since it was reset."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def step(fusion: nn.Module, inputs: Mapping[str, MaskedSequence], *, train: bool) -> None:
    """Forward in inference, or forward and backward."""
    if not train:
        with torch.inference_mode():
            fusion(**inputs)
        return
    streams: tuple[MaskedSequence, ...] = fusion(**inputs)
    torch.autograd.backward(torch.stack([stream.features.square().mean() for stream in streams]).sum())


def one_row(*, frames: int, tokens: int) -> dict[str, MaskedSequence]:
    sizes = {"text": (tokens, TEXT_DIM), "audio": (frames, AUDIO_DIM)}
    return {name: pad_rows(rows_of([length], dim, torch.float32)) for name, (length, dim) in sizes.items()}


def point(form: str, *, frames: int, tokens: int, train: bool) -> None:
    """One point, in this process: prints its seconds and MiB as JSON."""
    fusion, inputs = fusion_of(form).train(train), one_row(frames=frames, tokens=tokens)
    step(fusion, one_row(frames=50, tokens=8), train=train)  # libraries are loaded
    fusion.zero_grad()
    libc = ctypes.CDLL(None)
    libc.malloc_trim(0)  # what the step has freed is given back
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 20)  # and from here on, every large block as soon as it is freed
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM starts anew
    step(fusion, inputs, train=train)
    peak = resident("VmHWM") - before
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 25)
    taken: list[float] = []
    while len(taken) < 3 and sum(taken) < 4:
        began = time.process_time()
        step(fusion, inputs, train=train)
        taken.append(time.process_time() - began)
    print(json.dumps({"seconds": min(taken), "mebibytes": peak}))


def measured(form: str, *, frames: int, tokens: int, train: bool) -> tuple[float, float]:
    """`point` in a process of its own."""
    options = ["--form", form, "--frames", str(frames), "--tokens", str(tokens), *(["--train"] if train else [])]
    done = subprocess.run([sys.executable, __file__, "point", *options], capture_output=True, text=True, check=True)  # noqa: S603  # this file
    figures = json.loads(done.stdout.splitlines()[-1])
    return figures["seconds"], figures["mebibytes"]


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The slope of a straight line through the logarithms, by least squares."""
    x, y = ([math.log(number) for number in numbers] for numbers in (sizes, costs))
    middle = sum(x) / len(x), sum(y) / len(y)
    products = sum((one - middle[0]) * (other - middle[1]) for one, other in zip(x, y, strict=True))
    return products / sum((one - middle[0]) ** 2 for one in x)


def growth(forms: Sequence[str], sizes: Sequence[int], tokens: Callable[[int], int]) -> None:
    """Time and memory of each fusion, forward in inference and forward + backward in training, with exponents."""
    head = " | ".join(f"{size:,}" for size in sizes)
    found = {
        (form, train): [measured(form, frames=size, tokens=tokens(size), train=train) for size in sizes]
        for form in forms
        for train in (False, True)
    }
    for place, title in enumerate(("CPU seconds", "MiB")):
        print(f"\n| {title} | pass | {head} | exponent |\n|---|---|{'--:|' * (len(sizes) + 1)}")
        for (form, train), figures in found.items():
            costs = [one[place] for one in figures]
            cells = " | ".join(f"{cost:.2f}" if place == 0 else f"{cost:.0f}" for cost in costs)
            name = "forward + backward" if train else "forward"
            print(f"| `{form}` | {name} | {cells} | {exponent(sizes, costs):.2f} |", flush=True)


def length(most: int) -> None:
    """The cost at a fixed number of tokens, and where both grow."""
    sizes = [size for size in FRAMES if size <= most]
    print(f"\n{TOKENS} tokens:")
    growth(GROWING, sizes, lambda _: TOKENS)
    print(f"\nOne token for {TOGETHER} audio frames:")
    growth(("xattn", "bilstm_attn"), [size for size in sizes if size <= MOST_TOGETHER], lambda size: size // TOGETHER)


def by_padding(lstm: nn.LSTM, sequence: MaskedSequence) -> Tensor:
    output: Tensor = lstm(sequence.features)[0]
    return output


def by_flipping(ours: BiLSTM, sequence: MaskedSequence) -> Tensor:
    output: MaskedSequence = ours(sequence)
    return output.features


def by_packing(lstm: nn.LSTM, sequence: MaskedSequence) -> Tensor:
    packed = pack_padded_sequence(sequence.features, sequence.lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=sequence.features.shape[1])[0]


def by_rows(lstm: nn.LSTM, sequence: MaskedSequence) -> Tensor:
    lengths = sequence.lengths.tolist()
    rows = [lstm(sequence.features[row : row + 1, :length])[0][0] for row, length in enumerate(lengths)]
    return pad_rows(rows, time=sequence.features.shape[1]).features


def cpu_seconds(read: Callable[[], Tensor], *, train: bool) -> float:
    began = time.process_time()
    with torch.inference_mode(not train):
        output = read()
    if train:
        torch.autograd.backward(output.square().mean())
    return time.process_time() - began


def recurrent() -> None:
    """One bidirectional layer over 8 rows of a quarter of the width to all of it."""
    ours = BiLSTM(input_dim=768, hidden_dim=384, num_layers=1, dropout=0.0)
    torchs = nn.LSTM(768, 384, bidirectional=True, batch_first=True)
    print("| frames | pass | over padding (leaks), s | flipping, s | packed, s | row by row, s | packed ÷ flipping |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    for width in WIDTHS:
        lengths = torch.linspace(width // 4, width, 8).long().tolist()
        sequence = pad_rows(rows_of(lengths, 768, torch.float32))
        reads: dict[str, Callable[[], Tensor]] = {
            "leaking": partial(by_padding, torchs, sequence),
            "flipping": partial(by_flipping, ours, sequence),
            "packed": partial(by_packing, torchs, sequence),
            "rows": partial(by_rows, torchs, sequence),
        }
        for train in (False, True):
            turns = [{name: cpu_seconds(read, train=train) for name, read in reads.items()} for _ in range(4)]
            least = {name: min(turn[name] for turn in turns[1:]) for name in reads}  # the first loads libraries
            cells = " | ".join(f"{least[name]:.3f}" for name in reads)
            title = "forward + backward" if train else "forward"
            print(f"| {width} | {title} | {cells} | {least['packed'] / least['flipping']:.2f} |", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["alone", "length", "recurrent", "point"], help="all without it")
    parser.add_argument("--most", type=int, default=FRAMES[-1], help="audio frames at most")
    for name in ("--frames", "--tokens"):
        parser.add_argument(name, type=int, help="of a point")
    parser.add_argument("--form", help="of a point")
    parser.add_argument("--train", action="store_true", help="a point forwards and backwards")
    given = parser.parse_args()
    if given.what == "point":
        point(given.form, frames=given.frames, tokens=given.tokens, train=given.train)
        return
    parts = {"alone": alone, "length": lambda: length(given.most), "recurrent": recurrent}
    for name in [given.what] if given.what else parts:
        parts[name]()


if __name__ == "__main__":
    main()
