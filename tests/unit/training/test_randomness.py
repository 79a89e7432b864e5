"""Every global generator is begun, kept and restored."""

import io
import random

import numpy as np
import torch

from vietmer_core.training.randomness import random_states, restore_random_states, seed_everything

CPU = torch.device("cpu")


def drawn() -> tuple[float, float, float, float]:
    """One number of each generator, and NumPy's cached second normal number."""
    return float(torch.rand(())), random.random(), float(np.random.rand()), float(np.random.randn())  # noqa: NPY002, S311  # the global ones are tested


def test_states_go_through_a_file_and_continue_every_generator() -> None:
    seed_everything(3, rank=0)
    drawn()
    file = io.BytesIO()
    torch.save(random_states(CPU), file)
    expected = [drawn() for _ in range(3)]
    file.seek(0)
    restore_random_states(torch.load(file, weights_only=True), CPU)
    assert [drawn() for _ in range(3)] == expected


def test_each_process_and_each_seed_begins_elsewhere() -> None:
    found = []
    for seed, rank in ((3, 0), (3, 1), (4, 0), (3, 0)):
        seed_everything(seed, rank=rank)
        found.append(drawn())
    assert found[0] == found[3]
    assert len({numbers[0] for numbers in found}) == 3
    assert len({numbers[1] for numbers in found}) == 3
    assert len({numbers[2] for numbers in found}) == 3
