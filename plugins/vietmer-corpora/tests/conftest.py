from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataProblemsError


@attrs.frozen(kw_only=True)
class Reading:
    """What an importer gives of a source: rows by id, and what was counted."""

    rows: dict[str, ImportedRow]
    skipped: dict[str, int]
    notes: dict[str, int]


Read = Callable[..., Reading]
Faults = Callable[..., list[str]]
Sample = Callable[[str], Path]


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Writes the sample of an importer and gives its folder."""

    def write(kind: str) -> Path:
        folder = tmp_path / kind
        folder.mkdir()
        component = installed_catalogue().component(Role.IMPORTER, kind)
        assert component.write_sample is not None
        component.write_sample(folder)
        return folder

    return write


@pytest.fixture
def read() -> Read:
    """Reads a source with an importer."""

    def run(kind: str, source: Path, **params: Any) -> Reading:
        component = installed_catalogue().component(Role.IMPORTER, kind)
        importer = component.build(component.params.model_validate({"kind": kind, **params}))
        log = ImportLog()
        rows = list(importer.rows(source, log=log))
        log.raise_any(source)
        return Reading(rows={row.utterance_id: row for row in rows}, skipped=dict(log.skipped), notes=dict(log.notes))

    return run


@pytest.fixture
def faults(read: Read, tmp_path: Path) -> Faults:
    """The faults of a source, each without the path of the test's folder."""

    def run(kind: str, source: Path, **params: Any) -> list[str]:
        with pytest.raises(DataProblemsError) as caught:
            read(kind, source, **params)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return run
