"""Checks of samplers: the order of a split is a pure function of the epoch and the seed, in every process alike."""

import json
import subprocess
import sys
from typing import Any, Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.protocols import Sampler
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError
from vietmer_core.testing.param_checks import fresh_environment
from vietmer_core.testing.profiles import check_settings

NUM_CLASSES: Final = 3

_PROBE: Final = """
import importlib, json, sys
import numpy as np
from vietmer_core.data.sizes import UtteranceSizes
build = importlib.import_module(sys.argv[1])
for name in sys.argv[2].split("."):
    build = getattr(build, name)
module = importlib.import_module(sys.argv[3])
params = getattr(module, sys.argv[4]).model_validate(json.loads(sys.argv[5]))
sizes = UtteranceSizes(
    audio_seconds=np.ones(9, np.float32), text_words=np.ones(9, np.int32), labels=np.arange(9, dtype=np.int32) % 3
)
sampler = build(params, sizes=sizes, seed=0)
epochs = [[[int(index) for index in batch] for batch in sampler.batches(epoch)] for epoch in range(3)]
print(json.dumps({"torch": "torch" in sys.modules, "epochs": epochs}))
"""


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


def sizes_of(num_utterances: int, seed: int) -> UtteranceSizes:
    """A split: durations up to 12 s, up to 30 words; some rows without audio, some without text, never without both."""
    generator = np.random.default_rng(seed)
    seconds = generator.uniform(0.3, 12, num_utterances).astype(np.float32)
    words = generator.integers(1, 30, num_utterances).astype(np.int32)
    absent = generator.integers(0, 8, num_utterances)
    labels = (np.arange(num_utterances) % NUM_CLASSES).astype(np.int32)
    return UtteranceSizes(
        audio_seconds=np.where(absent == 0, np.float32(0), seconds),
        text_words=np.where(absent == 1, np.int32(0), words),
        labels=generator.permutation(labels),
    )


def _sampler(candidate: Candidate, num_utterances: int, *, seed: int) -> Sampler:
    sizes = sizes_of(num_utterances, 0)
    sampler = candidate.component.build(candidate.params, sizes=sizes, seed=seed)
    if not isinstance(sampler, Sampler):
        raise ConformanceError(f"component `{candidate.name}`: {type(sampler).__name__} must fulfil `Sampler`.")
    return sampler


def _epoch(sampler: Sampler, epoch: int) -> list[list[int]]:
    return [[int(index) for index in batch] for batch in sampler.batches(epoch)]


def sampler_indices(candidate: Candidate) -> None:
    """Every draw is a position in the split, every batch holds one at least, and an epoch holds a batch."""

    @check_settings()
    @given(num_utterances=st.integers(1, 60), epoch=st.integers(0, 5))
    def holds(num_utterances: int, epoch: int) -> None:
        batches = _epoch(_sampler(candidate, num_utterances, seed=0), epoch)
        where = f"epoch {epoch} of a split of {num_utterances}"
        if not batches or not all(batches):
            raise _fail("sampler_indices", candidate, f"{where} holds an empty batch, or no batch at all.")
        wrong = [index for batch in batches for index in batch if not 0 <= index < num_utterances]
        if wrong:
            raise _fail("sampler_indices", candidate, f"{where} draws {wrong[0]}, which is no position in the split.")

    holds()


def sampler_pure(candidate: Candidate) -> None:
    """An epoch is the same from any sampler of the seed, in whatever order epochs are asked for."""

    @check_settings()
    @given(num_utterances=st.integers(1, 60), seed=st.integers(0, 2**31))
    def holds(num_utterances: int, seed: int) -> None:
        first, second = (_sampler(candidate, num_utterances, seed=seed) for _ in range(2))
        forward = {epoch: _epoch(first, epoch) for epoch in (0, 1, 2)}
        np.random.default_rng(seed).random()
        backward = {epoch: _epoch(second, epoch) for epoch in (2, 0, 1)}
        for epoch, batches in forward.items():
            if batches != backward[epoch]:
                message = f"epoch {epoch} of a split of {num_utterances} depends on what was asked before."
                raise _fail("sampler_pure", candidate, message)

    holds()


def sampler_epochs_differ(candidate: Candidate) -> None:
    """Two epochs have different orders, and so have two seeds."""
    first, second = _epoch(_sampler(candidate, 50, seed=0), 0), _epoch(_sampler(candidate, 50, seed=0), 1)
    if first == second:
        raise _fail("sampler_epochs_differ", candidate, "epochs 0 and 1 of a split of 50 have the same order.")
    if first == _epoch(_sampler(candidate, 50, seed=1), 0):
        raise _fail("sampler_epochs_differ", candidate, "seeds 0 and 1 give a split of 50 the same order.")


def sampler_torch_free(candidate: Candidate) -> None:
    """A sampler is built and draws an epoch without importing torch: `vietmer data` plans batches with it."""
    if _in_another_process("sampler_torch_free", candidate, hash_seed=0)["torch"]:
        raise _fail("sampler_torch_free", candidate, "building the sampler or drawing an epoch imports torch.")


def sampler_every_process(candidate: Candidate) -> None:
    """Every process draws the same order, whatever its hash seed: else shards would not be of one order."""
    first, second = (
        _in_another_process("sampler_every_process", candidate, hash_seed=seed)["epochs"] for seed in (1, 2)
    )
    if first != second:
        message = "two processes draw different orders from one seed. Does it use `hash()` of a text, or a set?"
        raise _fail("sampler_every_process", candidate, message)


def _in_another_process(check: str, candidate: Candidate, *, hash_seed: int) -> dict[str, Any]:
    """Whether torch was imported, and three epochs of a split of 9."""
    build, model = candidate.component.build, type(candidate.params)
    names = [build.__module__, build.__qualname__, model.__module__, model.__qualname__]
    command = [sys.executable, "-c", _PROBE, *names, json.dumps(candidate.params.model_dump(mode="json"))]
    environment = {**fresh_environment(), "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # our own interpreter
    if done.returncode:
        raise _fail(check, candidate, f"building it in a fresh interpreter fails:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
