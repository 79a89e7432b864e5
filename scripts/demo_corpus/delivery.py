"""How a turn is delivered: what each emotion does to pitch, speed, loudness and timbre."""

from typing import Final, Literal

import attrs
import numpy as np

Emotion = Literal["angry", "happy", "neutral", "sad"]
Cue = Literal["voice", "words", "both"]

EMOTIONS: Final[tuple[Emotion, ...]] = ("angry", "happy", "neutral", "sad")


@attrs.frozen(kw_only=True)
class Delivery:
    """Departures from the speaker's level reading.

    Attributes:
        speed: Factor on the speaker's speed.
        pitch_semitones: Shift of the pitch.
        range_factor: Factor on the excursions of the pitch.
        gain_db: Loudness.
        tilt_db: Gain of the band above about 1.5 kHz against the band below.
        formant_factor: Scale of the upper formants (smiling raises them).
        drive: Strength of the soft clipping of a pressed voice; 0 leaves the waveform.
        sway: Depth of the slow rise and fall of pitch and speed, as a fraction.
        fall: Fall of pitch from the first to the last instant, as a fraction.
    """

    speed: float = 1.0
    pitch_semitones: float = 0.0
    range_factor: float = 1.0
    gain_db: float = 0.0
    tilt_db: float = 0.0
    formant_factor: float = 1.0
    drive: float = 0.0
    sway: float = 0.0
    fall: float = 0.0


LEVEL: Final = Delivery()

TYPICAL: Final[dict[Emotion, Delivery]] = {
    "angry": Delivery(
        speed=1.25, pitch_semitones=2.5, range_factor=1.35, gain_db=7.0, tilt_db=9.5, formant_factor=0.98, drive=2.5
    ),
    "happy": Delivery(
        speed=1.1, pitch_semitones=6.0, range_factor=1.8, gain_db=3.0, tilt_db=1.5, formant_factor=1.09, sway=0.1
    ),
    "neutral": LEVEL,
    "sad": Delivery(
        speed=0.76, pitch_semitones=-2.5, range_factor=0.4, gain_db=-6.5, tilt_db=-9.0, formant_factor=0.96, fall=0.08
    ),
}


def draw_delivery(emotion: Emotion, *, rng: np.random.Generator) -> Delivery:
    """The delivery of one turn: the typical one of `emotion` at a strength of 0.85 to 1.2, with a personal scatter.

    The scatter has the same spread for each emotion, so a level turn of an angry customer cannot be told from a
    level turn of a calm one.
    """
    typical = TYPICAL[emotion]
    strength = rng.uniform(0.85, 1.2)
    scatter = rng.normal(0.0, 1.0, size=5)
    return Delivery(
        speed=float(typical.speed**strength * np.exp(0.04 * scatter[0])),
        pitch_semitones=float(typical.pitch_semitones * strength + 0.6 * scatter[1]),
        range_factor=float(typical.range_factor**strength * np.exp(0.06 * scatter[2])),
        gain_db=float(typical.gain_db * strength + 1.0 * scatter[3]),
        tilt_db=float(typical.tilt_db * strength + 0.8 * scatter[4]),
        formant_factor=typical.formant_factor,
        drive=typical.drive * float(strength),
        sway=typical.sway * float(strength),
        fall=typical.fall * float(strength),
    )


def colour_of(emotion: Emotion, cue: Cue) -> Emotion:
    """How the voice of a turn sounds: its emotion, or level when only the words carry it."""
    return "neutral" if cue == "words" else emotion
