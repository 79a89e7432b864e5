import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import pad
from transformers import WhisperFeatureExtractor
from vietmer_audio_whisper.frontend import TAIL_FRAMES, WhisperFrontend

WINDOW = 480_000
FRONTEND = WhisperFrontend(num_mels=80, window_samples=WINDOW)
PADDED = WhisperFrontend(num_mels=80, window_samples=WINDOW, pads_to_window=True)
EXTRACTOR: Any = WhisperFeatureExtractor
REFERENCE = EXTRACTOR(feature_size=80)
Speech = Callable[..., Tensor]


def reference(waveform: Tensor, *, extractor: Any = REFERENCE, cuts: bool = True) -> Tensor:
    """The mel of transformers, `(frames, mels)`: 3,000 frames of 30 s, or all there are."""
    found = extractor(
        waveform.numpy(), sampling_rate=16_000, return_tensors="pt", truncation=cuts, padding="max_length"
    )
    mels: Tensor = found["input_features"][0].T  # (frames, mels)
    return mels


def gap(frontend: WhisperFrontend, waveform: Tensor) -> float:
    """Largest difference from transformers on the frames that stand on the clip's own samples."""
    num_real = -(-len(waveform) // 160)
    return float((frontend(waveform)[:num_real] - reference(waveform)[:num_real]).abs().max())


@pytest.mark.parametrize("first", range(0, 160, 8))
def test_frames_equal_those_of_transformers_wherever_in_the_hop_the_clip_ends(speech: Speech, first: int) -> None:
    for remainder in range(first, first + 8):
        num_samples = 160 * (3 + 7 * (remainder % 5)) + remainder
        assert gap(FRONTEND, speech(2.0, seed=remainder)[:num_samples]) == 0.0


@pytest.mark.parametrize("num_samples", [400, 401, 2_399, 16_000, 48_077, 159_840, 300_123, WINDOW - 41])
def test_frames_of_many_lengths_equal_those_of_transformers(speech: Speech, num_samples: int) -> None:
    waveform = speech(30.0)[-num_samples:]
    assert gap(FRONTEND, waveform) == 0.0
    assert len(FRONTEND(waveform)) == -(-num_samples // 160)


def test_large_v3_has_128_mels(speech: Speech) -> None:
    frontend = WhisperFrontend(num_mels=128, window_samples=WINDOW)
    waveform = speech(1.7)
    expected = reference(waveform, extractor=EXTRACTOR(feature_size=128))[:170]
    assert torch.equal(frontend(waveform), expected)


@pytest.mark.parametrize("remainder", [0, 130, 159])
def test_without_appended_zeros_the_last_frame_hears_the_clip_mirrored(
    speech: Speech, monkeypatch: pytest.MonkeyPatch, remainder: int
) -> None:
    waveform = speech(1.0)[: 6_400 + remainder]
    assert gap(FRONTEND, waveform) == 0.0
    monkeypatch.setattr(WhisperFrontend, "_transformed_samples", lambda _self, _samples, frames: 160 * frames)
    assert gap(FRONTEND, waveform) > 0


def test_a_clip_that_ends_with_the_30_seconds_is_mirrored_by_transformers_alone(speech: Speech) -> None:
    waveform = speech(30.0)
    difference = (FRONTEND(waveform) - reference(waveform)).abs().amax(dim=1)  # (frames,)
    assert not difference[:-1].any()
    assert difference[-1] > 1e-3
    assert torch.equal(PADDED(waveform)[:3_000], reference(waveform))


@pytest.mark.parametrize("num_samples", [400, 16_000, 33_333, 479_300, 479_700, 479_999, WINDOW])
def test_the_tail_continues_to_the_padded_spectrogram(speech: Speech, num_samples: int) -> None:
    waveform = speech(30.0)[:num_samples]
    frames = PADDED(waveform)
    assert len(frames) == -(-num_samples // 160) + TAIL_FRAMES == PADDED.num_frames(num_samples)
    continued = torch.cat([frames, frames[-1:].expand(3_000, -1)])[:3_000]
    assert torch.equal(continued, reference(waveform))


def test_two_frames_of_tail_would_not_do(speech: Speech) -> None:
    waveform = speech(30.0)[:16_150]
    frames = PADDED(waveform)[:-2]
    continued = torch.cat([frames, frames[-1:].expand(3_000, -1)])[:3_000]
    assert (continued - reference(waveform)).abs().max() > 0.1


@pytest.mark.parametrize("frontend", [FRONTEND, PADDED])
def test_long_audio_has_one_floor_and_no_end(speech: Speech, frontend: WhisperFrontend) -> None:
    waveform = speech(95.03)
    frames = frontend(waveform)[:9_503]
    assert torch.equal(frames, reference(pad(waveform, (0, 640)), cuts=False)[:9_503])
    assert len(frontend(waveform)) == frontend.num_frames(len(waveform))


@given(num_samples=st.integers(0, 6_000), pads=st.booleans(), short=st.booleans())
def test_frame_count_is_exact(num_samples: int, pads: bool, short: bool) -> None:
    frontend = WhisperFrontend(num_mels=8, window_samples=16_000, pads_to_window=pads, pads_short=short)
    lengthened = max(num_samples, 400) if short and num_samples else num_samples
    expected = 0 if lengthened < 400 else -(-lengthened // 160) + 3 * pads
    assert frontend.num_frames(num_samples) == expected
    assert frontend(torch.zeros(num_samples)).shape == (expected, 8)
    assert frontend.samples_added(num_samples) == lengthened - num_samples


def test_a_short_clip_is_continued_with_silence(speech: Speech) -> None:
    frontend = WhisperFrontend(num_mels=80, window_samples=WINDOW, pads_short=True)
    clip = speech(0.01)
    assert torch.equal(frontend(clip), FRONTEND(pad(clip, (0, 240))))
    assert FRONTEND(clip).shape == (0, 80)


def test_a_used_frontend_pickles_to_its_figures_alone(speech: Speech) -> None:
    before = FRONTEND(speech(0.5))
    packed = pickle.dumps(FRONTEND)
    assert len(packed) < 300
    assert torch.equal(pickle.loads(packed)(speech(0.5)), before)  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    ("waveform", "found"),
    [
        (torch.zeros(1, 500), r"float32 of shape \(1, 500\)"),
        (torch.zeros(500, dtype=torch.float64), "float64"),
        (torch.zeros(500, dtype=torch.int16), "int16"),
    ],
)
def test_other_waveforms_are_refused(waveform: Tensor, found: str) -> None:
    with pytest.raises(ValueError, match=rf"`waveform` must be float32 of shape \(samples,\), but is .*{found}"):
        FRONTEND(waveform)
