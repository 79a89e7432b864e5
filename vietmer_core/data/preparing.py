"""From a transcript or a waveform to what an encoder reads, or to the sentence that says why not."""

from typing import Final

import torch
from torch import Tensor

from vietmer_core.data.silence import LEAVE_OUT_AUDIO, silence_sentence
from vietmer_core.errors import DataError
from vietmer_core.frontends import Frontends
from vietmer_core.protocols import AudioFrontend, PadsShortAudio, TextFrontend

LONGEST_SHORT_SECONDS: Final = 60
"""A frontend that gives no frame for so much audio is not asked any further how much it needs, s."""


def prepare_text(frontend: TextFrontend, transcript: str | None, *, place: str = "") -> Tensor:
    """The ids of a transcript; an absent or empty one gives no tokens.

    Args:
        frontend: That of the model.
        transcript: What is said.
        place: `file:line` of the row, for the sentence.

    Raises:
        DataError: if the frontend cannot use the transcript.
    """
    try:
        return frontend(transcript or "")
    except DataError as error:
        raise _placed(error, place) from None


def prepare_audio(frontends: Frontends, waveform: Tensor, *, place: str) -> Tensor:
    """The features of a waveform `(samples,)`; one of no samples gives no frames.

    Args:
        frontends: Those of the model.
        waveform: At the rate of the audio frontend.
        place: `file:line` of the row, or the name of the file, for the sentence.

    Raises:
        DataError: if it is too short for one frame, silent (every sample is equal) or has features that are not
            finite, or if the frontend cannot use it.
    """
    frontend = frontends.audio
    if frontend is None:
        raise ValueError("`frontends` must have an audio frontend, but has none instead.")
    has_frames = len(waveform) > 0 and frontend.num_frames(len(waveform)) > 0
    if has_frames and bool((waveform == waveform[0]).all()):
        raise DataError(f"{place}: {silence_sentence(len(waveform), float(waveform[0]))} {LEAVE_OUT_AUDIO}")
    try:
        features = frontend(waveform)  # (frames, dim)
    except DataError as error:
        raise _placed(error, place) from None
    if len(waveform) and not len(features):
        raise DataError(_too_short(frontend, len(waveform), place))
    if not bool(torch.isfinite(features).all()):
        raise DataError(f"{place}: the audio must give finite features, but some are not. Check the file.")
    return features


def samples_added(frontend: AudioFrontend, num_samples: int) -> int:
    """Samples that a frontend adds to a waveform of `num_samples`; 0 where it never does."""
    return frontend.samples_added(num_samples) if isinstance(frontend, PadsShortAudio) and num_samples else 0


def fewest_samples(frontend: AudioFrontend) -> int | None:
    """The shortest waveform that gives a frame, in samples; None where a minute does not."""
    too_few, enough = 0, LONGEST_SHORT_SECONDS * frontend.sampling_rate
    if not frontend.num_frames(enough):
        return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if frontend.num_frames(middle) else (middle, enough)
    return enough


def _too_short(frontend: AudioFrontend, num_samples: int, place: str) -> str:
    per_millisecond = frontend.sampling_rate / 1000
    fewest = fewest_samples(frontend)
    least = "" if fewest is None else f"At least {fewest / per_millisecond:g} ms are needed. "
    return (
        f"{place}: the audio must be long enough for one frame, but lasts {num_samples / per_millisecond:.1f} ms "
        f"instead. {least}{LEAVE_OUT_AUDIO}"
    )


def _placed(error: DataError, place: str) -> DataError:
    return DataError(f"{place}: {error}" if place else str(error))
