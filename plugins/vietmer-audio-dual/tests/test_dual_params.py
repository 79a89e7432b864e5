import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from vietmer_audio_dual.alignment import TimeAxis
from vietmer_audio_dual.factory import frame_axis
from vietmer_audio_dual.log_mels import LOG_MELS
from vietmer_audio_dual.params import DualParams, VggishParams
from vietmer_audio_dual.plugin import build_encoder, build_frontend, register_components
from vietmer_audio_wav2vec2.factory import make_encoder as make_wav2vec2

from vietmer_core.errors import CheckpointError

(COMPONENT,) = register_components()


def changed_checkpoint(folder: Path, *, config: dict[str, Any], preprocessor: dict[str, Any] | None = None) -> str:
    """The tiny checkpoint with other figures."""
    changes = {"config.json": config, "preprocessor_config.json": preprocessor or {}}
    for file in Path(COMPONENT.tiny["checkpoint"]).iterdir():
        content = json.loads(file.read_text(encoding="utf-8")) | changes[file.name]
        (folder / file.name).write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"vggish": {"weights": "random", "freeze": True}}, "`freeze` must be false with `weights: random`: a frozen"),
        ({"vggish": {"weights": "random", "licence": "MIT"}}, "`licence` must be left out with `weights: random`"),
        ({"vggish": {"weights": " "}}, "must be a path or `random`, but is empty instead"),
        ({"vggish": {"hop_seconds": 0.97}}, r"`hop_seconds` must be 0.01 to 0.96 in steps of 0.01, but is 0.97"),
        ({"vggish": {"hop_seconds": 0.001}}, "in steps of 0.01, but is 0.001 instead"),
        ({"vggish": {"hop_seconds": 0.125}}, "in steps of 0.01, but is 0.125 instead"),
        ({"vggish": {"patch_frames": 100}}, "`patch_frames` must be a multiple of 16, but is 100 instead"),
        ({"vggish": {"channels": (1, 2, 3)}}, "vggish.channels"),
        ({"vggish": {"tail": "repeat"}}, "'pad' or 'drop'"),
        ({"vggish": {"pca": True}}, "Extra inputs are not permitted"),
        ({"merge": "mean"}, "'concat' or 'sum'"),
        ({"dim": 512}, "`dim` must be left out with `merge: concat`"),
        ({"overlap_seconds": 130}, "`overlap_seconds` must be less than `window_seconds`"),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DualParams.model_validate(wrong)


def test_defaults_are_the_reference_design() -> None:
    params = DualParams()
    assert params.checkpoint == "facebook/wav2vec2-large-xlsr-53"
    assert params.freeze
    assert (params.merge, params.sum_dim) == ("concat", None)
    assert DualParams(merge="sum").sum_dim == 1024
    vggish = params.vggish
    assert (vggish.patch_frames, vggish.hop_frames, vggish.tail, vggish.freeze) == (96, 96, "pad", True)
    assert vggish.channels == (64, 128, 256, 256, 512, 512)
    assert (vggish.hidden_dim, vggish.dim) == (4096, 128)


def test_random_vggish_is_trained_unless_said_otherwise() -> None:
    assert not VggishParams.model_validate({"weights": "random"}).freeze
    assert VggishParams.model_validate({"weights": "vggish.pth"}).freeze
    again = VggishParams.model_validate(VggishParams.model_validate({"weights": "random"}).model_dump())
    assert not again.freeze


def test_licences_of_both_halves_are_told() -> None:
    assert COMPONENT.weights_licence == "Apache-2.0"
    assert COMPONENT.weights_licences["vggish-10086976.pth"] == "Apache-2.0"
    assert COMPONENT.weights_licences["facebook/mms-300m"] == "CC-BY-NC-4.0"


def test_vggish_without_weights_is_told_before_anything_is_fetched() -> None:
    params = DualParams.model_validate({"checkpoint": "./nowhere"})
    for build in (build_frontend, build_encoder):
        with pytest.raises(CheckpointError, match=r"`vggish\.weights` must be named"):
            build(params)


def test_a_checkpoint_of_another_rate_is_refused(tmp_path: Path) -> None:
    checkpoint = changed_checkpoint(tmp_path, config={}, preprocessor={"sampling_rate": 8_000})
    params = DualParams.model_validate({**COMPONENT.tiny, "checkpoint": checkpoint})
    with pytest.raises(CheckpointError, match="must be of 16000 Hz, as VGGish is, but is of 8000 Hz instead"):
        build_frontend(params)


def axis_of(checkpoint: str) -> TimeAxis:
    return frame_axis(make_wav2vec2(DualParams.model_validate({**COMPONENT.tiny, "checkpoint": checkpoint})))


def test_frames_of_the_usual_convolutions_are_400_samples_every_320(tmp_path: Path) -> None:
    usual = {
        "conv_dim": [4] * 7,
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "num_feat_extract_layers": 7,
    }
    assert axis_of(changed_checkpoint(tmp_path, config=usual)) == TimeAxis(hop_samples=320, span_samples=400)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 3)])
def test_frames_of_an_adapter_stand_where_its_kernels_do(tmp_path: Path, kernel: int, stride: int) -> None:
    adapter = {
        "add_adapter": True,
        "num_adapter_layers": 2,
        "adapter_kernel_size": kernel,
        "adapter_stride": stride,
    }
    axis = axis_of(changed_checkpoint(tmp_path, config=adapter))
    centres = 325 + 640 * np.arange(100.0)  # of the tiny network
    for _ in range(2):
        padded = np.concatenate([[2 * centres[0] - centres[1]], centres])  # the zero before the row
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel)[::stride]
        centres = windows.mean(axis=1)
    expected = axis.hop_samples * np.arange(len(centres)) + axis.span_samples / 2
    np.testing.assert_array_equal(centres, expected)


def test_the_frontend_survives_pickle() -> None:
    frontend = build_frontend(DualParams.model_validate(COMPONENT.tiny))
    waveform = torch.linspace(-1, 1, 3_000)
    again = pickle.loads(pickle.dumps(frontend))  # noqa: S301  # our own bytes
    assert torch.equal(again(waveform), frontend(waveform))


def test_log_mels_lie_near_those_that_vggish_was_trained_with() -> None:
    """Its bands are triangles on the mel scale; torchaudio's have the same corners and straight sides in Hz."""
    generator = torch.Generator().manual_seed(0)
    waveform = 0.2 * torch.randn(32_000, generator=generator) + 0.3 * torch.sin(torch.arange(32_000) * 0.07)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    starts = range(0, 32_000 - 399, 160)
    samples = waveform.double().numpy()
    spectrum = np.abs(np.fft.rfft([samples[start : start + 400] * window for start in starts], n=512))
    mels = 1127 * np.log(1 + np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    rising = (mels[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels[:, None]) / (edges[2:] - edges[1:-1])
    published = np.log(spectrum @ np.maximum(0, np.minimum(rising, falling)) + 0.01)
    difference = np.abs(LOG_MELS(waveform).numpy() - published)
    assert difference.max() < 0.03
    assert difference.mean() < 0.003
