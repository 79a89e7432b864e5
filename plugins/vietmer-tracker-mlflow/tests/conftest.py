from pathlib import Path

import pytest
from vietmer_tracker_mlflow.store import open_store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables, which take a second to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    open_store(path)
    return path
