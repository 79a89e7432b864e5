"""One face for every component under test: rows in, rows out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import attrs
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from vietmer_core.batch import absent_sequence
from vietmer_core.nn.draws import utterance_draws
from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.testing.cases import Case, cases
from vietmer_core.testing.sources import Source

Inputs: TypeAlias = Mapping[str, MaskedSequence]
Outputs: TypeAlias = tuple[MaskedSequence, ...]
Rows: TypeAlias = Mapping[str, Sequence[Tensor]]


@attrs.frozen(kw_only=True, eq=False)
class Subject:
    """A component under test.

    Attributes:
        name: `fusion: xattn`.
        make: Builds the module anew; the caller seeds torch.
        call: Runs it; an output that has no time stands as sequences of one frame.
        sources: Where the rows of each input come from, by the input's name.
        absent: Names of inputs that the component does not read: they arrive as `(batch, 0, 0)`.
        draw: The strategy of its batches.
    """

    name: str
    make: Callable[[], nn.Module]
    call: Callable[[nn.Module, Inputs], Outputs]
    sources: Mapping[str, Source]
    absent: Sequence[str] = ()
    draw: st.SearchStrategy[Case] = attrs.field()

    @draw.default
    def _draw_default(self) -> st.SearchStrategy[Case]:
        return cases(tuple(self.sources))

    def build(self, dtype: torch.dtype, *, seed: int = 0) -> nn.Module:
        """A fresh module in evaluation mode, built under the seed; torch's global generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.make().to(dtype).eval()

    def rows(self, case: Case) -> Rows:
        """The rows of every input."""
        return {name: source.rows(case.lengths[name], case.seed) for name, source in self.sources.items()}

    def pad(self, rows: Rows, dtype: torch.dtype, *, extra: int = 0, junk_seed: int | None = None) -> Inputs:
        """The rows as one padded batch, zeros or junk in the padding."""
        size = len(next(iter(rows.values())))
        inputs = {name: absent_sequence(size) for name in self.absent}
        for name, source in self.sources.items():
            cast = [row.to(dtype) if source.is_float else row for row in rows[name]]
            inputs[name] = pad_rows(cast, time=max(len(row) for row in cast) + extra)
            if junk_seed is not None:
                inputs[name] = with_junk(inputs[name], source, junk_seed)
        return inputs


class Testable(Protocol):
    """What a check runs: a registered component, or a whole model."""

    @property
    def name(self) -> str:
        """`fusion: xattn`."""
        ...

    def subject(self) -> Subject:
        """The module to run."""
        ...


def with_junk(sequence: MaskedSequence, source: Source, seed: int) -> MaskedSequence:
    """The same rows with the source's junk in the padding."""
    padding = ~sequence.mask  # (batch, time)
    features = sequence.features.clone()
    features[padding] = source.junk(int(padding.sum()), seed).to(features.dtype)
    return sequence.with_features(features)


def with_draws(inputs: Inputs, identities: Sequence[int]) -> Inputs:
    """The same rows, each with the seed of its identity: what draws from it draws the same in every batch."""
    seeds = utterance_draws(torch.tensor(list(identities), dtype=torch.int64), seed=0, epoch=0)  # (batch,)
    return {name: sequence.with_draws(seeds) for name, sequence in inputs.items()}


def pick(rows: Rows, order: Sequence[int]) -> Rows:
    """The rows at the positions `order`."""
    return {name: [values[index] for index in order] for name, values in rows.items()}


def row_values(outputs: Outputs, row: int) -> list[Tensor]:
    """The real frames `(time, dim)` of a row in every stream."""
    return [stream.features[row, : int(stream.lengths[row])] for stream in outputs]


def flat(parts: Sequence[Tensor]) -> Tensor:
    """All numbers of some tensors, one after the other."""
    return torch.cat([part.reshape(-1) for part in parts]) if parts else torch.zeros(0)


def shapes(parts: Sequence[Tensor]) -> list[tuple[int, ...]]:
    """The shape of each."""
    return [tuple(part.shape) for part in parts]


def evaluate(subject: Subject, module: nn.Module, inputs: Inputs) -> Outputs:
    """A forward pass without gradients, in the mode the module is in."""
    with torch.no_grad():
        return subject.call(module, inputs)
