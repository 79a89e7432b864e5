"""The random numbers of one operation on one utterance in one epoch. Torch-free."""

import hashlib

import numpy as np


def operation_numbers(*, seed: int, epoch: int, identity: int, operation: str) -> np.random.Generator:
    """A generator of its own for each operation, utterance and epoch; nothing else decides what it gives.

    Philox (Salmon et al. 2011) with the hash (BLAKE2b, 128 bit) of the four as its key.

    Args:
        seed: Of the run's augmentation.
        epoch: From 0.
        identity: Of the utterance (`vietmer_core.data.dataset.identity_of`).
        operation: Name of the operation, which no other operation of the run has.
    """
    digest = hashlib.blake2b(f"{seed}:{epoch}:{identity}:{operation}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
