"""Training mode without dropout draws nothing, in every place where torch drops units."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vietmer_core.testing.dropout import WithoutDropout

INPUT = torch.linspace(-1, 1, 2 * 5 * 8).reshape(2, 5, 8)  # (batch, time, dim)


def _packed(values: Tensor) -> Tensor:
    torch.manual_seed(0)
    lstm = nn.LSTM(8, 4, num_layers=2, dropout=0.5, batch_first=True)
    torch.seed()
    packed = nn.utils.rnn.pack_padded_sequence(values, torch.tensor([5, 3]), batch_first=True)
    states: Tensor = lstm(packed)[0].data
    return states


def _layer(make: Callable[[], nn.Module]) -> Callable[[Tensor], Tensor]:
    def run(values: Tensor) -> Tensor:
        torch.manual_seed(0)
        module = make().train()
        torch.seed()
        output = module(values, values, values) if isinstance(module, nn.MultiheadAttention) else module(values)
        found: Tensor = output[0] if isinstance(output, tuple) else output
        return found

    return run


PLACES: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": _layer(lambda: nn.Dropout(0.5)),
    "alpha dropout": _layer(lambda: nn.AlphaDropout(0.5)),
    "dropout of channels": _layer(lambda: nn.Dropout1d(0.5)),
    "torch.dropout": lambda values: torch.dropout(values, 0.5, train=True),
    "attention, named": lambda values: scaled_dot_product_attention(values, values, values, dropout_p=0.5),
    "attention, by place": lambda values: scaled_dot_product_attention(values, values, values, None, 0.5),
    "nn.MultiheadAttention": _layer(lambda: nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)),
    "LSTM": _layer(lambda: nn.LSTM(8, 4, num_layers=2, dropout=0.5, batch_first=True)),
    "GRU": _layer(lambda: nn.GRU(8, 4, num_layers=2, dropout=0.5, batch_first=True)),
    "packed LSTM": _packed,
    "transformer layer": _layer(lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)),
}


@pytest.fixture(autouse=True)
def _own_generator() -> object:
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.mark.parametrize("place", PLACES)
def test_dropout_is_off_inside_and_on_outside(place: str) -> None:
    run = PLACES[place]
    with WithoutDropout():
        assert torch.equal(run(INPUT), run(INPUT))
    assert not all(torch.equal(run(INPUT), run(INPUT)) for _ in range(8))
