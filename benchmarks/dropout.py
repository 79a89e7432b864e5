"""What dropout that draws for each utterance costs, beside torch's own and none, in one run.

    nox -s bench -- dropout

First checks that draws compiled by inductor are bit-equal to eager ones. Then prints a Markdown table: ms of a training
step (forward and backward) of the pre-norm Transformer at several shapes, the least of several repeats taken in turn,
and the ratio to torch's dropout. One thread on a CPU; a GPU where there is one.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Final

import attrs
import torch
from torch import Tensor

from vietmer_core.nn.draws import fresh_draws, uniforms
from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.nn.spec_augment import span_mask
from vietmer_core.nn.transformer import TransformerEncoder
from vietmer_core.sequence import MaskedSequence

REPEATS: Final = 5
DROPOUT: Final = 0.1


@attrs.frozen(kw_only=True)
class Shape:
    """Of a batch and of the network: eight utterances, with lengths from a quarter of the width to all of it."""

    title: str
    time: int
    dim: int
    num_layers: int


SHAPES: Final = (
    Shape(title="transcripts: 8 × 32 tokens, width 768, 2 layers", time=32, dim=768, num_layers=2),
    Shape(title="speech: 8 × 250 frames, width 256, 4 layers", time=250, dim=256, num_layers=4),
    Shape(title="long speech: 8 × 1000 frames, width 256, 2 layers", time=1000, dim=256, num_layers=2),
)


def step(network: TransformerEncoder, sequence: MaskedSequence, *, replaced: bool) -> None:
    assert sequence.draws is not None
    with UtteranceDropout(sequence.draws, stream=0) if replaced else nullcontext():
        output = network(sequence).zeroed()
    torch.autograd.backward(output.features.square().mean())


def milliseconds(run: Callable[[], None], device: torch.device) -> float:
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - began)


def row(shape: Shape, device: torch.device) -> str:
    """One row of the table."""
    generator = torch.Generator().manual_seed(0)
    sequence = MaskedSequence(
        features=torch.randn(8, shape.time, shape.dim, generator=generator),
        lengths=torch.linspace(shape.time // 4, shape.time, 8).long(),
        draws=fresh_draws(8),
    ).to(device)

    def network(dropout: float) -> TransformerEncoder:
        made = TransformerEncoder(
            dim=shape.dim, num_layers=shape.num_layers, num_heads=4, hidden_dim=4 * shape.dim, dropout=dropout
        )
        return made.to(device).train()

    dropping, still = network(DROPOUT), network(0.0)
    runs: dict[str, Callable[[], None]] = {
        "none": lambda: step(still, sequence, replaced=False),
        "batch": lambda: step(dropping, sequence, replaced=False),
        "utterance": lambda: step(dropping, sequence, replaced=True),
    }
    for run in runs.values():
        run()
    taken = [{name: milliseconds(run, device) for name, run in runs.items()} for _ in range(REPEATS)]
    least = {name: min(one[name] for one in taken) for name in runs}
    figures = " | ".join(f"{least[name]:.1f}" for name in runs)
    return f"| {shape.title} | {figures} | {least['utterance'] / least['batch']:.2f} |"


def check_compiled(device: torch.device) -> None:
    """Compile the draws with inductor and compare."""
    draws, lengths = fresh_draws(8, device=device), torch.arange(8, device=device) * 9

    def masks(draws: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        spans = span_mask(lengths, draws, time=70, probability=0.3, span=5, stream=1)
        return uniforms(draws, stream=0, shape=(33, 17)), spans

    same = [
        torch.equal(*pair) for pair in zip(torch.compile(masks)(draws, lengths), masks(draws, lengths), strict=True)
    ]
    print(f"compiled by inductor, bit-equal to eager: uniforms {same[0]}, span_mask {same[1]}")


def main() -> None:
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    check_compiled(device)
    print(f"| a training step on {device.type}, ms | none | `batch` | `utterance` | ratio of the last two |")
    print("|---|--:|--:|--:|--:|")
    for shape in SHAPES:
        print(row(shape, device), flush=True)


if __name__ == "__main__":
    main()
