"""Long sequences in windows: where each window reads, and which of its frames are kept. Torch-free arithmetic."""

from itertools import pairwise

import attrs


@attrs.frozen(kw_only=True)
class Window:
    """One window over the frames of an utterance.

    Attributes:
        start: First frame read.
        stop: Frame after the last one read.
        keep_start: First frame kept.
        keep_stop: Frame after the last one kept.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int


def plan_windows(num_frames: int, *, window: int, overlap: int) -> tuple[Window, ...]:
    """Windows that cover an utterance; each frame is kept from exactly one of them.

    A function of the utterance's own length. All windows are full; the last one ends with the utterance, so that it
    may overlap more. Two neighbours meet in the middle of what they share.

    Args:
        num_frames: Frames of the utterance; 0 gives no window.
        window: Most frames that a window reads.
        overlap: Fewest frames that neighbours share; less than `window`.

    Raises:
        ValueError: if `overlap` is not from 0 to `window` - 1.
    """
    if not 0 <= overlap < window:
        raise ValueError(f"`overlap` must be from 0 to {window - 1} frames, but is {overlap} instead.")
    if num_frames <= window:
        return (Window(start=0, stop=num_frames, keep_start=0, keep_stop=num_frames),) if num_frames else ()
    starts = [*range(0, num_frames - window, window - overlap), num_frames - window]
    borders = [0, *((left + window + right) // 2 for left, right in pairwise(starts)), num_frames]
    return tuple(
        Window(start=start, stop=start + window, keep_start=borders[index], keep_stop=borders[index + 1])
        for index, start in enumerate(starts)
    )
