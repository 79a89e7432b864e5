"""The layers of a pretrained network one after the other: what they give, and gradient checkpointing of those trained.

Also how its states are computed where they may be kept (`CacheableEncoder`).
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vietmer_core.nn.dropout import checkpoint_contexts

Step = Callable[[nn.Module, Tensor], Tensor]
"""Calls a layer on the states that enter it, `(batch, time, dim)`, with whatever else it reads; its states."""


def layer_states(layers: Iterable[nn.Module], entering: Tensor, *, step: Step, keep_all: bool) -> list[Tensor]:
    """The states `(batch, time, dim)` of a stack of layers, numbered as transformers numbers them.

    Args:
        layers: From the bottom to the top.
        entering: What enters the first one, number 0.
        step: Calls a layer.
        keep_all: Whether all states are returned, from number 0 on, not the last alone.
    """
    states, kept = entering, [entering]
    for layer in layers:
        states = step(layer, states)
        kept = [*kept, states] if keep_all else [states]
    return kept


def call(module: Callable[..., Any], *arguments: Any, recomputes: bool) -> Any:
    """`module(*arguments)`, run again in the backward pass if its activations are not to be kept.

    Args:
        module: A layer; or a function of a few of them, which counts as trained.
        arguments: What it reads.
        recomputes: Gradient checkpointing (Chen et al. 2016) of modules in training mode. The second run drops what
            the first one dropped (`UtteranceDropout`).
    """
    if not (recomputes and getattr(module, "training", True) and torch.is_grad_enabled()):
        return module(*arguments)
    if torch.compiler.is_compiling():  # the compiler itself repeats the draws
        return checkpoint(module, *arguments, use_reentrant=False)
    return checkpoint(module, *arguments, use_reentrant=False, context_fn=checkpoint_contexts)


def encoding(obstacle: str) -> AbstractContextManager[Any]:
    """The context of `CacheableEncoder.encode`: without gradient where there is no obstacle."""
    return nullcontext() if obstacle else torch.no_grad()
