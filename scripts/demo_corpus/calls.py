"""The design of the corpus: which speaker makes which call, and what each turn must convey.

Every speaker makes four calls of eight turns. A call holds each emotion twice, in random order, so neither the
speaker, the recording nor the position tells the label.
"""

from typing import Final, Literal

import attrs
import numpy as np
from delivery import EMOTIONS, Cue, Emotion
from speakers import SPEAKERS, SPLITS, Speaker, Split

Band = Literal["wideband", "telephone"]
Noise = Literal["none", "hiss", "hum", "babble"]

CALLS_PER_SPEAKER: Final = 4
TURNS_PER_CALL: Final = 8
CUES_OF_SPEAKER: Final[tuple[tuple[Cue, ...], ...]] = (
    ("voice",) * 3 + ("words",) * 3 + ("both",) * 2,
    ("voice",) * 4 + ("words",) * 3 + ("both",),
    ("voice",) * 3 + ("words",) * 3 + ("both",) * 2,
    ("voice",) * 3 + ("words",) * 4 + ("both",),
)
"""Cues of a speaker's eight turns of one emotion; dealt round, 41 % voice, 41 % words, 19 % both."""

BANDS: Final[tuple[Band, ...]] = ("wideband", "telephone", "wideband", "telephone", "wideband")
NOISES: Final[tuple[tuple[Noise, float], ...]] = (
    ("none", 45.0),
    ("hiss", 25.0),
    ("babble", 18.0),
    ("hum", 20.0),
    ("none", 45.0),
    ("hiss", 14.0),
    ("babble", 25.0),
)
"""Kind of background and its ratio to level speech, in dB."""


@attrs.frozen
class Turn:
    """One go of the customer: one utterance."""

    turn_index: int
    emotion: Emotion
    cue: Cue


@attrs.frozen
class Call:
    """One call: one recording."""

    call_id: str
    speaker: Speaker
    turns: tuple[Turn, ...]
    band: Band
    noise: Noise
    snr_db: float
    gain_db: float


def _turns_of_speaker(order: int, *, rng: np.random.Generator) -> list[list[tuple[Emotion, Cue]]]:
    """The turns of each call of the speaker who is number `order` of a split."""
    per_call = TURNS_PER_CALL // len(EMOTIONS)
    calls: list[list[tuple[Emotion, Cue]]] = [[] for _ in range(CALLS_PER_SPEAKER)]
    for position, emotion in enumerate(EMOTIONS):
        cues = CUES_OF_SPEAKER[(order + position) % len(CUES_OF_SPEAKER)]
        dealt = [cues[index] for index in rng.permutation(len(cues))]
        for number, call in enumerate(calls):
            call.extend((emotion, cue) for cue in dealt[number * per_call : (number + 1) * per_call])
    return [[call[index] for index in rng.permutation(len(call))] for call in calls]


def _conditions(count: int, *, rng: np.random.Generator) -> list[tuple[Band, Noise, float, float]]:
    """Band, background, its ratio and the recording gain of `count` calls, each kind in its share."""
    bands = [BANDS[index % len(BANDS)] for index in rng.permutation(count)]
    noises = [NOISES[index % len(NOISES)] for index in rng.permutation(count)]
    gains = rng.uniform(-1.5, 1.5, size=count)
    return [
        (band, noise, snr_db, round(float(gain), 2))
        for band, (noise, snr_db), gain in zip(bands, noises, gains, strict=True)
    ]


def _calls_of_split(split: Split, *, first: int, rng: np.random.Generator) -> list[Call]:
    speakers = [speaker for speaker in SPEAKERS if speaker.split == split]
    conditions = _conditions(len(speakers) * CALLS_PER_SPEAKER, rng=rng)
    calls: list[Call] = []
    for order, speaker in enumerate(speakers):
        for dealt in _turns_of_speaker(order, rng=rng):
            turns = tuple(Turn(index, emotion, cue) for index, (emotion, cue) in enumerate(dealt))
            calls.append(Call(f"call_{first + len(calls):04d}", speaker, turns, *conditions[len(calls)]))
    return calls


def plan_calls(*, rng: np.random.Generator) -> list[Call]:
    """Every call of the corpus, in the order of its number."""
    calls: list[Call] = []
    for split in SPLITS:
        calls.extend(_calls_of_split(split, first=len(calls) + 1, rng=rng))
    return calls
