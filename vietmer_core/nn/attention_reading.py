"""Reading the attention weights of a forward pass, without changing it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from vietmer_core.protocols import ExposesAttention


def exposing_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The modules whose attention may be read, by their names in the model."""
    exposing: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        kept = module
        if isinstance(module, ExposesAttention):
            exposing[name] = kept
    return exposing


@contextmanager
def reading_attention(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """The attention weights of what is computed inside, by name; those of the last call of each module.

    A module computes them from the inputs of its forward pass, which returns what it would have returned. Nothing is
    left behind.

    Args:
        modules: Modules of `exposing_modules`.
    """
    found: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for name, module in modules.items():
            hook = module.register_forward_hook(partial(_note, found, name), with_kwargs=True)
            stack.callback(hook.remove)
        yield found


def _note(
    found: dict[str, Tensor], name: str, module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], _: Any
) -> None:
    assert isinstance(module, ExposesAttention)
    found[name] = module.attention_weights(*given, **named)
