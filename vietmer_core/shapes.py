"""Canonical shapes: the widths and rows of a forward pass, from the lengths of one utterance alone. Torch-free.

A kernel that sees the same shape computes the same bits. So where a pass is padded to edges that follow from the
utterance's own lengths, and always has the number of rows that belongs to its edges, the outputs of an utterance in
inference mode do not differ by one bit between batch sizes, orders and neighbours.
"""

import bisect
import math
from collections.abc import Callable
from typing import Final, final

import attrs
import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND: Final = 50
"""Of the frame that budgets and edges are counted in: 20 ms, that of wav2vec 2.0 and Whisper, whatever the encoder."""
AUDIO_STEP: Final = 1.07
"""From one edge of the audio to the next: about 0.97 of the padded frames are real ones. Finer edges leave too many
part-filled batches (`docs/decisions/0007-a-canonical-pass-has-one-row-on-a-cpu.md`)."""
FIRST_FRAMES: Final = 16
TEXT_STEP: Final = 16
"""Between edges of the text, in tokens; finer edges leave too few utterances that share a pair of edges."""
MOST_EDGES: Final = 300
"""The last one is over three years of audio."""


def _ladder() -> list[int]:
    edges = [FIRST_FRAMES]
    while len(edges) < MOST_EDGES:
        edges.append(max(edges[-1] + 1, math.floor(edges[-1] * AUDIO_STEP)))
    return edges


_AUDIO_EDGES: Final = tuple(_ladder())
_AUDIO_EDGES_ARRAY: Final = np.array(_AUDIO_EDGES, dtype=np.int64)


def audio_edge(num_frames: int) -> int:
    """The width that audio of `num_frames` frames is padded to: the least edge that holds it; 0 for none."""
    return _AUDIO_EDGES[bisect.bisect_left(_AUDIO_EDGES, num_frames)] if num_frames else 0


def text_edge(num_tokens: int) -> int:
    """The width that text of `num_tokens` tokens is padded to: a multiple of 16; 0 for none."""
    return -(-num_tokens // TEXT_STEP) * TEXT_STEP


def audio_edges(num_frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """`audio_edge` of each utterance, `(utterances,)` → `(utterances,)`."""
    return np.where(num_frames > 0, _AUDIO_EDGES_ARRAY[np.searchsorted(_AUDIO_EDGES_ARRAY, num_frames)], 0)


def text_edges(num_tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """`text_edge` of each utterance, `(utterances,)` → `(utterances,)`."""
    return -(-num_tokens // TEXT_STEP) * TEXT_STEP


def frames_of(seconds: NDArray[np.floating]) -> NDArray[np.int64]:
    """Frames of 20 ms of audio of so many seconds, the last one begun counted whole: what samplers count."""
    return np.ceil(np.round(seconds.astype(np.float64) * FRAMES_PER_SECOND, 3)).astype(np.int64)


@final
class FrontendEdges:
    """The edges of one audio frontend, in its own frames: those of audio whose length is an edge.

    A frontend may count mel frames or samples. Its edges are the same points in time for all of them, so that batches
    of one edge stay so whatever the encoder.

    Args:
        num_frames: `AudioFrontend.num_frames`.
        sampling_rate: Of its waveforms, Hz.
    """

    def __init__(self, num_frames: Callable[[int], int], *, sampling_rate: int) -> None:
        self._num_frames = num_frames
        self._samples_per_frame = sampling_rate / FRAMES_PER_SECOND
        self._edges: list[int] = []

    def edge(self, num_frames: int) -> tuple[int, int]:
        """The width to which features of `num_frames` are padded, and the same edge in frames of 20 ms; 0, 0 for none.

        Where audio gives so many frames that no edge holds them, the width is `num_frames` itself.
        """
        if not num_frames:
            return 0, 0
        while len(self._edges) < MOST_EDGES and (not self._edges or self._edges[-1] < num_frames):
            samples = math.ceil(_AUDIO_EDGES[len(self._edges)] * self._samples_per_frame)
            self._edges.append(self._num_frames(samples))
        place = bisect.bisect_left(self._edges, num_frames)
        if place == len(self._edges):
            return num_frames, _AUDIO_EDGES[-1]
        return self._edges[place], _AUDIO_EDGES[place]


@attrs.frozen(kw_only=True)
class PassRows:
    """How many rows a forward pass has at an edge: as many as a budget of padded frames and tokens holds, at least 1.

    The number is a power of two, so that shapes are few.

    Attributes:
        frames: Budget of padded audio, frames of 20 ms.
        tokens: Budget of padded text, tokens.
        most: Rows at most.
    """

    frames: int
    tokens: int
    most: int

    def at(self, *, frames: int, tokens: int) -> int:
        """Rows of a pass at an audio edge, in frames of 20 ms, and a text edge; 0 is a modality that is not there."""
        fits = [budget // edge for budget, edge in ((self.frames, frames), (self.tokens, tokens)) if edge]
        if not fits:
            return 1
        return 1 << (max(1, min([self.most, *fits])).bit_length() - 1)
