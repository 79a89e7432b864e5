"""Speed of the feature cache on disk, as Markdown tables.

Run: `python benchmarks/cache_store.py [--folder FOLDER]`. It writes 2 GiB into a temporary folder and removes them.
Reads are in random order from files that the system holds in memory, in one thread; each array is copied into a batch,
as a loader does, unless a row says otherwise. For the time of opening, entries are of one number, 582 to a shard, as
many as 64 MiB hold of 3 s of Whisper-tiny in fp16.
"""

import argparse
import hashlib
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from vietmer_core.cache import writer
from vietmer_core.cache.dtypes import STORAGE, Dtype
from vietmer_core.cache.shard_format import ShardIndex
from vietmer_core.cache.space import FeatureSpace

NUM_FRAMES = 150
"""3 s at 50 frames a second."""
NUM_ENTRIES = 2000
NUM_ROUNDS = 5
ENTRIES_OF_A_SHARD = 582
SHAPES: Sequence[tuple[str, int, Dtype]] = (
    ("Whisper-tiny", 384, "fp16"),
    ("Whisper-tiny", 384, "fp32"),
    ("XLSR-53", 1024, "bf16"),
)


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def open_space(root: Path, *, kind: str, dim: int, dtype: Dtype) -> FeatureSpace:
    return FeatureSpace.open(root, {}, kind=kind, dim=dim, dtype=dtype)


def best_seconds(work: Callable[[], object], rounds: int = NUM_ROUNDS) -> float:
    """The least time of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def believing(_: ShardIndex, __: str, ___: object, ____: object) -> bool:
    return True


@contextmanager
def no_checksums() -> Iterator[None]:
    """Reads that believe what they find."""
    matches = ShardIndex.matches
    ShardIndex.matches = believing  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ShardIndex.matches = matches  # type: ignore[method-assign]


def read_all(read: Callable[[str], NDArray[Any]], keys: Sequence[str], batch: NDArray[Any] | None) -> None:
    for key in keys:
        array = read(key)
        if batch is not None:
            batch[: len(array)] = array


def print_reads(root: Path) -> None:
    print(f"| {NUM_FRAMES} frames of | MB an entry | reader | µs an entry | entries/s | GB/s |")
    print("|---|--:|---|--:|--:|--:|")
    for name, dim, dtype in SHAPES:
        space = open_space(root, kind="reads", dim=dim, dtype=dtype)
        stored = STORAGE[dtype].numpy
        array = np.random.default_rng(0).integers(0, 0x3C00, (NUM_FRAMES, dim)).astype(stored)
        files = root / ".writing-bench"
        files.mkdir(exist_ok=True)
        with space.filling(flush_seconds=math.inf) as filling:
            for number in range(NUM_ENTRIES):
                filling.put(key_of(number), array)
                np.save(files / f"{key_of(number)}.npy", array)
        keys = [key_of(number) for number in np.random.default_rng(1).permutation(NUM_ENTRIES).tolist()]
        batch = np.zeros((NUM_FRAMES, dim), stored)

        def load(key: str, folder: Path = files) -> NDArray[Any]:
            return np.asarray(np.load(folder / f"{key}.npy"))

        def row(reader: str, seconds: float, name: str = f"{name}, {dtype}", size: int = array.nbytes) -> None:
            each = seconds / NUM_ENTRIES
            rate = f"{1 / each:,.0f} | {size / each / 1e9:.1f}"
            print(f"| {name} | {size / 1e6:.2f} | {reader} | {1e6 * each:.0f} | {rate} |")

        row("cache, verified", best_seconds(lambda s=space, k=keys, b=batch: read_all(s.read, k, b)))  # type: ignore[misc]
        row("cache, verified, not copied", best_seconds(lambda s=space, k=keys: read_all(s.read, k, None)))  # type: ignore[misc]
        with no_checksums():
            row("cache without checksums", best_seconds(lambda s=space, k=keys, b=batch: read_all(s.read, k, b)))  # type: ignore[misc]
        row("a `.npy` file each, no checksum", best_seconds(lambda k=keys, b=batch, r=load: read_all(r, k, b)))  # type: ignore[misc]
        shutil.rmtree(files)
        shutil.rmtree(space.path)
    print()


def print_opening(root: Path) -> None:
    print("| utterances | shards | headers, MB | open, ms | µs an utterance | memory of the index, MB |")
    print("|--:|--:|--:|--:|--:|--:|")
    writer.SHARD_ENTRIES = ENTRIES_OF_A_SHARD  # type: ignore[misc]
    times, counts = [], (1_000, 3_000, 10_000, 30_000, 50_000, 100_000)
    space = open_space(root, kind="opening", dim=1, dtype="fp16")
    done = 0
    for count in counts:
        with space.filling(flush_seconds=math.inf) as filling:
            for number in range(done, count):
                filling.put(key_of(number), np.ones((1, 1), np.float16))
        done = count
        shards = list(space.path.glob("shard-*"))
        headers = sum(path.stat().st_size for path in shards)
        before = psutil.Process().memory_info().rss
        held = open_space(root, kind="opening", dim=1, dtype="fp16")
        assert len(held) == count
        memory = psutil.Process().memory_info().rss - before
        del held

        def opened() -> int:
            return len(open_space(root, kind="opening", dim=1, dtype="fp16"))

        seconds = best_seconds(opened)
        times.append(seconds)
        cells = f"{1e3 * seconds:.0f} | {1e6 * seconds / count:.1f} | {max(0, memory) / 1e6:.0f}"
        print(f"| {count:,} | {len(shards)} | {headers / 1e6:.1f} | {cells} |")
    slope = np.polyfit(np.log(counts), np.log(times), 1)[0]
    print(f"\nGrowth exponent of opening: {slope:.2f}\n")
    shutil.rmtree(space.path)


def print_writes(root: Path) -> None:
    print("| 150 frames of | given as | µs an entry | entries/s | GB/s to the disk |")
    print("|---|---|--:|--:|--:|")
    for name, dim, dtype in SHAPES:
        given = np.random.default_rng(0).standard_normal((NUM_FRAMES, dim)).astype(np.float32)
        space = open_space(root, kind="writes", dim=dim, dtype=dtype)

        def fill(space: FeatureSpace = space, array: NDArray[np.float32] = given) -> None:
            with space.filling(flush_seconds=math.inf) as filling:
                for number in range(NUM_ENTRIES // 4):
                    filling.put(key_of(number), array)

        each = best_seconds(fill, rounds=3) / (NUM_ENTRIES // 4)
        stored = given.size * STORAGE[dtype].numpy.itemsize
        print(f"| {name}, {dtype} | float32 | {1e6 * each:.0f} | {1 / each:,.0f} | {stored / each / 1e9:.2f} |")
        shutil.rmtree(space.path)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to write; the system's temporary folder by default")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as folder:
        root = Path(folder) / "cache"
        print_reads(root)
        print_opening(root)
        print_writes(root)


if __name__ == "__main__":
    main()
