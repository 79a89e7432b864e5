"""Decoding every segment once: its digest, its fingerprint and its measures. Torch-free.

Memory: 290 bytes a second of audio for the fingerprint, 80 bytes a row, and the samples of one segment at a time.
"""

import hashlib
from array import array
from collections.abc import Callable
from typing import Final

import attrs
import numpy as np
import soxr
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, AuditRows
from vietmer_core.audit.fingerprints import RATE, fingerprint
from vietmer_core.audit.measures import Measures, is_silent, measure
from vietmer_core.data.audio import RESAMPLING_QUALITY, Channel, audio_info, read_segment
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError

Progress = Callable[[int, int], None]
"""Called with the number of segments decoded and of all."""

MEASURES: Final = tuple(field.name for field in attrs.fields(Measures))


@attrs.frozen(kw_only=True, eq=False)
class Heard:
    """What the audio of each row is; columns `(rows,)`.

    Attributes:
        decoded: Whether it was decoded.
        silent: Whether every sample is equal.
        samples: Digest of the samples; `ABSENT` where there are none or they are silent.
        measures: Columns by name of `Measures`, NaN where the audio is absent or silent.
        bits: Fingerprints of all rows, one after another.
        active: Whether each of their frames is louder than silence.
        spans: `(rows, 2)` where the fingerprint of each row begins and ends in `bits`.
        faults: The sentence for each row that could not be decoded.
    """

    decoded: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    samples: NDArray[np.int64]
    measures: dict[str, NDArray[np.float64]]
    bits: NDArray[np.uint32]
    active: NDArray[np.bool_]
    spans: NDArray[np.int64]
    faults: dict[int, str]


def listen(rows: AuditRows, *, channel: Channel, progress: Progress | None) -> Heard:
    """Decode the audio of every row that has some.

    Args:
        rows: The rows.
        channel: Which channel of a recording of several; a row whose field `channel` is a number has that one.
        progress: Told after each segment.

    Raises:
        DataError: where there is audio, but none of it can be decoded.
    """
    wanted = np.flatnonzero(rows.keys["path"] != ABSENT)
    order = wanted[np.lexsort((rows.position[wanted], rows.split[wanted]))]  # as they lie in the files
    ears = _Ears(len(rows))
    for done, row in enumerate(order.tolist()):
        ears.hear(row, rows.read(row), channel)
        if progress is not None:
            progress(done + 1, len(order))
    if len(order) and len(ears.faults) == len(order):
        first = ears.faults[int(order[0])]
        raise DataError(f"no audio can be decoded. {first} Or leave the audio out of the audit (`--no-audio`).")
    return ears.heard()


class _Ears:
    """What has been heard so far."""

    def __init__(self, num_rows: int) -> None:
        self.faults: dict[int, str] = {}
        self._decoded = np.zeros(num_rows, dtype=np.bool_)
        self._silent = np.zeros(num_rows, dtype=np.bool_)
        self._samples = np.full(num_rows, ABSENT, dtype=np.int64)
        self._measures = {name: np.full(num_rows, np.nan) for name in MEASURES}
        self._bits, self._active = array("I"), array("B")
        self._spans = np.zeros((num_rows, 2), dtype=np.int64)

    def hear(self, row: int, utterance: Utterance, channel: Channel) -> None:
        try:
            samples, rate = _read(utterance, channel)
        except DataError as error:
            self.faults[row] = f"{utterance.place}: {error}"
            return
        self._decoded[row] = True
        self._silent[row] = is_silent(samples)
        if self._silent[row]:
            return
        content = hashlib.blake2b(np.ascontiguousarray(samples).tobytes(), digest_size=8).digest()
        self._samples[row] = int(np.frombuffer(content, dtype=np.int64)[0]) or 1
        for name, value in attrs.asdict(measure(samples, rate)).items():
            self._measures[name][row] = value
        resampled = samples if rate == RATE else soxr.resample(samples, rate, RATE, quality=RESAMPLING_QUALITY)
        found = fingerprint(resampled)
        self._spans[row] = len(self._bits), len(self._bits) + len(found.bits)
        self._bits.frombytes(found.bits.tobytes())
        self._active.frombytes(found.active.astype(np.uint8).tobytes())

    def heard(self) -> Heard:
        bits = np.frombuffer(self._bits, dtype=np.uint32) if self._bits else np.zeros(0, dtype=np.uint32)
        active = np.frombuffer(self._active, dtype=np.bool_) if self._active else np.zeros(0, dtype=np.bool_)
        return Heard(
            decoded=self._decoded,
            silent=self._silent,
            samples=self._samples,
            measures=self._measures,
            bits=bits,
            active=active,
            spans=self._spans,
            faults=self.faults,
        )


def _read(utterance: Utterance, channel: Channel) -> tuple[NDArray[np.float32], int]:
    """The samples of a segment at the rate of its file, and the rate."""
    assert utterance.wav_path is not None
    info = audio_info(utterance.wav_path)
    own = utterance.metadata.get("channel")
    if info.num_channels > 1 and type(own) is int and 0 <= own < info.num_channels:
        channel = own
    if info.num_channels == 1 and channel != "mono":
        channel = "mix"
    samples = read_segment(
        utterance.wav_path,
        start=utterance.start,
        end=utterance.end,
        channel=channel,
        sampling_rate=info.sampling_rate,
    )
    return samples, info.sampling_rate
