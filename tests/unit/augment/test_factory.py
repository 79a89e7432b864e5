from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vietmer_core.augment.factory import waveform_augmentation
from vietmer_core.augment.noise import AddedNoise
from vietmer_core.augment.noise_colours import ColouredNoise
from vietmer_core.augment.noise_recordings import RecordedNoise
from vietmer_core.augment.pipeline import WaveformAugmentation
from vietmer_core.errors import AssemblyError
from vietmer_core.spec_augmentation import AugmentSpec


def made(*operations: dict[str, Any], rate: int = 16_000) -> WaveformAugmentation | None:
    spec = AugmentSpec.model_validate({"waveform": operations})
    return waveform_augmentation(spec, sampling_rate=rate, seed=0)


def sources(**noise: Any) -> list[str]:
    augmentation = made({"kind": "noise", **noise})
    assert augmentation is not None
    operation = augmentation.operations[0].operation
    assert isinstance(operation, AddedNoise)
    named = [source.colour for source in operation.sources if isinstance(source, ColouredNoise)]
    return [*named, *("folder" for source in operation.sources if isinstance(source, RecordedNoise))]


def test_no_operations_are_no_augmentation() -> None:
    assert made() is None


def test_a_folder_takes_the_place_of_the_colours_or_stands_beside_them(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    assert sources() == ["white", "pink", "brown"]
    assert sources(colours=["pink"]) == ["pink"]
    assert sources(folder=tmp_path) == ["folder"]
    assert sources(folder=tmp_path, colours=["white"]) == ["white", "folder"]


def test_what_cannot_be_made_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(AssemblyError, match=r"`augment.waveform.1`: folder `.*` must hold recordings of noise"):
        made({"kind": "gain"}, {"kind": "noise", "folder": tmp_path})
    expected = r"`augment.waveform.0`: `highest_hz` must lie below half the rate .* \(3000 Hz\), but is 3400 instead\."
    with pytest.raises(AssemblyError, match=expected):
        made({"kind": "band"}, rate=6000)
    assert made({"kind": "band"}, rate=8000) is not None


@pytest.mark.parametrize(
    ("operations", "stretch"),
    [
        ([], 1.0),
        ([{"kind": "gain"}], 1.0),
        ([{"kind": "speed"}], 1 / 0.9),
        ([{"kind": "speed", "factor": [1.0, 1.2]}], 1.0),
        ([{"kind": "speed", "probability": 0}], 1.0),
        ([{"kind": "speed", "factor": [0.5, 1]}, {"kind": "speed", "factor": [0.8, 1]}], 2.5),
    ],
)
def test_the_longest_stretch_is_that_of_the_slowest_speeds(operations: list[dict[str, Any]], stretch: float) -> None:
    assert AugmentSpec.model_validate({"waveform": operations}).longest_stretch == pytest.approx(stretch)
