"""The cluster: joined or started once in a process, and how many workers it holds."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import ray
from ray._private.node import Node

from vietmer_core.ablation.executor import Resources
from vietmer_core.errors import RunError

OBJECT_STORE_BYTES: Final = 80 * 1024**2
"""Of a cluster that is started here: jobs hand over no objects, and Ray takes no less than 75 MiB."""
NAMESPACE: Final = "vietmer"
KNOCK_SECONDS: Final = 10.0
TOO_SLOW: Final = "timed out during startup"
"""Ray gives its processes 30 s, which a machine in use may not meet."""
_JOINING: Final = threading.Lock()
"""The trials of a search begin in several threads, but one of them must join."""


def join(address: str | None) -> None:
    """Join a cluster, or start one of this machine alone; where this process has joined one already, it stays.

    Raises:
        RunError: if it does not answer.
    """
    with _JOINING:
        if not ray.is_initialized():
            _join(address)


def _join(address: str | None) -> None:
    try:
        with _handlers_kept():
            _initialise(address)
    except Exception as error:  # noqa: BLE001  # Ray raises just that where a process of it does not start in time
        where = "started here" if address is None else f"at `{address}`"
        reason = " ".join(str(error).split())
        raise RunError(f"the Ray cluster {where} does not answer: {reason.rstrip('.')}.") from None


def _initialise(address: str | None) -> None:
    quiet: Mapping[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": NAMESPACE}
    if address is not None:
        _knock(address)
        ray.init(address=address, **quiet)
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for is_last in (False, False, True):
        try:
            with _without_api_server():
                ray.init(
                    address="local",
                    num_cpus=cores,
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    **quiet,
                )
        except Exception as error:
            ray.shutdown()
            if is_last or TOO_SLOW not in str(error):
                raise
        else:
            return


@contextmanager
def _without_api_server() -> Iterator[None]:
    """Without a dashboard, Ray's API server does nothing but what `vietmer_executor_ray.usage_data` tells of."""
    node_class: Any = Node  # whose method is replaced for a while
    start = node_class.start_api_server

    def start_none(node: Node, *, include_dashboard: bool | None, raise_on_failure: bool) -> None:
        assert not include_dashboard
        del raise_on_failure
        node._webui_url = ""  # noqa: SLF001  # where it would be

    node_class.start_api_server = start_none
    try:
        yield
    finally:
        node_class.start_api_server = start


def _knock(address: str) -> None:
    """Ray itself waits for minutes for a head that is not there, and hears no signal meanwhile.

    Raises:
        OSError: if nothing listens.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray puts a handler of its own in the place of that for SIGTERM, by which the command saves what it has."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def alive_nodes() -> dict[str, Mapping[str, float]]:
    """The resources of each machine that is there, by its id, whether in use or not."""
    return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]  # Ray does not type it


def fitting(needs: Resources, nodes: Mapping[str, Mapping[str, float]]) -> int:
    """How many workers the machines hold, were nothing else on them."""
    wanted = {"CPU": float(needs.cpus), "GPU": needs.gpus, "memory": float(needs.memory_bytes or 0)}
    return sum(
        min(int(found.get(name, 0.0) / amount + 1e-9) for name, amount in wanted.items() if amount)
        for found in nodes.values()
    )


def described(needs: Resources) -> str:
    """`2 CPUs, 0.5 GPUs and 4.0 GiB of memory`, for people."""
    parts = [f"{needs.cpus} CPU{'' if needs.cpus == 1 else 's'}"]
    parts += [f"{needs.gpus:g} GPU{'' if needs.gpus == 1 else 's'}"] if needs.gpus else []
    parts += [f"{needs.memory_bytes / 1024**3:.1f} GiB of memory"] if needs.memory_bytes else []
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
