"""Codecs of the telephone network. Torch-free."""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import attrs
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from vietmer_core.augment.operation import Waveform
from vietmer_core.data.audio import RESAMPLING_QUALITY
from vietmer_core.spec_augmentation import Codec

TELEPHONE_RATE: Final = 8_000
"""Hz."""
SUBTYPES: Final[Mapping[Codec, str]] = MappingProxyType(
    {"g711_mulaw": "ULAW", "g711_alaw": "ALAW", "gsm": "GSM610"},
)
"""Names of libsndfile: ITU-T G.711 µ-law and A-law, ETSI GSM 06.10 full rate."""
_FULL_SCALE: Final = 32_768


@final
@attrs.frozen(kw_only=True)
class TelephoneCodec:
    """A round trip through a codec at 8 kHz; as many samples come out as went in, in time with them.

    The waveform is resampled to 8 kHz, rounded and clipped to 16 bit, encoded and decoded by libsndfile in memory, and
    resampled back. soxr's filters have linear phase and their delay is taken off; G.711 has none, and GSM 06.10 codes
    blocks of 20 ms without looking ahead.

    Attributes:
        codecs: To choose from.
        sampling_rate: Of the waveforms, Hz.
    """

    codecs: tuple[Codec, ...]
    sampling_rate: int

    def __call__(self, waveform: Waveform, numbers: np.random.Generator, /) -> Waveform:
        """`(samples,)` → `(samples,)`."""
        codec = self.codecs[numbers.integers(len(self.codecs))]
        decoded = round_trip(self._resampled(waveform, self.sampling_rate, TELEPHONE_RATE), codec)
        coded = self._resampled(decoded, TELEPHONE_RATE, self.sampling_rate)
        return np.pad(coded, (0, max(0, len(waveform) - len(coded))))[: len(waveform)]  # rounding: a sample at most

    @staticmethod
    def _resampled(waveform: Waveform, rate: int, wanted: int) -> Waveform:
        if rate == wanted:
            return waveform
        resampled: Waveform = soxr.resample(waveform, rate, wanted, quality=RESAMPLING_QUALITY)
        return resampled


def round_trip(waveform: Waveform, codec: Codec) -> Waveform:
    """A waveform `(samples,)` at 8 kHz, encoded and decoded again: `(samples,)`."""
    linear = np.clip(np.rint(waveform.astype(np.float64) * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    form = {"format": "RAW", "subtype": SUBTYPES[codec]}
    with io.BytesIO() as coded:
        soundfile.write(coded, linear.astype(np.int16), TELEPHONE_RATE, **form)
        coded.seek(0)
        decoded: NDArray[np.int16]
        decoded, _ = soundfile.read(coded, dtype="int16", samplerate=TELEPHONE_RATE, channels=1, **form)
    return (decoded[: len(waveform)] / np.float32(_FULL_SCALE)).astype(np.float32)  # GSM fills its last block
