"""`Utterance`: one row of a manifest. Torch-free."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

REQUIRED_FIELDS: Final = ("utterance_id", "speaker_id", "wav_path", "start", "end", "transcript")
"""Fields that every line must hold; a `null` in one of the last four is an absent modality or an unknown bound."""

KNOWN_METADATA: Final = (
    "recording_id",
    "corpus",
    "gender",
    "accent",
    "channel",
    "call_id",
    "turn_index",
    "role",
    "licence",
    "split_protocol",
)
"""Metadata with a documented meaning; any other field of a line is kept as it is."""


@attrs.frozen(kw_only=True)
class Utterance:
    """The smallest unit that carries one label.

    Attributes:
        utterance_id: Unique in its split.
        speaker_id: Who speaks, or None where unknown.
        wav_path: Absolute path of the recording, or None where there is no audio.
        start: Begin of the segment, s from the start of the recording; None means its beginning.
        end: End of the segment, s; None means the end of the recording.
        transcript: What is said; None where there is no text.
        label: The label as written in the manifest's label field, mapped by the split's label map, or the most probable
            of the soft label; None at prediction.
        soft_label: Label → probability, from several raters; they sum to 1. A row with a label alone gives it all. None
            where no soft labels are read.
        metadata: Every other field of the line, kept as it is.
        place: `file:line`, for messages.
    """

    utterance_id: str
    speaker_id: str | None
    wav_path: str | None
    start: float | None
    end: float | None
    transcript: str | None
    label: str | None
    soft_label: Mapping[str, float] | None = None
    metadata: Mapping[str, Any] = attrs.field(factory=dict)
    place: str = ""

    @property
    def has_audio(self) -> bool:
        return self.wav_path is not None

    @property
    def has_text(self) -> bool:
        return bool(self.transcript and self.transcript.strip())
