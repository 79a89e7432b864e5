"""Random numbers that belong to an utterance: functions of its seed and of the place they are drawn for.

Counter-based, without state: the number at a place is the same whatever batch the utterance stands in, wherever it
stands in it, however wide it is padded, on a CPU and on a GPU, bit for bit. The mixing is that of SplitMix64 (Steele,
Lea, Flood 2014, "Fast splittable pseudorandom number generators"), applied once for each axis.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor


def _signed(bits: int) -> int:
    """64 bits as the int64 that torch knows."""
    return bits - 2**64 if bits >= 2**63 else bits


_INCREMENT: Final = _signed(0x9E3779B97F4A7C15)
_FIRST_FACTOR: Final = _signed(0xBF58476D1CE4E5B9)
_SECOND_FACTOR: Final = _signed(0x94D049BB133111EB)


def _right(bits: Tensor, places: int) -> Tensor:
    """A logical shift to the right: torch's own of an int64 repeats the sign."""
    return (bits >> places).bitwise_and_((1 << (64 - places)) - 1)


def _mixed(bits: Tensor) -> Tensor:
    """The output function of SplitMix64, a bijection of int64; products wrap around."""
    bits = _right(bits, 30).bitwise_xor_(bits).mul_(_FIRST_FACTOR)
    bits = _right(bits, 27).bitwise_xor_(bits).mul_(_SECOND_FACTOR)
    return _right(bits, 31).bitwise_xor_(bits)


def folded(draws: Tensor, number: Tensor | int) -> Tensor:
    """Other seeds of the same rows: one independent stream for each `number` (from 0), which broadcasts to `draws`."""
    numbers = torch.full_like(draws[:1], number) if isinstance(number, int) else number
    # (number + 1) * increment, written so that no compiler takes it into its index arithmetic, which overflows
    return _mixed(draws + ~numbers * -_INCREMENT)


def utterance_draws(identities: Tensor, *, seed: int, epoch: int) -> Tensor:
    """The seed of each utterance's draws in an epoch, `(batch,)` int64, from `identities (batch,)` int64.

    Args:
        identities: Who is who (`Batch.identities`).
        seed: Of the run, 0 to 2^63 - 1.
        epoch: From 0.
    """
    return folded(folded(_mixed(identities), seed % 2**63), epoch)


def fresh_draws(rows: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Seeds `(rows,)` from torch's global generator, for a caller that gives none."""
    return torch.randint(-(2**62), 2**62, (rows,), device=device)


def part_draws(draws: Tensor | None, *, owners: Tensor, positions: Tensor) -> Tensor | None:
    """The seeds of parts that rows are cut into, such as windows: part i is number `positions[i]` of row `owners[i]`.

    `draws (batch,)`, `owners (parts,)`, `positions (parts,)` int64 → `(parts,)`; None stays None.
    """
    return None if draws is None else folded(draws[owners], positions)


def random_bits(draws: Tensor, *, stream: int, shape: Sequence[int]) -> Tensor:
    """Uniform int32 numbers `(batch, *shape)`; as `uniforms`, before the conversion."""
    if not shape:
        return random_bits(draws, stream=stream, shape=(1,))[:, 0]
    state = folded(_mixed(draws), stream)  # (batch,)
    *outer, last = shape
    for size in [*outer, (last + 1) // 2]:  # 64 bits serve two neighbours
        state = folded(state[..., None], torch.arange(size, device=draws.device))  # (batch, ..., size)
    return state.view(torch.int32)[..., :last]  # (batch, *shape)


def uniforms(draws: Tensor, *, stream: int, shape: Sequence[int]) -> Tensor:
    """Numbers in [0, 1), `(batch, *shape)` float32, multiples of 2^-24.

    The number at `(row, i, j, ...)` is a function of `draws[row]`, `stream` and the indices `i, j, ...` alone, never
    of the sizes in `shape`: a wider shape holds the numbers of a narrower one.

    Args:
        draws: `(batch,)` int64, the seed of each row.
        stream: Which numbers, from 0; another purpose takes another stream.
        shape: Of each row.
    """
    bits = random_bits(draws, stream=stream, shape=shape)
    return (bits >> 8).bitwise_and_(2**24 - 1).to(torch.float32).mul_(2.0**-24)


def chosen(draws: Tensor, *, stream: int, shape: Sequence[int], probability: float) -> Tensor:
    """`(batch, *shape)` bool, True with `probability` (exact to 2^-32); the places are those of `uniforms`."""
    bound = min(round(probability * 2**32) - 2**31, 2**31 - 1)
    return random_bits(draws, stream=stream, shape=shape) < bound
