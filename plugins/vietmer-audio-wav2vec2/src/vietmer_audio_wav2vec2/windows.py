"""Long rows of a batch in windows: cut into parts, and put together again."""

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor
from torch.nn.functional import pad

from vietmer_core.nn.draws import part_draws
from vietmer_core.nn.windows import Window, plan_windows


@attrs.frozen(kw_only=True)
class Part:
    """A window of a row; `position` counts those of the row from 0."""

    row: int
    position: int
    window: Window

    @property
    def num_frames(self) -> int:
        """Frames that it reads."""
        return self.window.stop - self.window.start


def parts_of(lengths: Sequence[int], *, window: int, overlap: int) -> list[Part]:
    """The windows of every row, in order; a row that fits is one part, a row of no frames none."""
    return [
        Part(row=row, position=position, window=found)
        for row, length in enumerate(lengths)
        for position, found in enumerate(plan_windows(length, window=window, overlap=overlap))
    ]


def cut(frames: Tensor, parts: Sequence[Part]) -> tuple[Tensor, Tensor]:
    """The frames that the parts read, `(parts, width, dim)` from `(batch, time, dim)`, and their lengths `(parts,)`."""
    width = max(part.num_frames for part in parts)
    rows = [frames[part.row, part.window.start : part.window.stop] for part in parts]
    lengths = torch.tensor([len(row) for row in rows], device=frames.device)
    return torch.stack([pad(row, (0, 0, 0, width - len(row))) for row in rows]), lengths


def draws_of(draws: Tensor | None, parts: Sequence[Part]) -> Tensor | None:
    """The seeds of the parts, `(parts,)`; the first part of a row keeps the row's, as a row of one part must."""
    if draws is None:
        return None
    owners = torch.tensor([part.row for part in parts], device=draws.device)
    positions = torch.tensor([part.position for part in parts], device=draws.device)
    others = part_draws(draws, owners=owners, positions=positions)
    assert others is not None
    return torch.where(positions == 0, draws[owners], others)


def joined(outputs: Sequence[tuple[Part, Tensor]], *, batch: int, time: int) -> Tensor:
    """The kept frames `(width, dim)` of each part, side by side: `(batch, time, dim)`, zeros in the padding."""
    nothing = outputs[0][1][:0]  # (0, dim)
    rows: list[list[Tensor]] = [[nothing] for _ in range(batch)]
    for part, states in outputs:
        first = part.window.start
        rows[part.row].append(states[part.window.keep_start - first : part.window.keep_stop - first])
    whole = [torch.cat(pieces) for pieces in rows]
    return torch.stack([pad(row, (0, 0, 0, time - len(row))) for row in whole])
