import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vietmer_core import doctor, probes
from vietmer_core.doctor import TESTED_VERSIONS, Status
from vietmer_core.errors import EXIT_FOUND, EXIT_OK
from vietmer_core.plugins import STRICT_VARIABLE
from vietmer_core.probes import Probe

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; sys.argv[0] = 'vietmer'; from vietmer_core.cli.main import app; app()"


def vietmer_doctor(*arguments: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `vietmer doctor` as a user does, with a folder before the installed libraries."""
    inherited = {name: value for name, value in os.environ.items() if name != STRICT_VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "doctor", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, "PYTHONPATH": str(path), "PYTHONIOENCODING": "utf-8", **environment},
    )


def fake(folder: Path, **modules: str) -> None:
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")


def failing(folder: Path) -> None:
    """Every slow probe fails at once, so that a test of one finding does not import torch several times."""
    fake(folder, torch="raise OSError('libtorch_cuda.so: cannot open shared object file')")
    fake(folder, torchvision="raise OSError('undefined symbol: torchvision')")


@pytest.mark.slow
def test_a_sound_environment_leaves_with_0(tmp_path: Path) -> None:
    done = vietmer_doctor("--json", path=tmp_path)
    document = json.loads(done.stdout)
    assert [finding for finding in document["findings"] if finding["status"] == "problem"] == []
    assert (done.returncode, document["good"]) == (EXIT_OK, True)
    subjects = [finding["subject"] for finding in document["findings"]]
    assert {"machine", "torch", "torchaudio", "torchvision", "audio files", "plugins", "GPU", "threads"} <= set(
        subjects
    )
    machine = document["findings"][0]["facts"]
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0


def test_libraries_that_cannot_be_loaded_are_named_with_what_mends_them(tmp_path: Path) -> None:
    failing(tmp_path)
    fake(tmp_path, torchaudio="raise OSError('libtorchaudio.so: undefined symbol: aoti_torch_x')")
    done = vietmer_doctor(path=tmp_path)
    assert done.returncode == EXIT_FOUND
    assert "Traceback" not in done.stdout + done.stderr
    assert "and vietmer-core needs it: OSError: libtorch_cuda.so: cannot open shared object file." in done.stdout
    assert f"python -m pip install --force-reinstall torch=={TESTED_VERSIONS['torch']}\n" in done.stdout
    assert "vietmer-audio-fourier2vec needs it: OSError: libtorchaudio.so: undefined symbol" in done.stdout
    both = f"torch=={TESTED_VERSIONS['torch']} torchaudio=={TESTED_VERSIONS['torchaudio']}"
    assert f"Install builds that load together: python -m pip install --force-reinstall {both}\n" in done.stdout


def test_a_library_that_kills_the_interpreter_is_survived(tmp_path: Path) -> None:
    failing(tmp_path)
    fake(tmp_path, torchaudio="import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    done = vietmer_doctor("--json", path=tmp_path)
    assert done.returncode == EXIT_FOUND
    (found,) = [finding for finding in json.loads(done.stdout)["findings"] if finding["subject"] == "torchaudio"]
    assert "the interpreter was killed by SIGSEGV" in found["message"]
    assert found["status"] == "problem"


def test_a_broken_plugin_is_a_problem(tmp_path: Path) -> None:
    failing(tmp_path)
    fake(tmp_path, quux_plugin="import quux_is_nowhere", torchaudio="raise OSError('x')")
    info = tmp_path / "vietmer_fusion_quux-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vietmer-fusion-quux\nVersion: 9.9\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[vietmer]\nfusion-quux = quux_plugin\n", encoding="utf-8")
    done = vietmer_doctor(path=tmp_path)
    assert done.returncode == EXIT_FOUND
    assert "plugin `fusion-quux` of vietmer-fusion-quux 9.9 is broken: ModuleNotFoundError" in done.stdout
    assert "python -m pip uninstall vietmer-fusion-quux" in done.stdout
    strict = vietmer_doctor(path=tmp_path, **{STRICT_VARIABLE: "1"})  # reported, not a crash of the doctor
    assert strict.returncode == EXIT_FOUND
    assert "plugin `fusion-quux` of vietmer-fusion-quux 9.9 is broken" in strict.stdout


def test_a_probe_that_never_ends_is_stopped() -> None:
    found = probes.probe("import time; time.sleep(60)", seconds=0.2)
    assert found == Probe(facts={}, failure="it did not finish within 0.2 s")


def test_a_probe_reports_facts_or_the_last_line_of_the_failure() -> None:
    assert probes.probe("print('noise'); print('{\"a\": 1}')") == Probe(facts={"a": 1})
    assert probes.probe("raise OSError('no such library.')").failure == "OSError: no such library"
    assert probes.probe("import sys; sys.exit(3)").failure == "the interpreter left with code 3"


def test_a_missing_library_that_nothing_needs_is_no_problem() -> None:
    missing = Probe(facts={}, failure="ModuleNotFoundError: No module named 'torchvision'")
    TESTED = {**TESTED_VERSIONS, "quux": "1.0"}  # noqa: N806  # stands in for the constant
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "TESTED_VERSIONS", TESTED)
        assert doctor.library("quux", missing, needed_by=[]).status is Status.GOOD
        needed = doctor.library("quux", missing, needed_by=["vietmer-audio-dual"])
    assert needed.status is Status.PROBLEM
    assert "it is not installed" in needed.message
    assert "vietmer-audio-dual needs it" in needed.message


def test_a_broken_library_that_nothing_needs_is_a_note() -> None:
    found = doctor.library("torch", Probe(facts={}, failure="OSError: x"), needed_by=[])
    assert found.status is Status.NOTE


def test_the_dependents_of_a_library_are_read_from_the_metadata() -> None:
    assert "vietmer-audio-fourier2vec" in doctor.dependents("torchaudio")
    assert "vietmer-core" in doctor.dependents("torch")
    assert "vietmer-core" not in doctor.dependents("torchaudio")  # `torch` is not a part of the name
    assert doctor.dependents("quux") == []


def audio_facts(*unreadable: str) -> dict[str, Any]:
    return {"soundfile": "0.14.0", "libsndfile": "1.2.2", "soxr": "1.1.0", "unreadable": list(unreadable)}


def test_formats_are_really_written_and_read() -> None:
    found = probes.probe(probes.AUDIO_FILES)
    assert found.failure == ""
    assert found.facts["unreadable"] == []


def test_a_format_that_cannot_be_read_is_a_problem() -> None:
    assert doctor.audio_reading(Probe(facts=audio_facts())).status is Status.GOOD
    found = doctor.audio_reading(Probe(facts=audio_facts("Opus", "MP3")))
    assert found.status is Status.PROBLEM
    assert found.message.startswith("Opus, MP3 cannot be read (soundfile 0.14.0")
    absent = doctor.audio_reading(Probe(facts={}, failure="OSError: sndfile library not found"))
    assert absent.status is Status.PROBLEM
    assert "soundfile soxr" in absent.remedy


@pytest.mark.parametrize(
    ("facts", "machine", "status"),
    [
        ({"gpus": ["Good GPU"], "built_for_cuda": "13.0"}, ["Good GPU"], Status.GOOD),
        ({"gpus": [], "built_for_cuda": None}, ["Good GPU"], Status.NOTE),
        ({"gpus": [], "built_for_cuda": None}, [], Status.GOOD),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_a_note(facts: Mapping[str, Any], machine: list[str], status: Status) -> None:
    found = doctor.gpu(Probe(facts=facts), machine)
    assert found.status is status
    assert bool(found.remedy) == (status is Status.NOTE)


def test_a_gpu_beside_a_torch_that_cannot_be_loaded_is_a_note() -> None:
    broken = Probe(facts={}, failure="OSError: libtorch_cuda.so: cannot open shared object file")
    found = doctor.gpu(broken, ["Good GPU"])
    assert found.status is Status.NOTE
    assert found.message == "the machine has Good GPU, but torch cannot be loaded, so it is not used."
    assert found.remedy
    assert doctor.gpu(broken, []).status is Status.GOOD  # torch has a finding of its own


def test_more_threads_than_cores_are_a_note() -> None:
    cores = doctor.usable_cores()
    assert doctor.threads(Probe(facts={"threads": cores})).status is Status.GOOD
    found = doctor.threads(Probe(facts={"threads": cores + 1}))
    assert found.status is Status.NOTE
    assert f"OMP_NUM_THREADS={cores}" in found.remedy


def test_requirements_that_are_not_met_are_a_problem() -> None:
    assert doctor.requirements(Probe(facts={"broken": []})).status is Status.GOOD
    line = "vietmer-core 0.1.0 has requirement torch>=2.11, but you have torch 2.9.0."
    found = doctor.requirements(Probe(facts={"broken": [line]}))
    assert (found.status, found.message) == (Status.PROBLEM, line)


def test_requirements_that_cannot_be_checked_in_time_are_a_note() -> None:
    checked = probes.broken_requirements(seconds=0.001)
    assert checked == Probe(facts={}, failure="it did not finish within 0.001 s")
    found = doctor.requirements(checked)
    assert found.status is Status.NOTE
    assert "it did not finish within 0.001 s, so no declared requirement was checked." in found.message
    assert found.remedy.endswith("python -m pip check")


def test_the_requirements_of_this_environment_are_read() -> None:
    found = probes.broken_requirements()
    assert found.failure == ""
    assert isinstance(found.facts["broken"], list)


def test_the_tested_versions_are_those_of_the_constraints() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert {name: pins[name] for name in TESTED_VERSIONS if name in pins} == {
        name: version for name, version in TESTED_VERSIONS.items() if name in pins
    }
    assert {"torch", "torchaudio"} <= set(pins)
