from collections.abc import Callable, Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT
from vietmer_core.audit.fingerprints import RATE, fingerprint
from vietmer_core.audit.listening import Heard
from vietmer_core.audit.matching import MAX_BIT_ERROR_RATE, near_copies

Waveform = NDArray[np.float32]
Speech = Callable[..., Waveform]


def heard(waveforms: Sequence[Waveform], *, digests: Sequence[int] | None = None) -> Heard:
    prints = [fingerprint(soxr.resample(waveform, 16_000, RATE)) for waveform in waveforms]
    ends = np.cumsum([len(one.bits) for one in prints])
    count = len(waveforms)
    return Heard(
        decoded=np.ones(count, dtype=np.bool_),
        silent=np.zeros(count, dtype=np.bool_),
        samples=np.array(digests or range(1, count + 1), dtype=np.int64),
        measures={},
        bits=np.concatenate([one.bits for one in prints]),
        active=np.concatenate([one.active for one in prints]),
        spans=np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1),
        faults={},
    )


def pairs(found: Heard) -> list[tuple[int, int]]:
    return [(match.first, match.second) for match in near_copies(found)]


def test_changed_copies_are_found_and_nothing_else(speech: Speech) -> None:
    clips = [speech(seed) for seed in range(12)]
    clips += [clips[3] * np.float32(0.2), clips[7][800:], np.concatenate([speech(99, seconds=1.0), clips[5]])]
    matches = near_copies(heard(clips))
    assert [(match.first, match.second) for match in matches] == [(3, 12), (5, 14), (7, 13)]
    assert all(match.bit_error_rate < MAX_BIT_ERROR_RATE / 2 for match in matches)
    offsets = [round(match.offset, 2) for match in matches]
    assert offsets[0] == 0
    assert abs(offsets[1] + 1.0) < 0.02  # the first stands one second later in the second
    assert abs(offsets[2] - 0.05) < 0.02


def test_rows_of_equal_samples_are_looked_at_once(speech: Speech) -> None:
    clip = speech(1)
    assert pairs(heard([clip, clip, speech(2)], digests=[5, 5, 6])) == []
    assert pairs(heard([clip, clip, clip * np.float32(0.5)], digests=[5, 5, 6])) == [(0, 2)]


def test_silent_rows_and_rows_without_audio_are_no_copies(speech: Speech) -> None:
    clip = speech(1)
    assert pairs(heard([clip, clip * np.float32(0.5)], digests=[ABSENT, 6])) == []


def test_a_clip_too_short_to_tell_is_no_copy(speech: Speech) -> None:
    clip = speech(1)[2000:10_000]  # half a second
    assert pairs(heard([clip, clip * np.float32(0.5)])) == []


def test_nothing_is_heard_of_nothing() -> None:
    empty = Heard(
        decoded=np.zeros(2, dtype=np.bool_),
        silent=np.zeros(2, dtype=np.bool_),
        samples=np.zeros(2, dtype=np.int64),
        measures={},
        bits=np.zeros(0, dtype=np.uint32),
        active=np.zeros(0, dtype=np.bool_),
        spans=np.zeros((2, 2), dtype=np.int64),
        faults={},
    )
    assert near_copies(empty) == []


def test_many_copies_of_one_clip_are_joined_without_comparing_all(speech: Speech) -> None:
    clip = speech(4)
    copies = [clip * np.float32(0.9**number) for number in range(40)]
    joined = {0}
    for first, second in pairs(heard(copies)):
        if first in joined:
            joined.add(second)
    assert joined == set(range(40))
