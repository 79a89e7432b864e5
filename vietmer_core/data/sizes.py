"""What a sampler and a report may know of a split without reading a row of it. Torch-free."""

import attrs
import numpy as np
from numpy.typing import NDArray


@attrs.frozen(kw_only=True, eq=False)
class UtteranceSizes:
    """What a sampler may know of a split, row by row.

    Attributes:
        audio_seconds: `(utterances,)` float32 duration, 0 where there is no audio.
        text_words: `(utterances,)` int32 number of space-separated words, 0 where there is no transcript.
        labels: `(utterances,)` int32 class in the order of the label space, -1 where there is none.
    """

    audio_seconds: NDArray[np.float32]
    text_words: NDArray[np.int32]
    labels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.audio_seconds)


@attrs.frozen(kw_only=True, eq=False)
class Speakers:
    """Who speaks, row by row.

    Attributes:
        codes: `(utterances,)` int32 position in `names`, -1 where the speaker is unknown.
        names: Every speaker of the split, in the order of first appearance.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)
