"""Build every distribution and check what its wheel holds and declares.

Run from the root of the repository: `python scripts/check_release.py [--out FOLDER]`. Without `--out` the archives are
thrown away after the checks.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Final

REQUIRED_HEADERS: Final = ("Name", "Version", "Summary", "License-Expression", "Requires-Python")


def _metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return HeaderParser().parsestr(wheel.read(name).decode())


def _faults(folder: Path, file: Path, core_version: str) -> Iterator[str]:
    """What is wrong with the wheel of a folder, one sentence each."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with zipfile.ZipFile(file) as wheel:
        names, metadata = wheel.namelist(), _metadata(wheel)
    for header in REQUIRED_HEADERS:
        if not metadata[header]:
            yield f"its metadata has no `{header}`"
    if metadata["Version"] != core_version:
        yield f"its version must be the core's, {core_version}, but is {metadata['Version']}"
    if not str(metadata.get_payload()).strip():
        yield "its long description is empty"
    package = project["name"].replace("-", "_")
    if f"{package}/py.typed" not in names:
        yield f"it has no `{package}/py.typed`"
    strays = sorted({name.split("/")[0] for name in names if not name.startswith(f"{package}")})
    if strays:
        yield f"it would install {', '.join(strays)} beside `{package}`"
    for target in project.get("entry-points", {}).get("vietmer", {}).values():
        if f"{target.replace('.', '/')}.py" not in names:
            yield f"its entry point names `{target}`, which it does not hold"


def _build(folder: Path, out: Path) -> Path:
    """Build the source archive and, from it, the wheel; the path of the wheel."""
    before = set(out.glob("*.whl"))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own folder
    if done.returncode:
        sys.exit(f"{folder}: cannot be built:\n{done.stdout}{done.stderr}")
    (made,) = set(out.glob("*.whl")) - before
    return made


def main() -> int:
    """Build and check; 1 where a wheel has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="an empty folder that keeps the archives")
    arguments = parser.parse_args()
    core_version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    folders = [Path(), *(file.parent for file in sorted(Path().glob("plugins/*/pyproject.toml")))]
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        out = arguments.out or Path(scratch)
        for folder in folders:
            wheel = _build(folder, out)
            faults = list(_faults(folder, wheel, core_version))
            failed = failed or bool(faults)
            print(f"{wheel.name}: {wheel.stat().st_size / 1024:.0f} KiB: {'; '.join(faults) or 'good'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
