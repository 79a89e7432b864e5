"""A stack of layers: which states are kept, which layers are run again, and when nothing may have a gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vietmer_core.pretrained import stack
from vietmer_core.pretrained.stack import call, encoding, layer_states


def step(layer: nn.Module, states: Tensor) -> Tensor:
    output: Tensor = layer(states)
    return output


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_states_are_numbered_from_what_enters_the_first_layer(num_layers: int) -> None:
    layers = [nn.Linear(4, 4) for _ in range(num_layers)]
    entering = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    states = layer_states(layers, entering, step=step, keep_all=True)
    assert len(states) == num_layers + 1
    assert states[0] is entering
    for layer, before, after in zip(layers, states[:-1], states[1:], strict=True):
        assert torch.equal(after, layer(before))
    (last,) = layer_states(layers, entering, step=step, keep_all=False)
    assert torch.equal(last, states[-1])


@pytest.fixture
def runs_again(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is called under gradient checkpointing."""
    made: list[object] = []

    def noted(module: Any, *arguments: Tensor, **options: Any) -> Any:
        made.append(module)
        return checkpoint(module, *arguments, **options)

    monkeypatch.setattr(stack, "checkpoint", noted)
    return made


def test_only_what_is_trained_is_run_again(runs_again: list[object]) -> None:
    trained, frozen = nn.Linear(4, 4), nn.Linear(4, 4).eval()
    entering = torch.randn(2, 4, requires_grad=True)
    for module in (trained, frozen):
        assert torch.equal(call(module, entering, recomputes=True), module(entering))
    assert runs_again == [trained]
    call(trained, entering, recomputes=False)
    with torch.no_grad():
        call(trained, entering, recomputes=True)
    assert runs_again == [trained]


def test_a_function_counts_as_trained(runs_again: list[object]) -> None:
    def doubled(states: Tensor) -> Tensor:
        return 2 * states

    entering = torch.ones(2, requires_grad=True)
    torch.autograd.backward(call(doubled, entering, recomputes=True).sum())
    assert runs_again == [doubled]
    assert entering.grad is not None
    assert entering.grad.tolist() == [2, 2]


def test_states_that_may_be_kept_have_no_gradient() -> None:
    layer, entering = nn.Linear(4, 4), torch.randn(2, 4, requires_grad=True)
    with encoding(""):
        assert not layer(entering).requires_grad
    with encoding("`lora` trains inside it"):
        assert layer(entering).requires_grad
    with torch.no_grad(), encoding("`lora` trains inside it"):
        assert not layer(entering).requires_grad
