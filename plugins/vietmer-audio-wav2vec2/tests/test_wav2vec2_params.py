from typing import Any

import pytest
from pydantic import ValidationError
from vietmer_audio_wav2vec2.params import LICENCES, Wav2Vec2Params
from vietmer_audio_wav2vec2.plugin import register_components


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"window_seconds": 0}, "greater than 0"),
        ({"window_seconds": True}, "a number"),
        ({"overlap_seconds": -1}, "greater than or equal to 0"),
        (
            {"window_seconds": 5, "overlap_seconds": 5},
            r"`overlap_seconds` must be less than `window_seconds` \(5\), but is 5 instead",
        ),
        ({"chunk_seconds": 0}, "greater than 0"),
        ({"short": "drop"}, "'refuse' or 'pad'"),
        (
            {"freeze": False, "spec_augment": {"time_probability": 0}},
            "`time_probability` or `feature_probability` must be above 0",
        ),
        ({"freeze": False, "spec_augment": {"time_span": 0}}, "greater than or equal to 1"),
        ({"freeze": False, "spec_augment": {"time_probability": 1.5}}, "less than or equal to 1"),
        ({"freeze": False, "spec_augment": {"spans": 2}}, "Extra inputs are not permitted"),
        ({"pooling": "mean"}, "Extra inputs are not permitted"),
        ({"checkpoint": "not an id"}, "must be an id on the hub"),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Wav2Vec2Params.model_validate(wrong)


@pytest.mark.parametrize("trained", [{}, {"freeze": False}, {"train_layers": 2}, {"lora": {}}])
def test_spec_augment_goes_with_every_way_of_training_and_with_none(trained: dict[str, Any]) -> None:
    augmented = Wav2Vec2Params.model_validate({**trained, "spec_augment": {}}).spec_augment
    assert augmented is not None
    assert (augmented.time_probability, augmented.time_span, augmented.feature_probability) == (0.05, 10, 0.0)


def test_without_windows_any_overlap_is_legal() -> None:
    assert Wav2Vec2Params(window_seconds=None, overlap_seconds=500).window_seconds is None


def test_the_default_is_xlsr_53_frozen_and_whole() -> None:
    params = Wav2Vec2Params()
    assert params.checkpoint == "facebook/wav2vec2-large-xlsr-53"
    assert (params.freeze, params.layers, params.short, params.normalise) == (True, "last", "refuse", None)


def test_licences_of_weights_are_registered() -> None:
    (component,) = register_components()
    assert component.weights_licence == "Apache-2.0"
    assert component.weights_licences["nguyenvulebinh/wav2vec2-base-vietnamese-250h"] == "CC-BY-NC-4.0"
    assert {Wav2Vec2Params().checkpoint, *component.weights_licences} == set(LICENCES)
