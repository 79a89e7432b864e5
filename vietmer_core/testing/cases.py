"""What hypothesis draws: the lengths of the rows of a batch, how much wider to pad, and a seed for the numbers."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import torch
from hypothesis import strategies as st

from vietmer_core.sequence import MaskedSequence, pad_rows

LONGEST: Final = 9
"""Frames of the longest row drawn."""

LARGEST_SEED: Final = 2**16


@attrs.frozen(kw_only=True)
class Case:
    """One drawn batch, small enough to read in a failure.

    Attributes:
        lengths: The length of every row, by the name of the input.
        extra: Frames of padding beyond the longest row.
        seed: Of the numbers in the rows and of the junk in the padding.
    """

    lengths: Mapping[str, tuple[int, ...]]
    extra: int
    seed: int

    def __len__(self) -> int:
        return len(next(iter(self.lengths.values())))

    def describe(self, row: int) -> str:
        """`row 1 of 3 (text 4, audio 0)`."""
        sizes = ", ".join(f"{name} {lengths[row]}" for name, lengths in self.lengths.items())
        return f"row {row} of {len(self)} ({sizes})"


@st.composite
def ragged_lengths(draw: st.DrawFn, *, size: int, longest: int = LONGEST) -> tuple[int, ...]:
    """Lengths of `size` >= 2 rows in any order: one is the longest, one is shorter and not empty, others may be 0."""
    tallest = draw(st.integers(min(4, longest), longest))
    short = draw(st.integers(1, max(tallest - 1, 1)))
    others = draw(st.lists(st.integers(0, tallest), min_size=size - 2, max_size=size - 2))
    return tuple(draw(st.permutations([tallest, short, *others])))


@st.composite
def cases(draw: st.DrawFn, names: Sequence[str]) -> Case:
    """Ragged batches of 2 to 4 rows with the inputs `names`."""
    size = draw(st.integers(2, 4))
    lengths = {name: draw(ragged_lengths(size=size)) for name in names}
    return Case(lengths=lengths, extra=draw(st.integers(1, 6)), seed=draw(st.integers(0, LARGEST_SEED)))


@st.composite
def single_frame_cases(draw: st.DrawFn, names: Sequence[str]) -> Case:
    """Batches whose rows all hold one frame: embeddings, logits and labels."""
    size = draw(st.integers(2, 5))
    return Case(lengths=dict.fromkeys(names, (1,) * size), extra=0, seed=draw(st.integers(0, LARGEST_SEED)))


@st.composite
def masked_sequences(draw: st.DrawFn, *, dim: int, longest: int = LONGEST) -> MaskedSequence:
    """Right-padded float32 sequences `(batch, time, dim)` of normal numbers, zeros in the padding."""
    lengths = draw(ragged_lengths(size=draw(st.integers(2, 4)), longest=longest))
    generator = torch.Generator().manual_seed(draw(st.integers(0, LARGEST_SEED)))
    return pad_rows([torch.randn(length, dim, generator=generator) for length in lengths])
