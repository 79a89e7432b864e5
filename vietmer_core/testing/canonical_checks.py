"""The check of canonical shapes: at one shape, neighbours and the place in the batch change not one bit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from vietmer_core.batch import absent_sequence
from vietmer_core.sequence import pad_rows
from vietmer_core.shapes import FrontendEdges, audio_edge, text_edge
from vietmer_core.testing.cases import LARGEST_SEED
from vietmer_core.testing.failures import Place, difference
from vietmer_core.testing.profiles import check_settings
from vietmer_core.testing.sources import Source, TranscriptSource, WaveformSource
from vietmer_core.testing.subjects import Inputs, Outputs, Subject, Testable, flat, row_values, shapes, with_junk

LONGEST: Final = 40
"""Frames of the longest row: beyond the first edges, and beyond the windows of tiny encoders."""
ROWS: Final = (1, 4, 8)
ALIGNMENT: Final = 16
"""Bytes: a linear layer that reads rows of no multiple of it may take another kernel at each place in the batch, so
that a canonical pass of such a model has one row."""


@attrs.frozen(kw_only=True)
class Pass:
    """One pass at a canonical shape.

    Attributes:
        lengths: Of the row that is looked at, by the name of the input.
        neighbours: Of the other rows; what is longer than the row's width is cut.
        place: Of the row among them.
        seed: Of the numbers in the rows and of the junk in the padding.
    """

    lengths: Mapping[str, int]
    neighbours: Sequence[Mapping[str, int]]
    place: int
    seed: int

    def __len__(self) -> int:
        return 1 + len(self.neighbours)

    def __str__(self) -> str:
        own = ", ".join(f"{name} {length}" for name, length in self.lengths.items())
        return f"row {self.place} of {len(self)} ({own})"


def _is_single(subject: Subject) -> bool:
    return not {"sequence", "text", "audio"} & set(subject.sources)


def _shortest(names: Sequence[str], size: int) -> Iterator[Pass]:
    """The shortest row first and last among the longest."""
    neighbours = [dict.fromkeys(names, LONGEST)] * (size - 1)
    for place in {0, size - 1}:
        yield Pass(lengths=dict.fromkeys(names, 1), neighbours=neighbours, place=place, seed=place)


@st.composite
def _passes(draw: st.DrawFn, names: Sequence[str], rows: Sequence[int]) -> Pass:
    """A row of any length among neighbours of any, absent ones too."""
    lengths = st.fixed_dictionaries({name: st.integers(0, LONGEST) for name in names})
    size = draw(st.sampled_from(rows))
    return Pass(
        lengths=draw(lengths),
        neighbours=draw(st.lists(lengths, min_size=size - 1, max_size=size - 1)),
        place=draw(st.integers(0, size - 1)),
        seed=draw(st.integers(0, LARGEST_SEED)),
    )


def _width(name: str, source: Source, num_frames: int) -> int:
    """The edge of a row of `num_frames` of an input."""
    if isinstance(source, TranscriptSource):
        return text_edge(num_frames)
    if isinstance(source, WaveformSource):
        frontend = source.frontend
        return FrontendEdges(frontend.num_frames, sampling_rate=frontend.sampling_rate).edge(num_frames)[0]
    return text_edge(num_frames) if name == "text" else audio_edge(num_frames)


def _inputs(subject: Subject, tried: Pass, *, alone: bool) -> Inputs:
    """The row at the first place of a pass without neighbours, or at its own among them, junk in the padding."""
    is_single = _is_single(subject)
    inputs = {name: absent_sequence(len(tried)) for name in subject.absent}
    for name, source in subject.sources.items():
        own_length = 1 if is_single else tried.lengths[name]
        other_lengths = [1 if is_single else lengths[name] for lengths in tried.neighbours]
        (own,) = source.rows([own_length], tried.seed)
        width = 1 if is_single else _width(name, source, len(own))
        others = [row[:width] for row in source.rows(other_lengths, tried.seed + 1)]
        if alone:
            others = [torch.zeros_like(own) if is_single else own[:0] for _ in others]
        place = 0 if alone else tried.place
        rows = [*others[:place], own, *others[place:]]
        inputs[name] = pad_rows([row.float() if source.is_float else row for row in rows], time=width)
        if not alone:
            inputs[name] = with_junk(inputs[name], source, tried.seed)
    return inputs


def _row(subject: Subject, module: nn.Module, inputs: Inputs, place: int, dtype: torch.dtype) -> list[Tensor]:
    """The real frames of a row in every stream, from a pass in inference mode."""
    half = dtype != torch.float32
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        outputs: Outputs = subject.call(module, inputs)
    return row_values(outputs, place)


def _rows_of(module: nn.Module) -> Sequence[int]:
    """How many rows a canonical pass may have."""
    layers = [part for part in module.modules() if isinstance(part, nn.Linear)]
    aligned = all(part.in_features * part.weight.element_size() % ALIGNMENT == 0 for part in layers)
    return ROWS if aligned else ROWS[:1]


@contextmanager
def _one_thread() -> Iterator[None]:
    """With one thread of torch, and as many as before afterwards.

    With more, a row's place decides which thread computes it, and so how its buffers are aligned and where a thread's
    share of an elementwise kernel ends: a canonical pass on several threads of a CPU has one row.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def canonical_bits(tested: Testable) -> None:
    """At a canonical shape in inference mode, no neighbour and no place in the batch changes a bit, in bf16 neither."""
    subject = tested.subject()
    module = subject.build(torch.float32)
    names, rows = tuple(subject.sources), _rows_of(module)

    def holds(tried: Pass) -> None:
        for dtype in (torch.float32, torch.bfloat16):
            place = Place(check="canonical_bits", component=tested.name, dtype=dtype, row=str(tried))
            expected = _row(subject, module, _inputs(subject, tried, alone=True), 0, dtype)
            found = _row(subject, module, _inputs(subject, tried, alone=False), tried.place, dtype)
            if shapes(expected) != shapes(found):
                raise place.fail(f"neighbours change its shape from {shapes(expected)} to {shapes(found)}.")
            if not torch.equal(flat(expected), flat(found)):
                gap = difference(flat(expected).float(), flat(found).float())
                raise place.fail(
                    f"other rows of a pass of the same shape change its result by {gap:.3g}; not a bit may differ."
                )

    @check_settings()
    @given(tried=_passes(names, rows))
    def drawn(tried: Pass) -> None:
        holds(tried)

    with _one_thread():
        for size in rows:
            for tried in _shortest(names, size):
                holds(tried)
        drawn()
