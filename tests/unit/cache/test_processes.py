"""Several processes fill and read one cache, and some of them are killed."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import psutil
import pytest

from vietmer_core.cache import locks
from vietmer_core.cache.space import FeatureSpace

Start = Callable[..., "subprocess.Popen[str]"]

NUM_KILLS = 8
ROUND = 40
"""Entries that a process would write in a round, if it were let."""


@pytest.fixture
def script() -> ModuleType:
    """The script of the processes, for its entries and its space."""
    import importlib.util

    path = Path(__file__).with_name("filling_process.py")
    spec = importlib.util.spec_from_file_location("filling_process_of_the_cache", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_only_whole_entries(start: Start, root: Path, script: ModuleType) -> None:
    chance = random.Random(0)  # noqa: S311  # a moment, not a secret
    promised: set[int] = set()
    for attempt in range(NUM_KILLS):
        process = start("fill", 0, ROUND * (attempt + 1))
        assert line_of(process) == "opened"
        time.sleep(chance.uniform(0.0, 0.12))
        process.kill()
        said = process.communicate()[0].split("\n")
        promised |= {int(line.split()[1]) for line in said if line.startswith("put ")}
    space: FeatureSpace = script.open_space(root)
    numbers = {script.key_of(number): number for number in range(ROUND * NUM_KILLS)}
    there = [key for key in numbers if key in space]
    assert promised
    assert promised <= {numbers[key] for key in there}  # what `put` and `flush` have finished is never lost
    assert space.check(numbers) == []
    for key in there:
        np.testing.assert_array_equal(space.read(key), script.features_of(numbers[key]))
    with space.filling(flush_seconds=0.0) as writer:
        assert list(root.rglob("*.tmp")) == []  # left of the dead
        for key in space.missing(list(numbers)[:ROUND]):
            writer.put(key, script.features_of(numbers[key]))
    assert space.missing(list(numbers)[:ROUND], verify=True) == []
    assert space.damage == ()


@pytest.mark.slow
def test_several_processes_write_and_read_at_once(start: Start, root: Path, script: ModuleType) -> None:
    writers = [start("fill", first, first + 20) for first in (0, 10)]
    readers = [start("read", 0, 30) for _ in range(2)]
    for process in (*writers, *readers):
        said, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        assert "put" in said or int(said.split()[1]) >= 30
    space: FeatureSpace = script.open_space(root)
    assert space.missing(map(script.key_of, range(30)), verify=True) == []
    headers = sum(len(shard.places) for shard in space._contents.shards)
    assert headers == 30  # the second writer saw what the first had written


@pytest.mark.slow
def test_the_lock_of_a_dead_process_does_not_block(start: Start, root: Path, script: ModuleType) -> None:
    holder = start("hold")
    assert line_of(holder) == "holding 0"
    space: FeatureSpace = script.open_space(root)
    other = FeatureSpace.open(root, script.IDENTITY, kind="wav2vec2", dim=script.DIM, dtype="fp16")
    with other.filling():  # another space is not locked
        pass
    told: list[str] = []

    def on_wait(sentence: str) -> None:
        told.append(sentence)
        holder.kill()

    with space.filling(on_wait=on_wait) as writer:
        writer.put(script.key_of(1), script.features_of(1))
    (sentence,) = told
    assert sentence.startswith(f"{space.path.name} of the feature cache is being filled by process {holder.pid} on ")
    assert script.key_of(1) in space


@pytest.mark.slow
def test_the_child_of_a_dead_process_does_not_block_either(start: Start, root: Path, script: ModuleType) -> None:
    holder = start("fork")
    child = int(line_of(holder).split()[1])
    try:
        holder.kill()
        holder.wait()
        path, until = script.open_space(root).path / "filling.lock", time.monotonic() + 20
        while (lock := locks.try_lock(path)) is None and time.monotonic() < until:
            time.sleep(0.01)  # the child gives up its copies when it comes to run
        assert lock is not None
        assert psutil.pid_exists(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_lock_excludes_another_in_the_same_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = locks.try_lock(path, shared=True), locks.try_lock(path, shared=True)
    assert first is not None
    assert second is not None
    assert locks.try_lock(path) is None
    first.release()
    first.release()  # once more is nothing
    del second  # given up with the object
    exclusive = locks.lock_in_turn(path)
    assert locks.try_lock(path, shared=True) is None
    assert str(path.stat().st_size) != "0"
    exclusive.release()
    assert locks.try_lock(path, make=False) is not None


def test_a_lock_on_a_file_that_was_replaced_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    monkeypatch.setattr(locks.os.path, "samestat", lambda *_: False)  # type: ignore[attr-defined]
    assert locks.try_lock(path) is None


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import fcntl

    from vietmer_core.errors import CacheError

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(CacheError, match="the file system has no file locks"):
        locks.try_lock(tmp_path / "lock")


def test_the_holder_of_a_lock_that_says_nothing_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert locks.read_holder(path) == "another process"
    path.write_text("[]", encoding="utf-8")
    assert locks.read_holder(path) == "another process"


def test_a_forked_child_touches_no_file_of_its_own(root: Path, script: ModuleType, tmp_path: Path) -> None:
    space: FeatureSpace = script.open_space(root)
    mine = tmp_path / "mine"
    mine.write_text("x")
    os.utime(mine, (1, 1))
    child = os.fork()
    if not child:  # the lock's descriptor is closed here, and its number is given to the next file that is opened
        try:
            held = [mine.open() for _ in range(8)]
            space.refresh()
            os._exit(0 if held else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert mine.stat().st_mtime == 1


def test_an_interrupt_in_the_middle_of_a_write_loses_nothing(
    root: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vietmer_core.cache.writer import Target

    space: FeatureSpace = script.open_space(root)
    original = Target.write
    interrupts = iter([True])

    def interrupted(self: Target, entries: object) -> object:
        if next(interrupts, False):
            raise KeyboardInterrupt
        return original(self, entries)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(Target, "write", interrupted)
    with pytest.raises(KeyboardInterrupt), space.filling() as writer:  # noqa: PT012  # the flush is what is interrupted
        for number in range(5):
            writer.put(script.key_of(number), np.ones((2, space.dim), np.float32))
        writer.flush()
    assert len(space) == 5
