"""A process that fills or reads a space; a script of the tests: `python filling_process.py COMMAND FOLDER FIRST LAST`.

Commands: `fill` writes a shard for each entry and says `put N` after each; `hold` takes the lock, says so and sleeps;
`fork` does the same and leaves a child that sleeps too; `read` reads every entry until `LAST` is there, and says how
many it has read.
"""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vietmer_core.cache.space import FeatureSpace

DIM = 8
IDENTITY = {"role": "audio", "checkpoint": "openai/whisper-tiny", "layers": "last", "frames_per_second": 50}


def key_of(number: int) -> str:
    """The key of an entry of the tests."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def features_of(number: int) -> NDArray[Any]:
    """Its features: of some megabytes now and then, so that a kill falls into the writing."""
    num_frames = 100_000 if number % 3 == 2 else number % 7
    return np.random.default_rng(number).standard_normal((num_frames, DIM)).astype(np.float16)


def open_space(root: Path) -> FeatureSpace:
    """The space of the tests."""
    return FeatureSpace.open(root, IDENTITY, kind="whisper", dim=DIM, dtype="fp16")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def fill(space: FeatureSpace, first: int, last: int) -> None:
    """Write what is missing."""
    say("opened")
    with space.filling(on_wait=say, flush_seconds=0.0) as writer:
        absent = set(space.missing(key_of(number) for number in range(first, last)))
        for number in range(first, last):
            if key_of(number) in absent:
                writer.put(key_of(number), features_of(number))
                say(f"put {number}")


def hold(space: FeatureSpace, *, with_child: bool) -> None:
    """Keep the lock until killed; the child, a worker of a loader, say, outlives this process by a while."""
    with space.filling():
        child = os.fork() if with_child else 0
        if child or not with_child:
            say(f"holding {child}")
        time.sleep(600)


def read(space: FeatureSpace, first: int, last: int) -> None:
    """Read what there is, over and over, until all is."""
    num_read = 0
    while True:
        space.refresh()
        there = [number for number in range(first, last) if key_of(number) in space]
        for number in there:
            np.testing.assert_array_equal(space.read(key_of(number)), features_of(number))
        num_read += len(there)
        if len(there) == last - first:
            say(f"read {num_read}")
            return


def main() -> None:
    command, root, first, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    space = open_space(root)
    if command == "fill":
        fill(space, first, last)
    elif command in {"hold", "fork"}:
        hold(space, with_child=command == "fork")
    else:
        read(space, first, last)


if __name__ == "__main__":
    main()
