"""How many rows a canonical pass has on a device, and where it may have several."""

from collections.abc import Iterator
from typing import Final

import attrs
import torch
from torch import nn

from vietmer_core.shapes import PassRows
from vietmer_core.spec import ShapesSpec

FRAMES_PER_PASS: Final = {"cpu": 1, "cuda": 8192}
"""Padded frames of 20 ms in a pass, by device. On a CPU a pass has one row: one utterance fills the cores, and dummy
rows would be waste."""
TOKENS_PER_PASS: Final = {"cpu": 1, "cuda": 2048}
MOST_ROWS: Final = 64
WIDTHS: Final = {"cpu": 32, "cuda": 8}
"""Several rows share a pass only where every width is a multiple of this: elsewhere a row's place in the memory decides
which kernel it meets. torch's loops on a CPU treat 32 numbers at once and the rest one by one, rounding otherwise."""


def pass_rows(shapes: ShapesSpec, device: torch.device) -> PassRows:
    """The rows of a spec's passes on a device."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    frames, tokens = shapes.frames_per_pass, shapes.tokens_per_pass
    return PassRows(
        frames=FRAMES_PER_PASS[kind] if frames is None else frames,
        tokens=TOKENS_PER_PASS[kind] if tokens is None else tokens,
        most=MOST_ROWS,
    )


def shared_rows(rows: PassRows, module: nn.Module, *, device: torch.device) -> PassRows:
    """The rows that a pass through a module may have: those given, or 1 where the place of a row would change bits.

    On a CPU with several threads it does: a row meets another kernel at the border of a thread's share.
    """
    kind = "cpu" if device.type == "cpu" else "cuda"
    is_alone = kind != "cpu" or torch.get_num_threads() == 1
    is_aligned = all(width % WIDTHS[kind] == 0 for width in _widths(module))
    return rows if is_alone and is_aligned else attrs.evolve(rows, most=1)


def _widths(module: nn.Module) -> Iterator[int]:
    """Widths of what the layers of a module read; of what they give, too, except of the head, whose classes are few."""
    heads = {id(layer) for part in (getattr(module, "head", None),) if part is not None for layer in part.modules()}
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            yield layer.in_features
            if id(layer) not in heads:
                yield layer.out_features
        elif isinstance(layer, nn.Conv1d):
            yield layer.out_channels
        elif isinstance(layer, nn.LSTM | nn.GRU):
            yield from (layer.input_size, layer.hidden_size)
