from typing import Any

import pytest
from pydantic import ValidationError
from vietmer_audio_whisper.params import LICENCES, WhisperParams
from vietmer_audio_whisper.plugin import register_components


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"window_seconds": 31}, "less than or equal to 30"),
        ({"window_seconds": 0}, "greater than 0"),
        ({"window_seconds": 1.01}, "must be a multiple of 0.02 s, one frame of the encoder, but is 1.01 instead"),
        ({"overlap_seconds": 0.03}, "must be a multiple of 0.02 s"),
        ({"overlap_seconds": -1}, "greater than or equal to 0"),
        ({"overlap_seconds": 30}, r"`overlap_seconds` must be less than `window_seconds` \(30\), but is 30 instead"),
        ({"window_seconds": True}, "window_seconds"),
        ({"short": "cut"}, "'refuse' or 'pad'"),
        ({"pad_to_30": True}, "Extra inputs are not permitted"),
        (
            {"freeze": False, "spec_augment": {"time_probability": 0}},
            "`time_probability` or `feature_probability` must be above 0",
        ),
        ({"freeze": False, "spec_augment": {"time_span": 0}}, "greater than or equal to 1"),
        ({"gradient_checkpointing": True}, "must be false where all is frozen"),
        ({"checkpoint": "no such thing"}, "must be an id on the hub"),
    ],
)
def test_each_mistake_has_its_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        WhisperParams.model_validate(fields)


def test_defaults_are_phowhisper_frozen_at_true_length() -> None:
    params = WhisperParams()
    assert params.checkpoint == "vinai/PhoWhisper-small"
    assert (params.freeze, params.pad_to_30s, params.spec_augment) == (True, False, None)
    assert (params.window_frames, params.overlap_frames) == (1_500, 400)


@pytest.mark.parametrize("seconds", [0.02, 0.06, 0.58, 1.1, 28.98, 29.98])
def test_seconds_that_binary_fractions_miss_are_whole_frames(seconds: float) -> None:
    assert WhisperParams(window_seconds=seconds, overlap_seconds=0).window_frames == round(seconds / 0.02)


def test_licences_are_those_the_authors_state() -> None:
    (component,) = register_components()
    assert component.weights_licence == "BSD-3-Clause"
    assert component.weights_licences["openai/whisper-large-v3"] == "MIT"
    assert {component.weights_licence, *component.weights_licences.values()} == set(LICENCES.values())
