"""The run folder: all that a training run leaves. Torch-free.

spec.yaml             the resolved spec, every default filled in
provenance.json       versions, plugin distributions, data fingerprints, seed, hardware
status.json           how far the run is and how it ended
metrics.jsonl         one record a step and one an epoch
checkpoints/          last.pt, best.pt, the periodic ones kept, and initial.pt where `initialise` named runs
predictions/          one JSONL a split, one row an utterance
evaluation/           scores, tables and pictures a split
"""

import json
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import yaml

from vietmer_core.errors import AssemblyError, RunError
from vietmer_core.files import write_atomically

STATUS_FILE: Final = "status.json"
RUN_FILES: Final = ("spec.yaml", "provenance.json")
MEASURED: Final = frozenset({"seconds", "memory_bytes"})
"""Fields of a record that two equal runs have otherwise."""


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode()


@attrs.frozen
class RunFolder:
    """The paths of one run and the files in it."""

    path: Path

    @classmethod
    def create(cls, root: Path, name: str) -> "RunFolder":
        """A new folder `root/name-YYYYmmdd-HHMMSS`, numbered where that is taken.

        Raises:
            RunError: if it cannot be made.
        """
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        for attempt in range(1000):
            path = root / (f"{name}-{stamp}" if not attempt else f"{name}-{stamp}-{attempt + 1}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise RunError(f"{path}: the run folder cannot be made: {error.strerror or error}.") from None
            return cls(path)
        raise RunError(f"{root}: a thousand runs named `{name}-{stamp}` exist. Remove some.")

    @classmethod
    def create_at(cls, path: Path) -> "RunFolder":
        """A new folder under a name of the caller's own.

        Raises:
            RunError: if it is there already, or cannot be made.
        """
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise RunError(f"{path}: the run folder cannot be made: {error.strerror or error}.") from None
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run.

        Raises:
            RunError: if the folder is not there or holds no run.
        """
        if path.is_file():
            raise RunError(f"{path}: must be a run folder, but is a file instead. {_folder_around(path)}")
        if not path.is_dir():
            raise RunError(f"{path}: there is no such run folder. `vietmer runs list` shows those that exist.")
        if not is_run(path):
            files = " and ".join(f"`{name}`" for name in RUN_FILES)
            raise RunError(f"{path}: holds no run, since a run has {files}. Give the folder that `train` printed.")
        return cls(path)

    @property
    def spec_path(self) -> Path:
        return self.path / "spec.yaml"

    @property
    def metrics_path(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def last_checkpoint(self) -> Path:
        return self.path / "checkpoints" / "last.pt"

    @property
    def best_checkpoint(self) -> Path:
        return self.path / "checkpoints" / "best.pt"

    @property
    def initial_checkpoint(self) -> Path:
        return self.path / "checkpoints" / "initial.pt"

    def periodic_checkpoint(self, step: int) -> Path:
        """The periodic checkpoint of a step."""
        return self.path / "checkpoints" / f"step-{step:08d}.pt"

    def periodic_checkpoints(self) -> list[Path]:
        """The periodic checkpoints kept, oldest first."""
        return sorted((self.path / "checkpoints").glob("step-*.pt"))

    def predictions_path(self, split: str) -> Path:
        """The predictions of a split."""
        return self.path / "predictions" / f"{split}.jsonl"

    def evaluation_path(self, split: str) -> Path:
        """The folder of a split's scores."""
        return self.path / "evaluation" / split

    def write_spec(self, resolved: Mapping[str, Any]) -> None:
        """Save the resolved spec."""
        text = yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True, width=100)
        write_atomically(self.spec_path, text.encode())

    def write_json(self, name: str, value: object) -> None:
        """Save a JSON file of the run."""
        write_atomically(self.path / name, _json(value))

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file of the run; an empty mapping where it has none.

        Raises:
            RunError: if the file is damaged.
        """
        path = self.path / name
        if not path.exists():
            return {}
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: cannot be read: {error}.") from None
        if not isinstance(value, dict):
            raise RunError(f"{path}: must hold a mapping, but holds {type(value).__name__} instead.")
        return value

    def read_status(self) -> dict[str, Any]:
        """How far the run is and how it ended; a run whose process is gone without a word is `killed`."""
        status = self.read_json(STATUS_FILE)
        if status.get("outcome") == "running" and status.get("host") == platform.node():
            import psutil

            if not psutil.pid_exists(int(status.get("process") or -1)):
                return {**status, "outcome": "killed"}
        return status

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of `metrics.jsonl`; a last line that a kill cut short is left out."""
        if not self.metrics_path.exists():
            return
        with self.metrics_path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                yield self._record(line, number)

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError:
            raise RunError(f"{self.metrics_path}:{number}: is not JSON. Remove the line.") from None
        if not isinstance(record, dict) or not {"record", "epoch", "step"} <= record.keys():
            raise RunError(f"{self.metrics_path}:{number}: is no record of a step or an epoch. Remove the line.")
        return record

    def results(self) -> list[dict[str, Any]]:
        """The records without what was measured of the machine: equal in equal runs, to the last bit."""
        return [{name: value for name, value in record.items() if name not in MEASURED} for record in self.records()]

    def keep_records_to(self, step: int, *, epoch: int | None = None) -> None:
        """Drop the records of what comes again, before a run continues.

        Args:
            step: The last one that is kept.
            epoch: The one, from 0, with which the run goes on. It may have ended, with a record, at `step` already.
        """

        def comes_again(record: dict[str, Any]) -> bool:
            ends_again = epoch is not None and record["record"] == "epoch" and record["epoch"] >= epoch
            return bool(ends_again or record["step"] > step)

        kept = [record for record in self.records() if not comes_again(record)]
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept)
        write_atomically(self.metrics_path, text.encode())

    def remove_unfinished(self) -> None:
        """Delete what a kill left half written (`vietmer_core.files.write_atomically`)."""
        for path in self.path.rglob(".*.[0-9]*.tmp"):
            path.unlink(missing_ok=True)


def is_run(path: Path) -> bool:
    """Whether a folder holds a run."""
    return all((path / name).is_file() for name in RUN_FILES)


def _folder_around(path: Path) -> str:
    """What to give instead of a file: the run that holds it, where one does."""
    if is_run(path.parent):
        return f"Did you mean `{path.parent}`?"
    return "Give the folder that `train` printed; `vietmer runs list` shows those that exist."


def require_distinct(paths: Iterable[Path]) -> None:
    """Refuse a run that is given twice.

    Raises:
        AssemblyError: if one is.
    """
    seen: dict[Path, Path] = {}
    for path in paths:
        if (real := path.resolve()) in seen:
            raise AssemblyError(f"{path}: the run is given twice, as {seen[real]} before. Give each run once.")
        seen[real] = path


def find_runs(root: Path) -> Iterator[tuple[RunFolder, dict[str, Any]]]:
    """Every run under a folder with its status, oldest first; one whose files are damaged has the outcome `damaged`."""
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        if is_run(path):
            folder = RunFolder(path)
            try:
                found.append((str(folder.read_json(RUN_FILES[1]).get("started")), folder, folder.read_status()))
            except RunError:
                found.append(("", folder, {"outcome": "damaged"}))
    for _, folder, status in sorted(found, key=lambda run: (run[0], run[1].path.name)):
        yield folder, status


def remove_run(folder: RunFolder) -> None:
    """Delete a run's folder.

    Raises:
        RunError: if it cannot be deleted.
    """
    try:
        shutil.rmtree(folder.path)
    except OSError as error:
        raise RunError(f"{folder.path}: cannot be deleted: {error.strerror or error}.") from None
