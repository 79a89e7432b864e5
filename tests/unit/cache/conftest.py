"""A cache folder of a few utterances, and processes that fill it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vietmer_core.cache.dtypes import Dtype
from vietmer_core.cache.space import FeatureSpace

SCRIPT = Path(__file__).with_name("filling_process.py")

MakeSpace = Callable[..., FeatureSpace]
Features = dict[str, NDArray[np.float32]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def keys() -> Sequence[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(100)]


@pytest.fixture
def make_space(root: Path) -> MakeSpace:
    """Open a space; fields of its identity are changed by name."""

    def make(*, kind: str = "whisper", dim: int = 3, dtype: Dtype = "fp32", **fields: Any) -> FeatureSpace:
        identity: Mapping[str, Any] = {"checkpoint": "openai/whisper-tiny", "layers": "last", **fields}
        return FeatureSpace.open(root, identity, kind=kind, dim=dim, dtype=dtype)

    return make


@pytest.fixture
def features(keys: Sequence[str]) -> Features:
    """Five utterances of 0 to 4 frames of width 3."""
    return {key: np.random.default_rng(n).standard_normal((n, 3)).astype(np.float32) for n, key in enumerate(keys[:5])}


@pytest.fixture
def filled(make_space: MakeSpace, features: Features) -> FeatureSpace:
    """A space with these utterances in one shard."""
    space = make_space()
    with space.filling() as writer:
        for key, array in features.items():
            writer.put(key, array)
    return space


@pytest.fixture
def only_shard(filled: FeatureSpace) -> Path:
    (shard,) = filled.path.glob("*.safetensors")
    return shard


@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start a process of `filling_process.py`; all are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(command: str, first: int = 0, last: int = 0) -> "subprocess.Popen[str]":
        arguments = [sys.executable, str(SCRIPT), command, str(root), str(first), str(last)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
