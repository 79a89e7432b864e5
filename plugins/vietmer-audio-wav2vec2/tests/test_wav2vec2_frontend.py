import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import Wav2Vec2FeatureExtractor
from vietmer_audio_wav2vec2.factory import make_frontend
from vietmer_audio_wav2vec2.frontend import Wav2Vec2Frontend, zero_mean_unit_variance
from vietmer_audio_wav2vec2.params import Wav2Vec2Params

from vietmer_core.data.preparing import prepare_audio
from vietmer_core.errors import CheckpointError, DataError
from vietmer_core.frontends import Frontends
from vietmer_core.protocols import PadsShortAudio

Save = Callable[..., Path]


def frontend(*, normalise: bool = True, pads_short: bool = False) -> Wav2Vec2Frontend:
    return Wav2Vec2Frontend(sampling_rate=16_000, normalise=normalise, fewest_samples=400, pads_short=pads_short)


def noise(num_samples: int) -> Tensor:
    generator = torch.Generator().manual_seed(num_samples)
    return 0.1 * torch.randn(num_samples, generator=generator) + 0.03


@given(num_samples=st.integers(400, 5_000))
def test_one_utterance_is_normalised_bit_for_bit_as_transformers_does(num_samples: int) -> None:
    waveform = noise(num_samples)
    make: Any = Wav2Vec2FeatureExtractor
    expected = make(do_normalize=True)(waveform.numpy(), sampling_rate=16_000)["input_values"][0]
    assert np.array_equal(frontend()(waveform)[:, 0].numpy(), expected)


def test_another_offset_is_seen() -> None:
    waveform = 1e-3 * noise(800)
    other = (waveform - waveform.mean()) / (waveform.var(correction=0) + 1e-5).sqrt()
    assert (frontend()(waveform)[:, 0] - other).abs().max() > 0.1


def test_without_normalisation_samples_pass() -> None:
    waveform = noise(1_000)
    assert torch.equal(frontend(normalise=False)(waveform), waveform[:, None])


def test_silence_stays_finite() -> None:
    assert not frontend()(torch.zeros(1_000)).any()
    assert torch.isfinite(frontend()(torch.full((1_000,), 0.25))).all()


@given(num_samples=st.integers(0, 900))
def test_short_audio_gives_nothing_or_one_frame(num_samples: int) -> None:
    refusing, padding = frontend(), frontend(pads_short=True)
    is_short = 0 < num_samples < 400
    assert len(refusing(noise(num_samples))) == refusing.num_frames(num_samples) == num_samples * (num_samples >= 400)
    assert refusing.samples_added(num_samples) == 0
    assert padding.samples_added(num_samples) == (400 - num_samples) * is_short
    assert len(padding(noise(num_samples))) == padding.num_frames(num_samples) == max(num_samples, 400 * is_short)


def test_short_audio_is_normalised_over_its_own_samples_and_then_padded() -> None:
    waveform = noise(250)
    padded = frontend(pads_short=True)(waveform)[:, 0]
    assert torch.equal(padded[:250], torch.from_numpy(zero_mean_unit_variance(waveform.numpy())))
    assert not padded[250:].any()
    normalised_after = zero_mean_unit_variance(torch.nn.functional.pad(waveform, (0, 150)).numpy())
    assert np.abs(normalised_after[:250] - padded[:250].numpy()).max() > 0.1


def test_padding_is_counted_by_the_protocol() -> None:
    assert isinstance(frontend(pads_short=True), PadsShortAudio)


def test_audio_under_25_ms_is_refused_with_a_sentence() -> None:
    frontends = Frontends(text=None, audio=frontend())
    with pytest.raises(DataError, match=r"row 3: the audio must be long enough for one frame.* lasts 24.9 ms instead"):
        prepare_audio(frontends, noise(399), place="row 3")
    assert len(prepare_audio(frontends, noise(400), place="row 3")) == 400


def test_a_frontend_pickles() -> None:
    again = pickle.loads(pickle.dumps(frontend()))  # noqa: S301  # our own bytes
    assert torch.equal(again(noise(500)), frontend()(noise(500)))


@pytest.mark.parametrize(
    ("waveform", "found"),
    [
        (torch.zeros(1, 500), r"float32 of shape \(1, 500\)"),
        (torch.zeros(500, dtype=torch.float64), "float64"),
    ],
)
def test_other_waveforms_are_refused(waveform: Tensor, found: str) -> None:
    with pytest.raises(ValueError, match=rf"`waveform` must be float32 of shape \(samples,\), but is .*{found}"):
        frontend()(waveform)


def made(folder: Path, *, normalise: bool | None = None) -> Wav2Vec2Frontend:
    return make_frontend(Wav2Vec2Params(checkpoint=str(folder), normalise=normalise))


@pytest.mark.parametrize("stated", [True, False])
def test_the_checkpoint_says_whether_to_normalise(save: Save, stated: bool) -> None:
    folder = save("wav2vec2-layer", preprocessor={"do_normalize": stated, "sampling_rate": 8_000})
    assert (made(folder).normalise, made(folder).sampling_rate) == (stated, 8_000)
    assert made(folder, normalise=not stated).normalise is not stated
    assert made(folder).fewest_samples == 400


def test_the_file_of_a_newer_processor_is_read_too(save: Save) -> None:
    folder = save("wav2vec2-layer")
    (folder / "preprocessor_config.json").unlink()
    values = {"feature_extractor": {"sampling_rate": 16_000, "do_normalize": False}}
    (folder / "processor_config.json").write_text(json.dumps(values))
    assert made(folder).normalise is False


def test_without_a_file_normalisation_must_be_stated(save: Save) -> None:
    folder = save("wav2vec2-layer")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no `preprocessor_config.json`.*Set `normalise` to true or false"):
        made(folder)
    assert (made(folder, normalise=True).normalise, made(folder, normalise=True).sampling_rate) == (True, 16_000)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling_rate": "16k"}, r"`sampling_rate` .* must be a rate, but is '16k' instead"),
        ({"sampling_rate": 0}, r"`sampling_rate` .* but is 0 instead"),
        ({"do_normalize": "yes"}, r"`do_normalize` .* must be true or false, but is 'yes' instead"),
        ({"feature_size": 80}, r"`feature_size` .* must be 1 \(raw samples\), but is 80 instead"),
    ],
)
def test_a_file_that_cannot_be_served_is_refused(save: Save, values: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        made(save("wav2vec2-layer", preprocessor=values))


@pytest.mark.parametrize(("text", "message"), [("{", "cannot be read"), ("[]", "must hold a JSON object")])
def test_a_damaged_file_is_refused(save: Save, text: str, message: str) -> None:
    folder = save("wav2vec2-layer")
    (folder / "preprocessor_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=f"`preprocessor_config.json` {message}"):
        made(folder)


def test_a_frontend_needs_no_weights(save: Save) -> None:
    folder = save("wavlm-group", conv_kernel=(10, 3), conv_stride=(5, 2), conv_dim=(8, 8), num_feat_extract_layers=2)
    (folder / "model.safetensors").unlink()
    assert made(folder).fewest_samples == 20
