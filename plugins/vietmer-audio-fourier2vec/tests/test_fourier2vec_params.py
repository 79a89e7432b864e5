from typing import Any

import pytest
from pydantic import ValidationError
from vietmer_audio_fourier2vec.encoder import Fourier2VecEncoder
from vietmer_audio_fourier2vec.plugin import Fourier2VecParams, build_encoder


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_heads": 3}, r"`num_heads` must divide `dim` \(256\), but is 3 instead"),
        ({"patch_frames": 0}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"log_offset": 0.0}, "greater than 0"),
        ({"normalise": "batch"}, "utterance_mean"),
        ({"n_fft": 256}, r"`window_seconds` must be 1 to `n_fft` \(256\) samples long, but is 400"),
        ({"hop_seconds": 1e-6}, "`hop_seconds` must be at least one sample at 16000 Hz"),
        ({"sampling_rate": 8_000}, r"not above half the sampling rate \(4000\), but is 7500 instead"),
        ({"lowest_hz": 7_500.0}, r"`highest_hz` must lie above `lowest_hz` \(7500\)"),
        ({"num_mels": 128}, r"with 128 bands band \d+ \(\d+ to \d+ Hz\) has none. Lower `num_mels` or raise `n_fft`"),
        ({"hops": 3}, "Extra inputs are not permitted"),
        ({"spec_augment": {"time_probability": 0}}, "`time_probability` or `feature_probability` must be above 0"),
        (
            {"spec_augment": {"feature_probability": 0.2, "feature_span": 65}},
            r"`spec_augment.feature_span` must be at most `num_mels` \(64\), but is 65 instead",
        ),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Fourier2VecParams.model_validate(wrong)


def test_defaults_are_the_reference_design() -> None:
    encoder = build_encoder(Fourier2VecParams())
    assert isinstance(encoder, Fourier2VecEncoder)
    assert (encoder.projection.in_features, encoder.output_dim, encoder.patch_frames) == (64, 256, 1)
    assert len(encoder.transformer.blocks) == 4
    feed_forwards = [module for name, module in encoder.named_modules() if name.endswith("feed_forward.expand")]
    assert [getattr(module, "out_features", None) for module in feed_forwards] == [1024] * 4


def test_nothing_is_hidden_by_default() -> None:
    encoder = build_encoder(Fourier2VecParams.model_validate({"spec_augment": {}}))
    assert isinstance(encoder, Fourier2VecEncoder)
    assert encoder.spec_augment is not None
    assert Fourier2VecParams().spec_augment is None
