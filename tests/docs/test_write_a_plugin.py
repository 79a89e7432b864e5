"""The page "Write a plugin" is run as it stands: its files, its commands and its output, in a fresh environment.

The fresh environment sees the libraries of the present one (torch is not installed again) and has the core installed
from this checkout. No index is asked: the commands of the page find everything they need.
"""

import os
import re
import shutil
import site
import subprocess
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write-a-plugin.md").read_text(encoding="utf-8")
OPENING = r"^```\{code-block\} (?P<language>\w+)\n(?::caption: (?P<caption>[^\n]+)\n)?\n?"
BLOCK = re.compile(OPENING + r"(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


class Block(NamedTuple):
    """A code block: a file (its caption names it), commands (`bash`) or the output of the commands before it."""

    language: str
    caption: str
    body: str


def blocks() -> list[Block]:
    return [Block(match["language"], match["caption"] or "", match["body"]) for match in BLOCK.finditer(PAGE)]


def clean_environment() -> dict[str, str]:
    """What a user's shell has, without settings that would reach into the present environment."""
    dropped = ("PYTHONPATH", "VIRTUAL_ENV", "COLUMNS", "VIETMER_STRICT_PLUGINS")
    kept = {name: value for name, value in os.environ.items() if name not in dropped and not name.startswith("PYTEST")}
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**kept, **offline, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


class Shell:
    """One shell session in a fresh environment: the folder that a command changes to stays for the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = folder.parent / "where"
        self.said: list[str] = []
        self.environment = clean_environment()
        made = folder.parent / "environment"
        venv.create(made, with_pip=False, symlinks=True)
        scripts = made / "bin"
        self.environment["PATH"] = f"{scripts}{os.pathsep}{self.environment['PATH']}"
        libraries = sysconfig.get_path("purelib", "venv", {"base": str(made), "platbase": str(made)})
        lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
        (Path(libraries) / "present_environment.pth").write_text("".join(lines), encoding="utf-8")
        self.run(f"python -m pip install -q -e '{ROOT}'")  # as the README does, without the index

    def run(self, commands: str) -> str:
        """Run commands of the page; their output."""
        script = f"set -euo pipefail\n{commands}\npwd > '{self.record}'\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        self.folder = Path(self.record.read_text(encoding="utf-8").strip())
        self.said.append(done.stdout)
        return done.stdout

    def write(self, name: str, text: str) -> None:
        """Write a file of the page, from the folder that its commands have reached."""
        file = self.folder / name
        assert file.parent.is_dir(), f"the page writes {name} before it makes its folder"
        file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    if os.name != "posix" or shutil.which("bash") is None:
        pytest.skip("the page's commands are for a POSIX shell")
    folder = tmp_path_factory.mktemp("tutorial") / "start"
    folder.mkdir()
    return Shell(folder)


@pytest.fixture(scope="module")
def finished(shell: Shell) -> Shell:
    """The page, run from its first block to its last."""
    said = ""
    for block in blocks():
        if block.language == "bash":
            said = shell.run(block.body)
        elif block.caption == "output":
            words = " ".join(said.split())
            assert " ".join(block.body.split()) in words, f"the page shows\n{block.body}\nbut its commands say\n{said}"
        else:
            shell.write(block.caption, block.body)
    return shell


def test_every_block_of_the_page_is_a_file_a_command_or_output() -> None:
    found = blocks()
    assert len(found) == PAGE.count("```{code-block}") == PAGE.count("```") / 2
    assert [block for block in found if block.language != "bash" and not block.caption] == []
    assert {"pyproject.toml", "output", "experiment.yaml"} <= {block.caption for block in found}


def test_the_page_runs_as_it_stands(finished: Shell) -> None:
    assert (finished.folder / "runs").is_dir()


def test_the_pages_own_test_runs_the_whole_kit(finished: Shell) -> None:
    passed = [int(number) for said in finished.said for number in re.findall(r"(\d+) passed", said)]
    assert passed
    assert max(passed) >= 15


def test_the_pages_own_test_catches_a_pooler_that_reads_padding(finished: Shell) -> None:
    right, wrong = "sequence.zeroed().features.sum(dim=1) / count", "sequence.features.mean(dim=1)"
    file = finished.folder / "src" / "statistics_pooler" / "pooler.py"
    source = file.read_text(encoding="utf-8")
    assert right in source
    file.write_text(source.replace(right, wrong), encoding="utf-8")
    try:
        said = finished.run("python -m pytest -q -k 'padding_content or padding_width' || true")
    finally:
        file.write_text(source, encoding="utf-8")
    assert "FAILED tests/test_statistics_pooler.py::test_conformance[" in said


def test_the_pages_files_keep_the_rules_of_the_house(finished: Shell) -> None:
    pytest.importorskip("ruff", reason="ruff comes with requirements.txt, not with the extra `testing`")
    config = ROOT / "pyproject.toml"
    finished.run(f"python -m ruff check --config '{config}' --ignore INP001,D src tests")
    finished.run(f"python -m ruff format --check --config '{config}' src tests")


def test_the_message_that_the_page_quotes_is_the_real_one(finished: Shell) -> None:
    spec = (finished.folder / "experiment.yaml").read_text(encoding="utf-8")
    (finished.folder / "experiment.yaml").write_text(spec.replace("floor: 1.0e-4", "floor: 0"), encoding="utf-8")
    try:
        said = finished.run("vietmer train experiment.yaml --check 2>&1 || true")
    finally:
        (finished.folder / "experiment.yaml").write_text(spec, encoding="utf-8")
    quoted = re.search(r"`(experiment\.yaml:\d+: pooler\.floor: [^`]+)`", PAGE)
    assert quoted is not None
    assert quoted[1] in said
