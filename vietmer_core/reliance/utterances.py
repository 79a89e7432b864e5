"""A split whose utterances have another text, another audio, or none of either."""

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.dataset import identity_of
from vietmer_core.data.manifest import Manifest
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.data.utterance import Utterance
from vietmer_core.reliance.donors import NOBODY
from vietmer_core.reliance.transcripts import TranscriptChange


@final
@attrs.frozen(kw_only=True, eq=False)
class ChangedUtterances:
    """The utterances of a manifest, each with the text and the audio of some utterance, or without; picklable.

    Attributes:
        manifest: Whose.
        text_from: `(utterances,)` position of the utterance whose transcript each has; `NOBODY` for none.
        audio_from: `(utterances,)` likewise, whose segment of a recording.
        rewrite: Changes the transcript that an utterance has then, or None.
        draw: Number of the draw that `rewrite` is told.
    """

    manifest: Manifest
    text_from: NDArray[np.int64]
    audio_from: NDArray[np.int64]
    rewrite: TranscriptChange | None = None
    draw: int = 0

    def __len__(self) -> int:
        return len(self.manifest)

    def __getitem__(self, position: int) -> Utterance:
        """The utterance at a position: its own id, label and place, with what it has been given."""
        own = self.manifest[position]
        changes: dict[str, Any] = {}
        if self.text_from[position] != position:
            changes["transcript"] = self._of(self.text_from[position], "transcript")
        if self.audio_from[position] != position:
            fields = ("wav_path", "start", "end")
            changes |= {field: self._of(self.audio_from[position], field) for field in fields}
        changed = attrs.evolve(own, **changes)
        if self.rewrite is None or not changed.has_text:
            return changed
        text = self.rewrite(changed.transcript or "", identity=identity_of(own.utterance_id), draw=self.draw)
        return attrs.evolve(changed, transcript=text)

    def _of(self, donor: int, field: str) -> Any:
        return None if donor == NOBODY else getattr(self.manifest[int(donor)], field)

    @property
    def sizes(self) -> UtteranceSizes:
        """Those of what each utterance has; words as they are before `rewrite`."""
        sizes = self.manifest.sizes
        return UtteranceSizes(
            audio_seconds=np.where(self.audio_from == NOBODY, 0, sizes.audio_seconds[self.audio_from]),
            text_words=np.where(self.text_from == NOBODY, 0, sizes.text_words[self.text_from]),
            labels=sizes.labels,
        )
