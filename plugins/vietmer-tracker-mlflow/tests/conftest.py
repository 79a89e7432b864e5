import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from vietmer_tracker_mlflow.store import open_store


def _write_without_waiting(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Stores of the tests need not survive a loss of power; making one takes 2 s instead of up to 8."""
    event.listen(Engine, "connect", _write_without_waiting)
    yield
    event.remove(Engine, "connect", _write_without_waiting)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables, which take a second to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    open_store(path)
    return path
