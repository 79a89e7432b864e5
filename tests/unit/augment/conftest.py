from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

RATE = 16_000
Waveform = NDArray[np.float32]
Voice = Callable[..., Waveform]


def voice_of(seconds: float = 1.0, *, rate: int = RATE, seed: int = 0, level: float = 0.1) -> Waveform:
    """Something like a voice: harmonics of a gliding pitch under a moving envelope, with breath."""
    numbers = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = 140 + 40 * np.sin(2 * np.pi * 0.7 * time + seed)  # Hz
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    harmonics = sum(np.sin(n * phase + n) / n for n in range(1, 20) if n * 180 < rate / 2)
    envelope = 0.2 + np.sin(2 * np.pi * 2.3 * time) ** 2
    voice = harmonics * envelope + 0.02 * numbers.standard_normal(len(time))
    scaled = level * voice / np.sqrt(np.mean(voice**2))
    return np.asarray(scaled, dtype=np.float32)


@pytest.fixture
def voice() -> Voice:
    return voice_of


@pytest.fixture
def numbers() -> np.random.Generator:
    return np.random.default_rng(11)
