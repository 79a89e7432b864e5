from typing import Any

import numpy as np
import pytest

from vietmer_core.components import Modality
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.errors import AssemblyError
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training.augmenting import longest_sizes, refuse_kept_audio, slowest_augmentation

SIZES = UtteranceSizes(
    audio_seconds=np.array([1.0, 0.0, 2.5], np.float32),
    text_words=np.array([3, 4, 0], np.int32),
    labels=np.array([0, 1, 0], np.int32),
)


def spec_of(*operations: dict[str, Any]) -> ExperimentSpec:
    return ExperimentSpec.model_validate(
        {
            "labels": ["a", "b"],
            "data": {"train": "a.jsonl", "valid": "b.jsonl"},
            "text": "syllable",
            "fusion": "text_only",
            "pooler": "mean",
            "sampler": "uniform",
            "augment": {"waveform": operations},
        }
    )


def test_a_sampler_is_told_the_longest_that_speed_can_make() -> None:
    spec = spec_of({"kind": "speed", "factor": [0.8, 1.2]}, {"kind": "gain"})
    longest = longest_sizes(SIZES, spec)
    np.testing.assert_allclose(longest.audio_seconds, [1.25, 0, 3.125], rtol=1e-6)
    assert longest.audio_seconds.dtype == np.float32
    assert longest.text_words is SIZES.text_words
    assert longest_sizes(SIZES, spec_of({"kind": "gain"})) is SIZES


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([], 1000),
        ([{"kind": "gain"}, {"kind": "speed", "factor": [1.0, 2.0]}], 1000),
        ([{"kind": "speed", "factor": [0.8, 2.0], "probability": 0.1}], 1250),
        ([{"kind": "speed", "factor": [0.8, 1.0]}, {"kind": "noise"}, {"kind": "speed", "factor": [0.5, 1.0]}], 2500),
        ([{"kind": "speed", "factor": [0.5, 1.0], "probability": 0}], 1000),
    ],
)
def test_the_slowest_is_as_long_as_an_utterance_can_become(operations: list[dict[str, Any]], expected: int) -> None:
    slowest = slowest_augmentation(spec_of(*operations))
    waveform = np.sin(np.arange(1000, dtype=np.float32))
    found = waveform if slowest is None else slowest(waveform, identity=5, epoch=0, num_frames=lambda n: n)
    assert abs(len(found) - expected) <= 2
    assert (slowest is None) == (expected == 1000)


def test_kept_states_of_the_text_do_not_mind_changed_waveforms() -> None:
    spec = spec_of({"kind": "gain"})
    refuse_kept_audio(spec, ())
    refuse_kept_audio(spec, {Modality.TEXT})
    refuse_kept_audio(spec_of(), {Modality.TEXT, Modality.AUDIO})
    with pytest.raises(AssemblyError, match=r"`cache` and `augment\.waveform` contradict each other"):
        refuse_kept_audio(spec, {Modality.TEXT, Modality.AUDIO})
