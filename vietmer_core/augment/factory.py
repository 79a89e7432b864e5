"""From the section `augment.waveform` of a spec to what it names. Torch-free."""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from vietmer_core.augment.band import Band
from vietmer_core.augment.codec import TelephoneCodec
from vietmer_core.augment.gain import Gain
from vietmer_core.augment.noise import AddedNoise, NoiseSource
from vietmer_core.augment.noise_colours import SLOPES, ColouredNoise
from vietmer_core.augment.noise_recordings import RecordedNoise
from vietmer_core.augment.operation import WaveformOperation
from vietmer_core.augment.pipeline import DrawnOperation, WaveformAugmentation
from vietmer_core.augment.speed import Speed
from vietmer_core.errors import AssemblyError, DataError
from vietmer_core.spec_augmentation import AugmentSpec, BandSpec, CodecSpec, GainSpec, NoiseSpec, SpeedSpec

_Build = Callable[..., WaveformOperation]


def waveform_augmentation(spec: AugmentSpec, *, sampling_rate: int, seed: int) -> WaveformAugmentation | None:
    """The operations of a spec; None where there are none.

    Args:
        spec: The section `augment`.
        sampling_rate: Of the audio frontend, Hz.
        seed: Of the run's augmentation.

    Raises:
        AssemblyError: if an operation does not go with the rate, or a folder of noise cannot be used.
    """
    seen: Counter[str] = Counter()
    operations = []
    for place, operation in enumerate(spec.waveform):
        try:
            built = _BUILDERS[operation.kind](operation, sampling_rate)
        except (DataError, AssemblyError) as error:
            raise AssemblyError(f"`augment.waveform.{place}`: {error}") from None
        name = f"{operation.kind}.{seen[operation.kind]}"
        seen[operation.kind] += 1
        operations.append(DrawnOperation(name=name, probability=operation.probability, operation=built))
    return WaveformAugmentation(operations=tuple(operations), seed=seed) if operations else None


def _noise(spec: NoiseSpec, sampling_rate: int) -> WaveformOperation:
    colours = spec.colours or (() if spec.folder is not None else tuple(SLOPES))
    sources: list[NoiseSource] = [ColouredNoise(colour=colour, sampling_rate=sampling_rate) for colour in colours]
    if spec.folder is not None:
        sources.append(RecordedNoise.in_folder(spec.folder, sampling_rate=sampling_rate))
    return AddedNoise(snr_db=spec.snr_db, sources=tuple(sources))


def _codec(spec: CodecSpec, sampling_rate: int) -> WaveformOperation:
    return TelephoneCodec(codecs=spec.codecs, sampling_rate=sampling_rate)


def _band(spec: BandSpec, sampling_rate: int) -> WaveformOperation:
    if spec.highest_hz >= sampling_rate / 2:
        raise AssemblyError(
            f"`highest_hz` must lie below half the rate of the audio frontend ({sampling_rate / 2:g} Hz), but is "
            f"{spec.highest_hz:g} instead."
        )
    return Band.between(spec.lowest_hz, spec.highest_hz, order=spec.order, sampling_rate=sampling_rate)


def _speed(spec: SpeedSpec, _: int) -> WaveformOperation:
    return Speed(factor=spec.factor)


def _gain(spec: GainSpec, _: int) -> WaveformOperation:
    return Gain(gain_db=spec.gain_db)


_BUILDERS: Final[Mapping[str, _Build]] = MappingProxyType(
    {"noise": _noise, "codec": _codec, "band": _band, "speed": _speed, "gain": _gain}
)
