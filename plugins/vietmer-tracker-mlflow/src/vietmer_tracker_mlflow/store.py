"""MLflow's SQLite store: opened by one process at a time, and put back to a step.

The store's own interface only adds. Where a run continues from a checkpoint, the steps after it are taken again, so
what was logged of them is deleted, in the two tables that hold metrics.
"""

import logging
import sqlite3
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from vietmer_core.errors import RunError

ARTIFACTS: Final = "mlartifacts"
"""Folder beside the store: the small files that a run shows in MLflow."""

BUSY_SECONDS: Final = 30.0
"""How long to wait for another process that writes."""


@contextmanager
def in_words(store: Path) -> Iterator[None]:
    """What MLflow, SQLite or the disk refuses, as one sentence."""
    try:
        with warnings.catch_warnings():
            # MLflow's queries use what SQLAlchemy 2.1 calls deprecated.
            warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
            yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        told = str(error).partition("[SQL:")[0]  # SQLAlchemy appends the statement
        reason = " ".join(told.split()).rstrip(".")[:300]
        raise RunError(f"{store}: MLflow's store cannot be used: {reason}.") from None


def open_store(store: Path) -> MlflowClient:
    """A client of the store, which is made where it is not there.

    Raises:
        RunError: if it is no database of this MLflow's version, or the disk refuses.
    """
    _quieten_log()
    address = f"sqlite:///{store}"
    with in_words(store):
        store.parent.mkdir(parents=True, exist_ok=True)
        with _alone(store):
            with closing(sqlite3.connect(store, timeout=BUSY_SECONDS)) as database:  # MLflow would try for a minute
                database.execute("PRAGMA schema_version")
            client = MlflowClient(tracking_uri=address, registry_uri=address)
            client.search_experiments(max_results=1)  # makes the tables
    return client


def _quieten_log() -> None:
    """MLflow tells of each table that it makes, and logs the traceback of what `in_words` says in a sentence."""
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextmanager
def _alone(store: Path) -> Iterator[None]:
    """One process at a time: two that make the tables of one store stop each other."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with store.with_name(f"{store.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def experiment_id(client: MlflowClient, name: str, *, store: Path) -> str:
    """The experiment of that name, which is made where it is not there.

    Raises:
        RunError: if it was deleted in MLflow.
    """
    with in_words(store), _alone(store):
        found = client.get_experiment_by_name(name)
        if found is None:
            return str(client.create_experiment(name, artifact_location=(store.parent / ARTIFACTS).as_uri()))
    if found.lifecycle_stage != "active":
        restore = f"mlflow experiments restore --experiment-id {found.experiment_id}"
        raise RunError(f"{store}: the experiment `{name}` was deleted. Name another, or restore it: `{restore}`.")
    return str(found.experiment_id)


def last_logged(store: Path, run_id: str, metric: str) -> int:
    """The last step of a metric; 0 where there is none."""
    with in_words(store), closing(sqlite3.connect(store, timeout=BUSY_SECONDS)) as database:
        query = "SELECT max(step) FROM metrics WHERE run_uuid = ? AND key = ?"
        (step,) = database.execute(query, (run_id, metric)).fetchone()
    return int(step or 0)


def forget_after(store: Path, run_id: str, step: int) -> None:
    """Delete what was logged of later steps, so that the latest values are those of the steps that are left."""
    with in_words(store), closing(sqlite3.connect(store, timeout=BUSY_SECONDS)) as database, database:
        database.execute("DELETE FROM metrics WHERE run_uuid = ? AND step > ?", (run_id, step))
        database.execute("DELETE FROM latest_metrics WHERE run_uuid = ?", (run_id,))
        database.execute(  # SQLite takes the columns beside `max` from the row that has it
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) "
            "SELECT key, value, timestamp, max(step), is_nan, run_uuid FROM metrics WHERE run_uuid = ? GROUP BY key",
            (run_id,),
        )
