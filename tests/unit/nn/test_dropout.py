"""Each call of torch that drops units, replaced: who drops what, how much, and when it is refused."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import scaled_dot_product_attention

from vietmer_core.errors import AssemblyError
from vietmer_core.nn.draws import utterance_draws
from vietmer_core.nn.dropout import UtteranceDropout

ROWS, TIME, DIM = 3, 5, 8
INPUT = torch.linspace(0.5, 1.5, ROWS * TIME * DIM, dtype=torch.float64).reshape(ROWS, TIME, DIM)


def seeds(rows: int = ROWS) -> Tensor:
    return utterance_draws(torch.arange(rows), seed=0, epoch=0)


def _module(make: Callable[[], nn.Module]) -> Callable[[Tensor], Tensor]:
    def run(values: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = make().double().train()
        output = module(values, values, values) if isinstance(module, nn.MultiheadAttention) else module(values)
        found: Tensor = output[0] if isinstance(output, tuple) else output
        return found

    return run


def _time_first(values: Tensor) -> Tensor:
    return _module(lambda: nn.LSTM(DIM, 4, num_layers=3, dropout=0.5))(values.transpose(0, 1)).transpose(0, 1)


def _heads_first(values: Tensor) -> Tensor:
    """Rows × heads on the first axis, as older attention has it."""
    split = values.reshape(len(values), TIME, 2, DIM // 2).transpose(1, 2).flatten(0, 1)  # (rows * heads, time, dim)
    return functional.dropout(split, 0.5).reshape(len(values), 2, TIME, DIM // 2)


CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": _module(lambda: nn.Dropout(0.5)),
    "dropout in place": lambda values: functional.dropout(values.clone(), 0.5, inplace=True),
    "alpha dropout": _module(lambda: nn.AlphaDropout(0.5)),
    "alpha dropout of channels": _module(lambda: nn.FeatureAlphaDropout(0.5)),
    "dropout of channels": _module(lambda: nn.Dropout1d(0.5)),
    "dropout of planes": lambda values: functional.dropout2d(values[..., None], 0.5),
    "dropout of volumes": lambda values: functional.dropout3d(values[..., None, None], 0.5),
    "torch.dropout": lambda values: torch.dropout(values, 0.5, train=True),
    "torch.dropout_": lambda values: torch.dropout_(values.clone(), 0.5, train=True),
    "torch.feature_dropout": lambda values: torch.feature_dropout(values, 0.5, train=True),
    "rows and heads together": _heads_first,
    "attention, named": lambda values: scaled_dot_product_attention(values, values, values, dropout_p=0.5),
    "attention, by place": lambda values: scaled_dot_product_attention(values, values, values, None, 0.5),
    "nn.MultiheadAttention": _module(lambda: nn.MultiheadAttention(DIM, 2, dropout=0.5, batch_first=True)),
    "LSTM": _module(lambda: nn.LSTM(DIM, 4, num_layers=3, dropout=0.5, batch_first=True, bidirectional=True)),
    "LSTM, time first": _time_first,
    "LSTM, projected": _module(lambda: nn.LSTM(DIM, 6, num_layers=2, dropout=0.5, batch_first=True, proj_size=4)),
    "GRU": _module(lambda: nn.GRU(DIM, 4, num_layers=2, dropout=0.5, batch_first=True, bias=False)),
    "RNN": _module(lambda: nn.RNN(DIM, 4, num_layers=2, dropout=0.5, batch_first=True)),
    "RNN, ReLU": _module(lambda: nn.RNN(DIM, 4, num_layers=2, dropout=0.5, batch_first=True, nonlinearity="relu")),
    "transformer layer": _module(lambda: nn.TransformerEncoderLayer(DIM, 2, 16, dropout=0.5, batch_first=True)),
}


def dropped(call: Callable[[Tensor], Tensor], values: Tensor, draws: Tensor, *, stream: int = 0) -> Tensor:
    with UtteranceDropout(draws, stream=stream):
        return call(values)


@pytest.mark.parametrize("name", CALLS)
def test_a_row_drops_the_same_in_every_batch_and_nothing_comes_from_torchs_generator(name: str) -> None:
    call, draws = CALLS[name], seeds()
    with torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        batch = dropped(call, INPUT, draws)
        assert torch.equal(torch.get_rng_state(), before)
    for row in range(ROWS):
        alone = dropped(call, INPUT[row : row + 1], draws[row : row + 1])
        assert torch.allclose(alone[0], batch[row], rtol=0, atol=1e-12)
    assert torch.allclose(dropped(call, INPUT.flip(0), draws.flip(0)).flip(0), batch, rtol=0, atol=1e-12)
    assert not torch.allclose(dropped(call, INPUT, draws, stream=1), batch)
    assert not torch.allclose(dropped(call, INPUT, draws.flip(0)), batch)


@pytest.mark.parametrize("name", CALLS)
def test_torch_itself_drops_other_units_in_another_batch(name: str) -> None:
    """The counter-example."""
    apart = 0.0
    with torch.random.fork_rng(devices=[]):
        for seed in range(5):
            torch.manual_seed(seed)
            batch = CALLS[name](INPUT)
            torch.manual_seed(seed)
            apart = max(apart, float((CALLS[name](INPUT[1:2])[0] - batch[1]).detach().abs().max()))
    assert apart > 1e-3


WIDE = torch.ones(200, 40, 10)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_kept_units_are_divided_by_their_probability(p: float) -> None:
    output = dropped(lambda values: functional.dropout(values, p), WIDE, seeds(200))
    kept = output[output != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - p)))
    error = math.sqrt(p * (1 - p) / WIDE.numel())
    assert abs(len(kept) / WIDE.numel() - (1 - p)) < 4 * error
    assert abs(float(output.mean()) - 1) < 4 * error / (1 - p)


def test_no_unit_is_dropped_more_often_than_another() -> None:
    share = (dropped(lambda values: functional.dropout(values, 0.3), torch.ones(4000, 6, 5), seeds(4000)) == 0).double()
    assert float((share.mean(dim=0) - 0.3).abs().max()) < 4.5 * math.sqrt(0.3 * 0.7 / 4000)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    values = torch.randn(200, 40, 50, generator=torch.Generator().manual_seed(0))
    output = dropped(lambda inside: functional.alpha_dropout(inside, 0.3, training=True), values, seeds(200))
    assert abs(float(output.mean()) - float(values.mean())) < 0.02
    assert abs(float(output.var()) - float(values.var())) < 0.02


def test_channels_are_dropped_whole() -> None:
    output = dropped(lambda values: functional.dropout1d(values, 0.5), WIDE, seeds(200))
    assert set(((output == 0).sum(dim=2)).flatten().tolist()) == {0, 10}


@pytest.mark.parametrize("name", ["dropout", "attention, named", "LSTM"])
def test_two_calls_drop_differently(name: str) -> None:
    with UtteranceDropout(seeds(), stream=0):
        first, second = CALLS[name](INPUT), CALLS[name](INPUT)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize(
    "call", [lambda x: functional.dropout(x, 0.5, training=False), lambda x: functional.dropout(x, 0.0)]
)
def test_what_drops_nothing_passes_its_input_on(call: Callable[[Tensor], Tensor]) -> None:
    assert dropped(call, INPUT, seeds()) is INPUT


def test_everything_can_be_dropped() -> None:
    values = INPUT.clone().requires_grad_()
    output = dropped(lambda inside: functional.dropout(inside, 1.0), values, seeds())
    torch.autograd.backward(output.sum())
    assert values.grad is not None
    assert not output.any()
    assert not values.grad.any()


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_a_probability_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match=rf"`p` must lie between 0 and 1, but is {p} instead"):
        dropped(lambda values: functional.dropout(values, p), INPUT, seeds())


def test_in_place_is_in_place() -> None:
    values = INPUT.clone()
    assert dropped(lambda inside: functional.dropout(inside, 0.5, inplace=True), values, seeds()) is values
    assert bool((values == 0).any())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scale": 0.3},
        {"is_causal": True},
        {"attn_mask": torch.arange(TIME)[None, None, :] < torch.tensor([5, 2, 0])[:, None, None]},
        {"attn_mask": torch.linspace(-3, 3, TIME, dtype=torch.float64).expand(TIME, TIME)},
    ],
    ids=["plain", "scale", "causal", "mask", "added mask"],
)
def test_attention_in_plain_arithmetic_is_torchs(settings: dict[str, object]) -> None:
    values = INPUT.clone().requires_grad_()
    found = dropped(lambda x: scaled_dot_product_attention(x, x, x, dropout_p=1e-15, **settings), values, seeds())  # type: ignore[arg-type]  # of various types
    expected = scaled_dot_product_attention(INPUT, INPUT, INPUT, **settings)  # type: ignore[arg-type]  # as above
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    torch.autograd.backward(found.sum())
    assert values.grad is not None
    assert bool(torch.isfinite(values.grad).all())  # also where a row has no key


def test_grouped_heads_are_torchs_too() -> None:
    query = torch.randn(ROWS, 4, TIME, 6, generator=torch.Generator().manual_seed(0))
    key = torch.randn(ROWS, 2, TIME, 6, generator=torch.Generator().manual_seed(1))
    found = dropped(
        lambda x: scaled_dot_product_attention(x, key, key, dropout_p=1e-15, enable_gqa=True), query, seeds()
    )
    expected = scaled_dot_product_attention(query, key, key, enable_gqa=True)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_one_by_one_are_torchs(kind: Callable[..., nn.RNNBase]) -> None:
    network = kind(DIM, 4, num_layers=3, batch_first=True, bidirectional=True).double()
    expected, expected_last = network(INPUT)
    network.dropout = 1e-15
    with UtteranceDropout(seeds(), stream=0):
        found, found_last = network(INPUT)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    for one, other in zip(found_last, expected_last, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(7, ROWS), (2, 6), ()])
def test_a_tensor_that_does_not_begin_with_the_rows_is_refused(shape: tuple[int, ...]) -> None:
    with (
        pytest.raises(
            AssemblyError, match=r"begin with the axis of the 3 rows .* the audio encoder drops in .* shape \("
        ),
        UtteranceDropout(seeds(), stream=0, name="audio encoder"),
    ):
        functional.dropout(torch.ones(shape), 0.5)


def test_packed_sequences_are_refused() -> None:
    network = nn.LSTM(DIM, 4, num_layers=2, dropout=0.5, batch_first=True).double()
    packed = nn.utils.rnn.pack_padded_sequence(INPUT, torch.tensor([5, 4, 1]), batch_first=True)
    with (
        pytest.raises(AssemblyError, match=r"packed sequences.* Set `training.dropout` to `batch`\."),
        UtteranceDropout(seeds(), stream=0),
    ):
        network(packed)
    with UtteranceDropout(seeds(), stream=0):
        network.eval()(packed)
