"""What `vietmer doctor` says about the libraries and the folder of pretrained encoders."""

from pathlib import Path

import pytest

from vietmer_core import doctor, doctor_pretrained, probes
from vietmer_core.doctor_findings import Status
from vietmer_core.doctor_pretrained import cache, pretrained
from vietmer_core.probes import Probe

MISSING = Probe(facts={}, failure="ModuleNotFoundError: No module named 'transformers'")


def test_without_the_extra_nothing_alarming_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_pretrained, "installed_version", lambda _: None)
    (found,) = pretrained(MISSING, needed_by=[])
    assert (found.status, found.remedy) == (Status.GOOD, "")
    assert found.message == "the extra `pretrained` is not installed; no installed plugin needs it."


def test_a_plugin_that_needs_the_libraries_makes_them_a_problem() -> None:
    (found,) = pretrained(MISSING, needed_by=["vietmer-audio-whisper"])
    assert found.status is Status.PROBLEM
    assert "vietmer-audio-whisper needs them: ModuleNotFoundError: No module named 'transformers'." in found.message
    assert found.remedy.endswith('python -m pip install --upgrade "vietmer-core[pretrained]"')


def test_broken_libraries_that_nothing_needs_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_pretrained, "installed_version", lambda _: "5.0")
    (found,) = pretrained(MISSING, needed_by=[])
    assert found.status is Status.NOTE


@pytest.mark.slow
def test_the_libraries_of_this_environment_load() -> None:
    libraries, folder = pretrained(probes.probe(probes.PRETRAINED), needed_by=[])
    assert libraries.status is Status.GOOD
    assert "transformers 5." in libraries.message
    assert folder.subject == "cache of the hub"


def test_a_cache_that_can_be_made_is_good_and_is_not_made(tmp_path: Path) -> None:
    assert cache(tmp_path / "a" / "b").status is Status.GOOD
    assert not (tmp_path / "a").exists()


def test_a_cache_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = cache(tmp_path / "file" / "hub")
    assert found.status is Status.NOTE
    assert "cannot be written" in found.message
    assert "HF_HOME" in found.remedy


def test_what_an_extra_declares_is_needed_by_nobody() -> None:
    assert "vietmer-core" not in doctor.dependents("transformers")
    assert "vietmer-core" not in doctor.dependents("hypothesis")
