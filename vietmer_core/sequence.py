"""`MaskedSequence`: a padded batch of sequences whose lengths are the truth.

The mask is derived from the lengths and is True at real frames, everywhere in VietMER. A row of length 0 is an absent
modality. What the padding holds is undefined: no component may let it reach a real frame, an embedding or a gradient.
"""

from collections.abc import Sequence
from typing import NoReturn

import attrs
import torch
from torch import Tensor


def _refuse(name: str, rule: str, found: str) -> NoReturn:
    raise ValueError(f"`{name}` must {rule}, but is {found} instead.")


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)} on {tensor.device}"


def _check_rows(name: str, numbers: Tensor, features: Tensor) -> None:
    if numbers.dtype != torch.int64 or numbers.shape != features.shape[:1]:
        _refuse(name, f"be int64 of shape ({features.shape[0]},) to match `features`", _describe(numbers))
    if numbers.device != features.device:
        _refuse(name, f"be on {features.device} like `features`", _describe(numbers))


def mask_from_lengths(lengths: Tensor, time: int) -> Tensor:
    """The mask of right-padded rows: `(batch, time)` bool, True at real frames, from `lengths (batch,)`."""
    return torch.arange(time, device=lengths.device)[None, :] < lengths[:, None]  # (batch, time)


@attrs.frozen(eq=False, init=False)
class MaskedSequence:
    """A right-padded batch of sequences.

    Attributes:
        features: `(batch, time, ...)`; usually `(batch, time, dim)`, or `(batch, tokens, fields)` ids.
        lengths: `(batch,)` int64, the number of real frames of each row, 0 to `time`; 0 is an absent modality.
        draws: `(batch,)` int64, the seed of each row's random numbers in training (`vietmer_core.nn.draws`), or None
            where nobody gave one.
    """

    features: Tensor
    lengths: Tensor
    draws: Tensor | None

    def __init__(self, *, features: Tensor, lengths: Tensor, draws: Tensor | None = None) -> None:
        """Check shape, dtype and device (never values: that would wait for the GPU).

        Raises:
            ValueError: naming the field, the rule and what was found.
        """
        if features.ndim < 2:
            _refuse("features", "have at least the axes (batch, time)", _describe(features))
        _check_rows("lengths", lengths, features)
        if draws is not None:
            _check_rows("draws", draws, features)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "draws", draws)

    @property
    def mask(self) -> Tensor:
        """`(batch, time)` bool, True = real frame."""
        return mask_from_lengths(self.lengths, self.features.shape[1])

    def zeroed(self) -> "MaskedSequence":
        """The same sequence with zeros in the padding, whatever it held, NaN included."""
        mask = self.mask
        expanded = mask.reshape(*mask.shape, *[1] * (self.features.ndim - 2))  # (batch, time, 1, ...)
        return self.with_features(self.features.masked_fill(~expanded, 0))

    def with_features(self, features: Tensor) -> "MaskedSequence":
        """Other features at the same lengths, with the same draws."""
        return MaskedSequence(features=features, lengths=self.lengths, draws=self.draws)

    def with_draws(self, draws: Tensor | None) -> "MaskedSequence":
        """The same sequence with other draws, or with none."""
        return MaskedSequence(features=self.features, lengths=self.lengths, draws=draws)

    def to(self, device: torch.device | str) -> "MaskedSequence":
        """The same sequence on another device."""
        return MaskedSequence(
            features=self.features.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
            draws=None if self.draws is None else self.draws.to(device, non_blocking=True),
        )

    def pin_memory(self) -> "MaskedSequence":
        """The same sequence in page-locked memory (called by torch's loader)."""
        return MaskedSequence(
            features=self.features.pin_memory(),
            lengths=self.lengths.pin_memory(),
            draws=None if self.draws is None else self.draws.pin_memory(),
        )

    def check_values(self) -> None:
        """Check that every length lies between 0 and `time`. Waits for the device: for collate and tests only.

        Raises:
            ValueError: naming the first row that breaks the rule.
        """
        time = self.features.shape[1]
        bad = torch.nonzero((self.lengths < 0) | (self.lengths > time)).flatten()
        if len(bad):
            row = int(bad[0])
            _refuse(f"lengths[{row}]", f"lie between 0 and {time}", str(int(self.lengths[row])))


def pad_rows(rows: Sequence[Tensor], *, time: int | None = None) -> MaskedSequence:
    """Right-pad rows `(time_i, ...)` of one dtype and trailing shape into one sequence, zeros in the padding.

    Args:
        rows: At least one row; a row of no frames is an absent modality.
        time: Padded width; the longest row by default.
    """
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    width = int(lengths.max()) if time is None else time
    features = rows[0].new_zeros((len(rows), width, *rows[0].shape[1:]))  # (batch, time, ...)
    for index, row in enumerate(rows):
        features[index, : len(row)] = row
    sequence = MaskedSequence(features=features, lengths=lengths)
    sequence.check_values()
    return sequence
