import pytest
import torch
from torch import Tensor, nn

from vietmer_core.nn.projection import projection

INPUT_DIM, DIM = 5, 8


def plain(dropout: float | None) -> nn.Sequential:
    """As every fusion wrote it for itself."""
    if dropout is None:
        return nn.Sequential(nn.Linear(INPUT_DIM, DIM), nn.LayerNorm(DIM))
    return nn.Sequential(nn.Linear(INPUT_DIM, DIM), nn.LayerNorm(DIM), nn.Dropout(dropout))


def trained(network: nn.Sequential) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The losses of a few steps in training mode, and the state after them."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        loss = network(torch.randn(2, 3, INPUT_DIM)).pow(3).mean()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.detach())
    return losses, network.state_dict()


@pytest.mark.parametrize("dropout", [None, 0.0, 0.4])
def test_parameters_names_draws_and_losses_are_those_of_the_plain_layers_to_the_bit(dropout: float | None) -> None:
    torch.manual_seed(3)
    expected_losses, expected = trained(plain(dropout))
    torch.manual_seed(3)
    losses, state = trained(projection(INPUT_DIM, DIM, dropout=dropout))
    assert list(state) == list(expected) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert all(torch.equal(state[name], expected[name]) for name in state)
    assert torch.equal(torch.stack(losses), torch.stack(expected_losses))


def test_other_layers_would_be_noticed() -> None:
    torch.manual_seed(3)
    expected_losses, _ = trained(plain(None))
    torch.manual_seed(3)
    losses, _ = trained(projection(INPUT_DIM, DIM, dropout=0.4))
    assert not torch.equal(torch.stack(losses), torch.stack(expected_losses))
