"""The BiLSTM by flipping: the numbers of torch's bidirectional LSTM over each row alone, and of packed sequences."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from vietmer_core.nn.draws import fresh_draws
from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.nn.recurrent import BiLSTM
from vietmer_core.sequence import MaskedSequence

IN_DIM, HIDDEN = 5, 3
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

Read = Callable[[MaskedSequence], Tensor]
layers = pytest.mark.parametrize("num_layers", [1, 2])


def ours_of(num_layers: int = 1, *, dropout: float = 0.0) -> BiLSTM:
    torch.manual_seed(0)
    return BiLSTM(input_dim=IN_DIM, hidden_dim=HIDDEN, num_layers=num_layers, dropout=dropout).double()


def torchs(ours: BiLSTM) -> nn.LSTM:
    """torch's own with the same weights."""
    num_layers = len(ours.forth)
    made = nn.LSTM(IN_DIM, HIDDEN, num_layers=num_layers, batch_first=True, bidirectional=True).double()
    with torch.no_grad():
        for layer in range(num_layers):
            for own, suffix in ((ours.forth[layer], ""), (ours.back[layer], "_reverse")):
                for name in WEIGHTS:
                    getattr(made, f"{name}_l{layer}{suffix}").copy_(getattr(own, f"{name}_l0"))
    return made


def weights_of(ours: BiLSTM) -> list[Tensor]:
    """In the order of `nn.LSTM.parameters()`."""
    return [
        getattr(own, f"{name}_l0")
        for pair in zip(ours.forth, ours.back, strict=True)
        for own in pair
        for name in WEIGHTS
    ]


def batch(*lengths: int, junk: float = 1e4, extra: int = 2) -> MaskedSequence:
    """Rows of random frames with junk in `extra` more columns."""
    features = torch.full((len(lengths), max(lengths) + extra, IN_DIM), junk, dtype=torch.float64)
    for row, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(row)
        features[row, :length] = torch.randn(length, IN_DIM, generator=generator, dtype=torch.float64)
    return MaskedSequence(features=features.requires_grad_(), lengths=torch.tensor(lengths))


def check_rows(ours: BiLSTM, read: Read, lengths: list[int], *, junk: float) -> None:
    """Values and parameter gradients equal torch's over each row alone; the padding gets no gradient."""
    theirs, sequence = torchs(ours), batch(*lengths, junk=junk)
    found = read(sequence)
    assert torch.all(found[~sequence.mask] == 0)
    rows = [found[row, :length] for row, length in enumerate(lengths) if length]
    alone = [
        theirs(sequence.features[row : row + 1, :length].detach())[0][0] for row, length in enumerate(lengths) if length
    ]
    for one, other in zip(rows, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13)
    if not rows:
        return
    loss, expected_loss = torch.cat(rows).exp().sum(), torch.cat(alone).exp().sum()
    expected = torch.autograd.grad(expected_loss, list(theirs.parameters()))
    for one, other in zip(torch.autograd.grad(loss, weights_of(ours), retain_graph=True), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)
    (to_input,) = torch.autograd.grad(found.exp().sum(), sequence.features)
    assert torch.all(to_input[~sequence.mask] == 0)


@layers
@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4), junk=st.sampled_from([1e4, float("nan")]))
def test_a_row_in_a_batch_is_torchs_lstm_over_the_row_alone(num_layers: int, lengths: list[int], junk: float) -> None:
    ours = ours_of(num_layers)
    check_rows(ours, lambda sequence: ours(sequence).features, lengths, junk=junk)


def test_the_check_catches_a_direction_that_starts_in_the_padding() -> None:
    ours = ours_of()
    theirs = torchs(ours)
    with pytest.raises(AssertionError):
        check_rows(
            ours,
            lambda sequence: sequence.with_features(theirs(sequence.zeroed().features)[0]).zeroed().features,
            [2, 5],
            junk=1e4,
        )


