"""What the README, CONTRIBUTING and CHANGELOG state is what the repository holds."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from vietmer_core.cli.main import commands
from vietmer_core.spec import ExperimentSpec

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def command_names() -> set[str]:
    return set(typer.main.get_command(commands).commands)  # type: ignore[attr-defined]  # the application is a group


def named_commands(text: str) -> set[str]:
    """The sub-commands that a text names, as `vietmer train …`."""
    blocks = "\n".join(body for language, body in BLOCK.findall(text) if language == "bash")
    inline = " ".join(re.findall(r"`(vietmer [^`]+)`", text))
    return set(re.findall(r"\bvietmer ([a-z]+)\b", f"{blocks}\n{inline}"))


def test_the_readme_has_the_two_commands() -> None:
    found = [body.strip() for language, body in BLOCK.findall(README) if language == "bash"]
    assert found[:2] == [
        "python -m pip install -r requirements.txt && vietmer demo",
        "python -m pip install -r requirements.txt && python -m pytest -n auto",
    ]


def test_continuous_integration_uses_the_readmes_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^python -m pip install (-q )?-r requirements\.txt$", script, re.MULTILINE)
    assert re.search(r"^python -m pytest( |$)", script, re.MULTILINE)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash to read a bash script")
def test_the_script_of_continuous_integration_can_be_read() -> None:
    done = subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", [README, CHANGELOG], ids=["README", "CHANGELOG"])
def test_every_command_that_is_named_exists(text: str) -> None:
    assert named_commands(text) <= command_names()


def test_the_changelog_names_every_command() -> None:
    (line,) = [line for line in CHANGELOG.splitlines() if line.startswith("- The command `vietmer` with")]
    assert set(re.findall(r"`([a-z]+)`", line)) - {"vietmer"} == command_names()


def test_the_readmes_spec_is_valid_and_so_is_what_it_says_to_change_in_it() -> None:
    spec, *changes = [yaml.safe_load(body) for language, body in BLOCK.findall(README) if language == "yaml"]
    ExperimentSpec.model_validate(spec)
    assert changes
    for change in changes:
        assert ExperimentSpec.model_validate({**spec, **change}) != ExperimentSpec.model_validate(spec)


def test_contributing_lists_every_session() -> None:
    pytest.importorskip("nox", reason="nox comes with requirements.txt, not with the extra `testing`")
    command = [sys.executable, "-m", "nox", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    sessions = set(re.findall(r"^[*-] ([a-z-]+)", done.stdout, re.MULTILINE))
    assert sessions == set(re.findall(r"^\| `nox -s ([a-z-]+)", CONTRIBUTING, re.MULTILINE))


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_file_that_is_named_exists(text: str) -> None:
    names = re.findall(
        r"`((?:docs|contrib|plugins|vietmer_core|\.ci)/[A-Za-z0-9_./-]*|[A-Z]+(?:\.md)?|[a-z]+\.txt)`", text
    )
    assert len(names) > 3
    assert [name for name in names if not (ROOT / name).exists()] == []
