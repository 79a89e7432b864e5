import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vietmer_core.components import Role
from vietmer_core.known import HOUSE_DISTRIBUTIONS, KNOWN_DISTRIBUTIONS, OTHER_DISTRIBUTIONS
from vietmer_core.plugins import installed_plugins

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "known_rows.py"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that the script reads and writes, in a folder of their own."""
    (tmp_path / "vietmer_core").mkdir()
    shutil.copy(ROOT / "vietmer_core" / "known.py", tmp_path / "vietmer_core" / "known.py")
    for file in ROOT.glob("plugins/*/pyproject.toml"):
        (tmp_path / "plugins" / file.parent.name).mkdir(parents=True)
        shutil.copy(file, tmp_path / "plugins" / file.parent.name / "pyproject.toml")
    return tmp_path


def known_rows(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--root", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_houses_rows_equal_what_the_plugins_declare() -> None:
    done = known_rows(ROOT, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_row_is_noticed_and_written(copy: Path) -> None:
    file = copy / "vietmer_core" / "known.py"
    written = file.read_text(encoding="utf-8")
    file.write_text(written.replace('        ("fusion", "xattn"): "vietmer-fusion-xattn",\n', ""), encoding="utf-8")
    done = known_rows(copy, "--check")
    assert done.returncode == 1
    assert "Run: nox -s known" in done.stderr
    assert known_rows(copy).returncode == 0
    assert file.read_text(encoding="utf-8") == written


def test_two_plugins_that_provide_one_kind_are_refused(copy: Path) -> None:
    twin = copy / "plugins" / "vietmer-fusion-twin"
    twin.mkdir()
    source = (copy / "plugins" / "vietmer-fusion-xattn" / "pyproject.toml").read_text(encoding="utf-8")
    twin_source = source.replace('name = "vietmer-fusion-xattn"', 'name = "vietmer-fusion-twin"')
    (twin / "pyproject.toml").write_text(twin_source, encoding="utf-8")
    done = known_rows(copy)
    assert done.returncode == 1
    assert "`fusion: xattn` is provided by vietmer-fusion-twin and by vietmer-fusion-xattn" in done.stderr


def test_what_the_house_provides_is_what_its_plugins_offer() -> None:
    """The declaration in `pyproject.toml` against what the installed plugin registers."""
    house = set(HOUSE_DISTRIBUTIONS.values())
    offered = {
        (offer.component.role.value, offer.component.kind): offer.origin.distribution
        for offer in installed_plugins().offered
        if offer.origin.distribution in house
    }
    assert offered == dict(HOUSE_DISTRIBUTIONS)


def test_no_row_of_a_stranger_hides_one_of_the_house() -> None:
    assert not set(OTHER_DISTRIBUTIONS) & set(HOUSE_DISTRIBUTIONS)
    assert {role for role, _ in KNOWN_DISTRIBUTIONS} <= {role.value for role in Role}
