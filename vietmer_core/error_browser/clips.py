"""The sound of a segment, small enough to stand in a page. Torch-free."""

import base64
import io
from typing import Final

import attrs
import numpy as np
import soundfile
from numpy.typing import NDArray

from vietmer_core.data.audio import Channel, read_segment
from vietmer_core.data.utterance import Utterance

SAMPLING_RATE: Final = 16_000
"""Hz: of the clips, whatever the recording has; speech loses nothing that tells an emotion."""
MP3_LEVEL: Final = 0.3
"""Of LAME's variable bit rate, 0 the best and 1 the smallest: about 32 kbit/s for speech at this rate."""


@attrs.frozen(kw_only=True, eq=False)
class Clip:
    """An encoded segment.

    Attributes:
        media_type: `audio/mpeg`, or `audio/flac` where libsndfile was built without an MP3 encoder.
        content: The bytes of the file.
        duration: s.
    """

    media_type: str
    content: bytes
    duration: float

    @property
    def data_uri(self) -> str:
        """The clip as the `src` of an `<audio>`."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


def clip_of(utterance: Utterance, *, channel: Channel) -> Clip | None:
    """The segment of an utterance; None where it has no audio.

    Args:
        utterance: Of a manifest.
        channel: As `DataSpec.channel`.

    Raises:
        DataError: if the segment cannot be read.
    """
    if utterance.wav_path is None:
        return None
    samples = read_segment(
        utterance.wav_path, start=utterance.start, end=utterance.end, channel=channel, sampling_rate=SAMPLING_RATE
    )
    return encoded(samples)


def encoded(samples: NDArray[np.float32]) -> Clip:
    """Samples `(samples,)` at `SAMPLING_RATE` as MP3, which every browser plays, else as FLAC; clipped to [-1, 1]."""
    limited = np.clip(samples, -1, 1)
    with io.BytesIO() as file:
        if "MP3" in soundfile.available_formats():
            media_type = "audio/mpeg"
            form = {"format": "MP3", "subtype": "MPEG_LAYER_III"}
            soundfile.write(file, limited, SAMPLING_RATE, **form, bitrate_mode="VARIABLE", compression_level=MP3_LEVEL)
        else:
            media_type = "audio/flac"
            soundfile.write(file, limited, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
        content = file.getvalue()
    return Clip(media_type=media_type, content=content, duration=len(samples) / SAMPLING_RATE)
