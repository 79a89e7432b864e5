import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vietmer_executor_ray.usage_data import OFF

NODE = {"num_cpus": 1, "object_store_memory": 80 * 1024**2}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real cluster of one node with one core, which the test process has joined; a test may add another node."""
    kept = dict(os.environ)
    os.environ.update({**OFF, "HOME": str(tmp_path_factory.mktemp("home"))})
    import ray
    from ray.cluster_utils import Cluster
    from vietmer_executor_ray.cluster import join

    for is_last in (False, False, True):
        made = Cluster()
        try:
            made.add_node(include_dashboard=False, **NODE)  # type: ignore[arg-type]  # numbers of its own options
            break
        except Exception as error:  # Ray gives a node 30 s to start, which a machine in use may not meet
            made.shutdown()  # type: ignore[no-untyped-call]  # Ray does not type it
            if is_last or "timed out during startup" not in str(error):
                raise
    try:
        join(made.address)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()  # type: ignore[no-untyped-call]  # Ray does not type it
        os.environ.clear()
        os.environ.update(kept)


@pytest.fixture
def node(cluster: Any) -> Iterator[Any]:
    """One more node of that cluster, with one core."""
    made = cluster.add_node(**NODE)
    yield made
    if made in cluster.worker_nodes:
        cluster.remove_node(made, allow_graceful=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cells"
