from pathlib import Path

import numpy as np
import pytest
import soundfile

from vietmer_core.augment.factory import waveform_augmentation
from vietmer_core.augment.fingerprint import noise_fingerprint
from vietmer_core.errors import DataError
from vietmer_core.spec_augmentation import AugmentSpec


def write(folder: Path, **recordings: float) -> Path:
    folder.mkdir(exist_ok=True)
    for name, level in recordings.items():
        soundfile.write(folder / f"{name}.wav", np.full(800, level), 8000)
    return folder


def fingerprint(*folders: Path, content: bool = True) -> str | None:
    entries = [{"kind": "noise", "folder": folder} for folder in folders]
    spec = AugmentSpec.model_validate({"waveform": [{"kind": "gain"}, {"kind": "noise"}, *entries]})
    augmentation = waveform_augmentation(spec, sampling_rate=8000, seed=0)
    return noise_fingerprint(augmentation, content=content)


def test_it_follows_names_and_bytes_but_not_the_place(tmp_path: Path) -> None:
    first, same = write(tmp_path / "one", a=0.1, b=0.2), write(tmp_path / "two", a=0.1, b=0.2)
    others = [
        write(tmp_path / "names", a=0.1, c=0.2),
        write(tmp_path / "bytes", a=0.1, b=0.3),
        write(tmp_path / "more", a=0.1, b=0.2, c=0.3),
    ]
    assert fingerprint(first) == fingerprint(same)
    assert len({fingerprint(first), fingerprint(first, first), *map(fingerprint, others)}) == 5
    assert fingerprint(first, content=False) == fingerprint(others[1], content=False), "sizes alone are compared"
    assert fingerprint(first, content=False) != fingerprint(others[0], content=False)


def test_there_is_none_without_recordings() -> None:
    assert fingerprint() is None
    assert noise_fingerprint(None, content=True) is None


def test_a_recording_that_has_gone_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", a=0.1)
    spec = AugmentSpec.model_validate({"waveform": [{"kind": "noise", "folder": folder}]})
    augmentation = waveform_augmentation(spec, sampling_rate=8000, seed=0)
    (folder / "a.wav").unlink()
    with pytest.raises(DataError, match=r"a\.wav` cannot be read: No such file"):
        noise_fingerprint(augmentation, content=True)