@layers
def test_it_is_torchs_lstm_over_packed_sequences(num_layers: int) -> None:
    ours, sequence = ours_of(num_layers), batch(4, 7, 1, 6)
    packed = pack_padded_sequence(sequence.zeroed().features, sequence.lengths, batch_first=True, enforce_sorted=False)
    width = sequence.features.shape[1]
    expected, _ = pad_packed_sequence(torchs(ours)(packed)[0], batch_first=True, total_length=width)
    torch.testing.assert_close(ours(sequence).features, expected, rtol=0, atol=1e-13)


@layers
def test_a_row_of_no_frame_gives_zeros_and_trains_nothing(num_layers: int) -> None:
    ours, sequence = ours_of(num_layers), batch(0, 4)
    found = ours(sequence).features
    assert torch.all(found[0] == 0)
    (to_input,) = torch.autograd.grad(found.exp().sum(), sequence.features)
    assert torch.all(to_input[0] == 0)
    nobody = ours(batch(0, 0)).features.exp().sum()
    gradients = torch.autograd.grad(nobody, list(ours.parameters()))
    assert all(torch.all(gradient == 0) for gradient in gradients)


def test_an_axis_of_no_frames_and_a_batch_of_no_rows_are_legal() -> None:
    ours = ours_of(2)
    assert ours(batch(0, 0, extra=0)).features.shape == (2, 0, ours.output_dim)
    nobody = MaskedSequence(features=torch.zeros(0, 3, IN_DIM).double(), lengths=torch.zeros(0).long())
    assert ours(nobody).features.shape == (0, 3, ours.output_dim)


def test_dropout_stands_between_layers_alone() -> None:
    sequence = batch(6, 4)
    one, two = ours_of(1, dropout=0.5), ours_of(2, dropout=0.5)
    assert torch.equal(one.train()(sequence).features, one.eval()(sequence).features)
    assert not torch.equal(two.train()(sequence).features, two.eval()(sequence).features)
    assert torch.equal(two.eval()(sequence).features, two(sequence).features)


def test_dropout_is_drawn_for_each_utterance() -> None:
    ours, sequence, draws = ours_of(2, dropout=0.5).train(), batch(6, 4, 0), fresh_draws(3)

    def read(rows: slice, width: int) -> Tensor:
        part = MaskedSequence(features=sequence.features[rows, :width], lengths=sequence.lengths[rows])
        with UtteranceDropout(draws[rows], stream=0):
            states: Tensor = ours(part).features
            return torch.cat([states.flatten(1), functional.dropout(torch.ones(len(states), 9), 0.5)], dim=1)

    torch.testing.assert_close(read(slice(1, 2), 4)[0, :-9], read(slice(0, 3), 8)[1, : 4 * 2 * HIDDEN])
    assert torch.equal(read(slice(2, 3), 0)[0], read(slice(0, 3), 8)[2, -9:])  # no frame counts as a call too


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_it_computes_in_float32_where_others_compute_in_half_precision(half: torch.dtype) -> None:
    ours, sequence = ours_of(2).float(), batch(6, 4, 0)
    given = MaskedSequence(features=sequence.features.to(half), lengths=sequence.lengths)
    expected = ours(given.with_features(given.features.float())).features
    with torch.autocast("cpu", dtype=half):
        found = ours(given).features
    assert found.dtype == half
    assert torch.equal(found, expected.to(half))
    rounded = ours.to(half)
    weights = {name: weight.float() for name, weight in rounded.state_dict().items()}
    whole = ours_of(2).float()
    whole.load_state_dict(weights)
    assert torch.equal(rounded(given).features, whole(given.with_features(given.features.float())).features.to(half))
    torch.autograd.backward(rounded(given).features.float().exp().sum())
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in rounded.parameters())


@layers
@torch.no_grad()
def test_compiled_equals_eager(num_layers: int) -> None:
    ours, sequence = ours_of(num_layers), batch(4, 6, 0)
    compiled = torch.compile(ours, backend="aot_eager")
    torch.testing.assert_close(compiled(sequence).features, ours(sequence).features)
