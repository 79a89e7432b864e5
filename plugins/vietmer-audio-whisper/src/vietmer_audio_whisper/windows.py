"""Utterances longer than the encoder reads at once: cut into windows, grouped, and joined again.

None of this is compiled: it follows from the lengths of one batch. What encodes the windows is.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import attrs
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from vietmer_core.nn.windows import Window, plan_windows

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def uncompiled(*, recursive: bool = True) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Decorates a function that `torch.compile` leaves alone, with all that it calls or without."""
    disable: Any = torch.compiler.disable
    return lambda function: disable(function, recursive=recursive)


@contextmanager
def quiet_compiler() -> Iterator[None]:
    """Without a warning of `torch.compile`: it looks for the gradient of a tensor that another part computed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"The \.grad attribute of a Tensor that is not a leaf")
        yield


@attrs.frozen(kw_only=True)
class Part:
    """One window of one utterance.

    Attributes:
        owner: Row of the utterance in the batch.
        number: Of the window in the utterance, from 0.
        window: Where it lies, in frames of the encoder.
        mel_start: First mel frame read, always even: the frames of a window lie on the grid of the utterance.
        mel_stop: Mel frame after the last one read.
    """

    owner: int
    number: int
    window: Window
    mel_start: int
    mel_stop: int

    @property
    def num_mel_frames(self) -> int:
        return self.mel_stop - self.mel_start


@uncompiled()
def parts_of(mel_lengths: Sequence[int], frames: Sequence[int], *, window: int, overlap: int) -> list[Part]:
    """The windows of every utterance of a batch; those of an utterance follow from its own lengths.

    Args:
        mel_lengths: Mel frames that there are of each utterance.
        frames: Frames of the encoder that it gives.
        window: Most frames of the encoder in a window.
        overlap: Fewest that neighbours share.
    """
    parts = []
    for owner, (mel_length, num_frames) in enumerate(zip(mel_lengths, frames, strict=True)):
        planned = plan_windows(num_frames, window=window, overlap=overlap)
        for number, one in enumerate(planned):
            stop = mel_length if len(planned) == 1 else min(2 * one.stop, mel_length)
            parts.append(Part(owner=owner, number=number, window=one, mel_start=2 * one.start, mel_stop=stop))
    return parts


@uncompiled()
def grouped(parts: Sequence[Part], *, most_mel_frames: int) -> list[list[int]]:
    """Positions of parts to be encoded together: parts of one utterance, the like-sized beside each other.

    A group holds as many as fit into `most_mel_frames` when padded to its longest, and one at least. Never parts of
    two utterances: groups follow from the utterance's own length, so that neighbours do not change a bit of it.
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(parts)), key=lambda place: (parts[place].owner, -parts[place].num_mel_frames)):
        longest = parts[groups[-1][0]] if groups else parts[index]
        fits = longest.num_mel_frames * (len(groups[-1]) + 1 if groups else 1) <= most_mel_frames
        if groups and fits and longest.owner == parts[index].owner:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


@uncompiled()
def cut(features: Tensor, parts: Sequence[Part]) -> tuple[Tensor, Tensor]:
    """The mel frames of parts: `(batch, mel frames, mels)` → `(parts, mel frames, mels)` and lengths `(parts,)`."""
    rows = [features[part.owner, part.mel_start : part.mel_stop] for part in parts]
    lengths = torch.tensor([part.num_mel_frames for part in parts], device=features.device)
    return pad_sequence(rows, batch_first=True), lengths  # (parts, mel frames, mels), (parts,)


@uncompiled()
def joined(encoded: Sequence[Tensor], parts: Sequence[Part], *, num_rows: int, time: int, nothing: Tensor) -> Tensor:
    """The frames kept of each window, one after the other: `(batch, time, dim)`, zeros in the padding.

    Args:
        encoded: `(frames, dim)` of each part.
        parts: In the order of their utterances.
        num_rows: Rows of the batch.
        time: Padded width.
        nothing: `(0, dim)`, what an utterance without parts has.
    """
    empty = encoded[0][:0] if encoded else nothing  # of the dtype under autocast
    pieces: list[list[Tensor]] = [[empty] for _ in range(num_rows)]
    for frames, part in zip(encoded, parts, strict=True):
        begin = part.window.start
        pieces[part.owner].append(frames[part.window.keep_start - begin : part.window.keep_stop - begin])
    rows = [torch.cat(row) for row in pieces]
    return torch.stack([pad(row, (0, 0, 0, time - len(row))) for row in rows])  # (batch, time, dim)
