"""The section `augment` of a spec: what is changed of an utterance in training, and how often. Torch-free."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from vietmer_core.components import Modality
from vietmer_core.spec_fields import Fault, FilePath, located, not_a_switch, stated
from vietmer_core.spec_training import Strict
from vietmer_core.spec_wording import shown

KINDS: Final = ("noise", "codec", "band", "speed", "gain")

Colour = Literal["white", "pink", "brown"]
Codec = Literal["g711_mulaw", "g711_alaw", "gsm"]

Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(not_a_switch)]
"""A share of the utterances."""
_Decibels = Annotated[float, Field(ge=-100, le=100), BeforeValidator(not_a_switch)]
_Factor = Annotated[float, Field(ge=0.5, le=2), BeforeValidator(not_a_switch)]
_Hertz = Annotated[float, Field(gt=0), BeforeValidator(not_a_switch)]
_Order = Annotated[int, Field(ge=1, le=12), BeforeValidator(not_a_switch)]


def _two(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise PydanticCustomError("pair", "a list of two numbers, [lowest, highest]")
    return value


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    lowest, highest = bounds
    if lowest > highest:
        raise stated(f"must hold the lower number first, but holds {lowest:g} before {highest:g}.")
    return bounds


def _all_different(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    faults: list[Fault] = [
        ((index,), f"`{name}` stands in the list already.")
        for index, name in enumerate(names or ())
        if name in (names or ())[:index]
    ]
    if faults:
        raise located(faults)
    return names


_DecibelRange = Annotated[tuple[_Decibels, _Decibels], BeforeValidator(_two), AfterValidator(_rising)]
_FactorRange = Annotated[tuple[_Factor, _Factor], BeforeValidator(_two), AfterValidator(_rising)]


class ModalityDropoutSpec(Strict):
    """Modality dropout: a share of the utterances that have both modalities is trained with one of them removed.

    Attributes:
        text: Share that loses its text.
        audio: Share that loses its audio. No utterance loses both, so the two shares are at most 1 together.
    """

    text: Share = 0.0
    audio: Share = 0.0

    @model_validator(mode="after")
    def _never_both(self) -> "ModalityDropoutSpec":
        if self.text + self.audio > 1:
            raise stated(
                f"`text` and `audio` must be at most 1 together, since no utterance loses both modalities, but are "
                f"{self.text:g} and {self.audio:g} instead."
            )
        return self


def dropped_in_vain(
    spec: ModalityDropoutSpec, fusion: str, modalities: Collection[Modality]
) -> Iterator[tuple[str, str]]:
    """The rates that no utterance can meet, since the fusion does not read both modalities: field and sentence."""
    if set(modalities) == set(Modality):
        return
    read = ", ".join(sorted(modalities))
    for field, rate in (("text", spec.text), ("audio", spec.audio)):
        if rate:
            sentence = (
                f"must be 0, since `fusion: {fusion}` reads {read} alone, so that nothing would be left of an "
                f"utterance, but is {rate:g} instead."
            )
            yield field, sentence


class NoiseSpec(Strict):
    """Noise added at a ratio of signal to noise that is taken over the utterance's own samples.

    Attributes:
        kind: `noise`.
        probability: Share of the utterances that are changed.
        snr_db: Lowest and highest ratio of signal to noise, dB; each utterance draws one, uniformly.
        colours: Generated noises to choose from; null takes all three, or none where there is a `folder`.
        folder: Of recordings of noise, searched with its subfolders; beside colours it is one more choice.
    """

    kind: Literal["noise"]
    probability: Share = 0.5
    snr_db: _DecibelRange = (5.0, 25.0)
    colours: Annotated[tuple[Colour, ...], Field(min_length=1), AfterValidator(_all_different)] | None = None
    folder: FilePath | None = None


class CodecSpec(Strict):
    """A round trip through a codec of the telephone network, at 8 kHz.

    Attributes:
        kind: `codec`.
        probability: Share of the utterances that are changed.
        codecs: To choose from: G.711 µ-law, G.711 A-law, GSM 06.10 full rate.
    """

    kind: Literal["codec"]
    probability: Share = 0.5
    codecs: Annotated[tuple[Codec, ...], Field(min_length=1), AfterValidator(_all_different)] = (
        "g711_mulaw",
        "g711_alaw",
        "gsm",
    )


class BandSpec(Strict):
    """The band of a telephone line: a Butterworth band-pass.

    Attributes:
        kind: `band`.
        probability: Share of the utterances that are changed.
        lowest_hz: Lower edge, where 3 dB are lost, Hz.
        highest_hz: Upper edge, where 3 dB are lost, Hz.
        order: Of each slope, which tends to 6 dB an octave times the order.
    """

    kind: Literal["band"]
    probability: Share = 0.5
    lowest_hz: _Hertz = 300.0
    highest_hz: _Hertz = 3400.0
    order: _Order = 4

    @model_validator(mode="after")
    def _has_width(self) -> "BandSpec":
        if self.lowest_hz >= self.highest_hz:
            message = f"must lie below `highest_hz` ({self.highest_hz:g}), but is {self.lowest_hz:g} instead."
            raise located([(("lowest_hz",), message)])
        return self


class SpeedSpec(Strict):
    """Another speed, by resampling: duration and pitch change together (Ko et al. 2015).

    Attributes:
        kind: `speed`.
        probability: Share of the utterances that are changed.
        factor: Lowest and highest factor; each utterance draws one, uniformly. 1.1 is a tenth faster and higher.
    """

    kind: Literal["speed"]
    probability: Share = 0.5
    factor: _FactorRange = (0.9, 1.1)


class GainSpec(Strict):
    """Another loudness, clipped to [-1, 1].

    Attributes:
        kind: `gain`.
        probability: Share of the utterances that are changed.
        gain_db: Lowest and highest gain, dB; each utterance draws one, uniformly.
    """

    kind: Literal["gain"]
    probability: Share = 0.5
    gain_db: _DecibelRange = (-6.0, 6.0)


def _of_a_known_kind(value: object) -> object:
    """Refuse an operation without a kind that there is, before its fields are looked at."""
    if isinstance(value, BaseModel):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("component", "a mapping with a `kind`")
    kind = value.get("kind")
    if kind is None:
        raise located([(("kind",), f"is required: one of {', '.join(KINDS)}.")])
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1) if isinstance(kind, str) else []
        remedy = f" Did you mean `{near[0]}`?" if near else ""
        rule = f"must be one of {', '.join(KINDS)}, but is {shown(kind)} instead."
        raise located([(("kind",), f"{rule}{remedy}")])
    return value


OperationSpec = Annotated[
    Annotated[NoiseSpec | CodecSpec | BandSpec | SpeedSpec | GainSpec, Field(discriminator="kind")],
    BeforeValidator(_of_a_known_kind),
]


class AugmentSpec(Strict):
    """What is changed of an utterance in training; nothing by default, and nothing in evaluation.

    Attributes:
        modality_dropout: Shares of the utterances that lose their text, or their audio.
        waveform: Operations on the waveform, in this order.
    """

    modality_dropout: ModalityDropoutSpec = ModalityDropoutSpec()
    waveform: tuple[OperationSpec, ...] = ()

    @property
    def longest_stretch(self) -> float:
        """How many times longer an utterance may become, at least 1."""
        stretch = 1.0
        for operation in self.waveform:
            if isinstance(operation, SpeedSpec) and operation.probability:
                stretch *= max(1.0, 1 / operation.factor[0])
        return stretch
