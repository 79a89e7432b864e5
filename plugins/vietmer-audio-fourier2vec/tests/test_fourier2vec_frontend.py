import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.transforms import MelSpectrogram
from vietmer_audio_fourier2vec.frontend import LogMelFrontend
from vietmer_audio_fourier2vec.plugin import Fourier2VecParams, build_frontend


def frontend_of(params: Fourier2VecParams | None = None) -> LogMelFrontend:
    frontend = build_frontend(params or Fourier2VecParams())
    assert isinstance(frontend, LogMelFrontend)
    return frontend


def noise(num_samples: int, *, seed: int = 0) -> Tensor:
    return 0.2 * torch.randn(num_samples, generator=torch.Generator().manual_seed(seed))


def mel_of_hertz(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def triangles() -> NDArray[np.float64]:
    """(257 bins, 64 bands): triangles of height 1 between neighbouring edges, equally spaced on the HTK scale."""
    bins = np.arange(257) * 16_000 / 512
    edges = 700 * (10 ** (np.linspace(mel_of_hertz(125), mel_of_hertz(7500), 66) / 2595) - 1)
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def log_mel_by_formula(waveform: Tensor) -> NDArray[np.float64]:
    samples = waveform.double().numpy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    starts = range(0, len(samples) - 399, 160)
    spectrum = np.abs(np.fft.rfft([samples[start : start + 400] * window for start in starts], n=512))
    return np.log(spectrum @ triangles() + 0.01)


@pytest.mark.parametrize("num_samples", [400, 559, 560, 15_600, 16_123])
def test_frames_equal_the_formula(num_samples: int) -> None:
    waveform = noise(num_samples) + 0.3 * torch.sin(torch.arange(num_samples) * 0.1)
    found = frontend_of()(waveform)
    np.testing.assert_allclose(found.numpy(), log_mel_by_formula(waveform), rtol=0, atol=2e-5)


def test_the_comparison_sees_a_wrong_figure() -> None:
    waveform = noise(3_000)
    wrong = frontend_of(Fourier2VecParams(highest_hz=7_600.0))(waveform)
    assert np.abs(wrong.numpy() - log_mel_by_formula(waveform)).max() > 0.01


def test_one_second_of_vggish_has_its_96_frames() -> None:
    assert frontend_of().num_frames(15_600) == 96


@given(num_samples=st.integers(0, 6_000))
def test_frame_count_is_exact(num_samples: int) -> None:
    frontend = frontend_of()
    expected = 0 if num_samples < 400 else 1 + (num_samples - 400) // 160
    assert frontend.num_frames(num_samples) == expected
    assert frontend(torch.zeros(num_samples)).shape == (expected, 64)


@given(num_samples=st.integers(400, 8_000), seed=st.integers(0, 9))
def test_frames_do_not_depend_on_what_follows(num_samples: int, seed: int) -> None:
    frontend, waveform = frontend_of(), noise(8_000, seed=seed)
    prefix = frontend(waveform[:num_samples])
    assert torch.equal(prefix, frontend(waveform)[: len(prefix)])


def test_centred_frames_would_depend_on_what_follows() -> None:
    centred = MelSpectrogram(n_fft=512, win_length=400, hop_length=160, f_min=125, f_max=7500, n_mels=64, power=1.0)
    waveform = noise(8_000)
    prefix = centred(waveform[:4_000])
    assert (prefix - centred(waveform)[:, : prefix.shape[1]]).abs().max() > 0.1


@pytest.mark.parametrize("normalise", ["none", "utterance_mean", "utterance"])
def test_normalisation(normalise: str) -> None:
    frontend = frontend_of(Fourier2VecParams.model_validate({"normalise": normalise}))
    quiet, loud = frontend(0.5 * noise(16_000)), frontend(2 * noise(16_000))
    is_centred = bool(loud.mean(dim=0).abs().max() < 1e-4)
    has_unit_deviation = bool((loud.square().mean(dim=0) - 1).abs().max() < 1e-3)
    assert (is_centred, has_unit_deviation) == (normalise != "none", normalise == "utterance")
    keeps_loudness = bool((loud - quiet).mean() > 0.5)
    assert keeps_loudness == (normalise == "none")


def test_silence_stays_finite_when_normalised() -> None:
    frontend = frontend_of(Fourier2VecParams(normalise="utterance"))
    torch.testing.assert_close(frontend(torch.zeros(2_000)), torch.zeros(11, 64), rtol=0, atol=1e-6)


def test_another_rate_keeps_the_seconds() -> None:
    frontend = frontend_of(Fourier2VecParams(sampling_rate=8_000, highest_hz=3_800.0, n_fft=256, num_mels=40))
    assert frontend.sampling_rate == 8_000
    assert frontend(noise(8_000)).shape == (1 + (8_000 - 200) // 80, 40)


def test_a_used_frontend_pickles_to_its_figures_alone() -> None:
    frontend = frontend_of()
    before = frontend(noise(1_000))
    packed = pickle.dumps(frontend)
    assert len(packed) < 600
    assert torch.equal(pickle.loads(packed)(noise(1_000)), before)  # noqa: S301  # our own bytes


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
        frontend_of()(waveform)
