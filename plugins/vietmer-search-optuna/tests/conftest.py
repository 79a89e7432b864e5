import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from vietmer_search_optuna.plugin import OptunaParams, build


def _write_without_waiting(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Studies of the tests need not survive a loss of power."""
    event.listen(Engine, "connect", _write_without_waiting)
    yield
    event.remove(Engine, "connect", _write_without_waiting)


@pytest.fixture(scope="session")
def empty_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with its tables, which take a second to make, and a study without trials."""
    path = tmp_path_factory.mktemp("study") / "study.db"
    build(OptunaParams()).open(path, name="one", space={}, maximises=True)
    return path
