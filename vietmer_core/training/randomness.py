"""Every state of random numbers that training may draw from, set, kept and restored."""

import random
from typing import Any, Final

import numpy as np
import torch

from vietmer_core.assembly import part_seed

NUMPY_BITS: Final = 32


def seed_everything(seed: int, *, rank: int) -> None:
    """Begin the global generators of this process: torch's, Python's and NumPy's. Other processes draw other numbers.

    The components of the house draw from torch's alone; a stranger's may draw from any.
    """
    own = part_seed(seed, "training" if rank == 0 else f"training {rank}")
    torch.manual_seed(own)
    random.seed(own)
    np.random.seed(own % 2**NUMPY_BITS)  # noqa: NPY002  # the global one, which strangers' code may use


def random_states(device: torch.device) -> dict[str, Any]:
    """The states, as tensors and plain values."""
    name, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002  # as above
    states: dict[str, Any] = {
        "cpu": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": (str(name), torch.from_numpy(np.asarray(keys, np.int64)), int(position), int(has_gauss), float(gauss)),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: dict[str, Any], device: torch.device) -> None:
    """Go on where the states were taken."""
    torch.set_rng_state(states["cpu"].cpu())
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002  # as above
    if "cuda" in states and device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"].cpu(), device)
