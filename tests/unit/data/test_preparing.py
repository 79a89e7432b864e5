import math
from collections.abc import Callable
from typing import final

import attrs
import pytest
import torch
from torch import Tensor

from vietmer_core.data.preparing import fewest_samples, prepare_audio, prepare_text, samples_added
from vietmer_core.errors import DataError
from vietmer_core.frontends import Frontends
from vietmer_core.protocols import AudioFrontend, PadsShortAudio

RATE = 16_000
PLACE = "train.jsonl:3"


@final
@attrs.frozen(kw_only=True)
class Windows:
    """Uncentred windows, one number each; with `fill` in every one."""

    window: int = 400
    hop: int = 160
    sampling_rate: int = RATE
    fill: float = 1.0

    def num_frames(self, num_samples: int, /) -> int:
        return 0 if num_samples < self.window else 1 + (num_samples - self.window) // self.hop

    def __call__(self, waveform: Tensor, /) -> Tensor:
        return torch.full((self.num_frames(len(waveform)), 1), self.fill)


@final
@attrs.frozen(kw_only=True)
class PaddingWindows:
    """The same, with short waveforms lengthened to one window."""

    windows: Windows = attrs.field(factory=Windows)
    sampling_rate: int = RATE

    def num_frames(self, num_samples: int, /) -> int:
        return self.windows.num_frames(num_samples + self.samples_added(num_samples))

    def samples_added(self, num_samples: int, /) -> int:
        return max(0, self.windows.window - num_samples) if num_samples else 0

    def __call__(self, waveform: Tensor, /) -> Tensor:
        return torch.ones(self.num_frames(len(waveform)), 1)


@final
class Refusing:
    """Frontends of both modalities that know nothing."""

    sampling_rate = RATE

    def num_frames(self, num_samples: int, /) -> int:
        return num_samples

    def tokens_cut(self, _: str, /) -> int:
        return 0

    def __call__(self, given: object, /) -> Tensor:
        if not len(given):  # type: ignore[arg-type]  # a transcript or a waveform
            return torch.zeros(0, 1)
        raise DataError("the transcript holds nothing that the vocabulary knows.")


def refusal(frontend: AudioFrontend, waveform: Tensor) -> str:
    with pytest.raises(DataError) as caught:
        prepare_audio(Frontends(text=None, audio=frontend), waveform, place=PLACE)
    return str(caught.value)


def sound(num_samples: int) -> Tensor:
    return torch.linspace(-1, 1, num_samples)


def test_sound_gives_its_frames_and_none_gives_none() -> None:
    frontends = Frontends(text=None, audio=Windows())
    assert prepare_audio(frontends, sound(720), place=PLACE).shape == (3, 1)
    assert prepare_audio(frontends, torch.zeros(0), place=PLACE).shape == (0, 1)


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
def test_silence_is_refused(value: float) -> None:
    assert refusal(Windows(), torch.full((1600,), value)) == (
        f"{PLACE}: the audio must hold sound, but each of its 1600 samples is {value:g} instead. "
        "Leave the row out, or set its `wav_path` to null."
    )


def test_one_sample_apart_is_sound() -> None:
    waveform = torch.zeros(400)
    waveform[7] = 1e-4
    assert len(prepare_audio(Frontends(text=None, audio=Windows()), waveform, place=PLACE)) == 1


@pytest.mark.parametrize("waveform", [sound(399), torch.zeros(399), torch.ones(1)])
def test_short_audio_is_refused_with_how_much_is_needed(waveform: Tensor) -> None:
    milliseconds = 1000 * len(waveform) / RATE
    assert refusal(Windows(), waveform) == (
        f"{PLACE}: the audio must be long enough for one frame, but lasts {milliseconds:.1f} ms instead. "
        "At least 25 ms are needed. Leave the row out, or set its `wav_path` to null."
    )


def test_a_frontend_that_cannot_tell_is_not_asked_for_ever() -> None:
    said = refusal(Windows(window=RATE * 61), sound(1600))
    assert "but lasts 100.0 ms instead. Leave the row out" in said


@pytest.mark.parametrize("window", [1, 2, 399, 400, 401, RATE * 60])
def test_the_fewest_samples_are_found(window: int) -> None:
    frontend = Windows(window=window)
    found = fewest_samples(frontend)
    assert found == window
    assert frontend.num_frames(window) == 1
    assert frontend.num_frames(window - 1) == 0


def test_a_frontend_that_pads_is_asked_how_much_it_added() -> None:
    frontend = PaddingWindows()
    assert isinstance(frontend, PadsShortAudio)
    assert not isinstance(Windows(), PadsShortAudio)
    assert fewest_samples(frontend) == 1
    assert prepare_audio(Frontends(text=None, audio=frontend), sound(100), place=PLACE).shape == (1, 1)
    assert [samples_added(frontend, number) for number in (0, 100, 400, 9000)] == [0, 300, 0, 0]
    assert samples_added(Windows(), 100) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_that_are_not_finite_are_refused(value: float) -> None:
    said = refusal(Windows(fill=value), sound(1600))
    assert said == f"{PLACE}: the audio must give finite features, but some are not. Check the file."


@pytest.mark.parametrize(
    "prepare",
    [
        lambda: prepare_text(Refusing(), "🙂🙂", place=PLACE),
        lambda: prepare_audio(Frontends(text=None, audio=Refusing()), sound(100), place=PLACE),
    ],
)
def test_what_a_frontend_refuses_gets_the_place_of_its_row(prepare: Callable[[], Tensor]) -> None:
    with pytest.raises(DataError, match=r"^train\.jsonl:3: the transcript holds nothing that the vocabulary knows\.$"):
        prepare()


def test_a_transcript_of_no_row_has_no_place() -> None:
    with pytest.raises(DataError, match=r"^the transcript holds nothing"):
        prepare_text(Refusing(), "🙂🙂")
    assert len(prepare_text(Refusing(), None)) == 0


def test_audio_needs_a_frontend() -> None:
    with pytest.raises(ValueError, match="`frontends` must have an audio frontend"):
        prepare_audio(Frontends(text=None, audio=None), sound(100), place=PLACE)
