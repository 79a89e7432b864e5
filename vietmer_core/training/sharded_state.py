"""Optimiser states as a checkpoint keeps them: whole, whether or not the processes hold pieces of them."""

from typing import Any, cast

from torch import Tensor, nn


def _inner(optimiser: Any) -> Any:
    """The optimiser that Accelerate has wrapped."""
    return getattr(optimiser, "optimizer", optimiser)


def optimiser_state(forward: nn.Module, optimiser: Any, *, sharded: bool) -> dict[str, Any]:
    """The state of an optimiser; where it is in pieces, every process must ask together."""
    if not sharded:
        return cast("dict[str, Any]", optimiser.state_dict())
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict  # slow to import

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    return cast("dict[str, Any]", get_optimizer_state_dict(forward, _inner(optimiser), options=options))


def load_optimiser_state(forward: nn.Module, optimiser: Any, state: dict[str, Any], *, sharded: bool) -> None:
    """Put back what `optimiser_state` gave.

    Raises:
        ValueError: if it belongs to other parameters.
    """
    if not sharded:
        optimiser.load_state_dict(state)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict  # slow to import

    options = StateDictOptions(full_state_dict=True)
    set_optimizer_state_dict(forward, _inner(optimiser), state, options=options)


def whole(tensor: Tensor) -> Tensor:
    """A tensor that the processes hold in pieces, gathered on the CPU; every process must ask together."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else cast("Tensor", gather()).cpu()
