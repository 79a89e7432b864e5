"""Wheels of the core and of every plugin, built once."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import attrs
import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")))


@attrs.frozen(kw_only=True)
class Built:
    """A distribution of the repository and its wheel."""

    folder: Path
    project: dict[str, Any]
    wheel: Path

    @property
    def package(self) -> str:
        """The import name."""
        name: str = self.project["name"]
        return name.replace("-", "_")

    @property
    def source(self) -> Path:
        """The folder of the package in the repository."""
        return next(
            place for place in (self.folder / self.package, self.folder / "src" / self.package) if place.is_dir()
        )

    def names(self) -> set[str]:
        """The files of the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def read(self, file: str) -> str:
        """A file of the wheel's metadata."""
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(f".dist-info/{file}")]
            return archive.read(name).decode("utf-8")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, ...]:
    """Every distribution of the repository, built in one command without an index."""
    out = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    folders = [str(folder) for folder in FOLDERS]
    done = subprocess.run(
        [*command, "-w", str(out), *folders], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = []
    for folder in FOLDERS:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        (wheel,) = out.glob(f"{project['name'].replace('-', '_')}-*.whl")
        made.append(Built(folder=folder, project=project, wheel=wheel))
    return tuple(made)


@pytest.fixture(scope="session")
def unpacked(built: tuple[Built, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All wheels unpacked into one folder, as pip lays them out."""
    site = tmp_path_factory.mktemp("site")
    for distribution in built:
        with zipfile.ZipFile(distribution.wheel) as archive:
            archive.extractall(site)
    return site
