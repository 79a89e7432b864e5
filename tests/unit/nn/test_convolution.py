"""The temporal CNN: what plain convolutions of each row alone give."""

from collections.abc import Callable

import pytest
import torch
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from vietmer_core.nn.convolution import TemporalCNN
from vietmer_core.nn.draws import fresh_draws
from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.sequence import MaskedSequence

DIM = 4
FORMS = {"neighbours": (2, 3, 1), "growing dilation": (3, 3, 2), "one frame": (2, 1, 1), "wide": (1, 5, 3)}
"""Layers, kernel, growth."""

Convolve = Callable[[MaskedSequence], Tensor]
forms = pytest.mark.parametrize("form", FORMS)


def network(form: str = "neighbours", *, dropout: float = 0.0) -> TemporalCNN:
    torch.manual_seed(0)
    num_layers, kernel_size, growth = FORMS[form]
    made = TemporalCNN(dim=DIM, num_layers=num_layers, kernel_size=kernel_size, dropout=dropout, dilation_growth=growth)
    return made.double()


def batch(*lengths: int, junk: float = 1e4, extra: int = 2) -> MaskedSequence:
    """Rows of random frames with junk in `extra` more columns."""
    features = torch.full((len(lengths), max(lengths) + extra, DIM), junk, dtype=torch.float64)
    for row, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(row)
        features[row, :length] = torch.randn(length, DIM, generator=generator, dtype=torch.float64)
    return MaskedSequence(features=features.requires_grad_(), lengths=torch.tensor(lengths))


def by_formula(made: TemporalCNN, frames: Tensor, growth: int) -> Tensor:
    """Frame by frame, of one row `(time, DIM)` without padding: GELU(b + Σ_k W_k x[t + (k - K // 2) d])."""
    for number, layer in enumerate(made.layers):
        assert isinstance(layer, nn.Conv1d)
        half, dilation = layer.kernel_size[0] // 2, growth**number
        outputs = []
        for time in range(len(frames)):
            assert layer.bias is not None
            total: Tensor = layer.bias
            for place in range(layer.kernel_size[0]):
                source = time + (place - half) * dilation
                if 0 <= source < len(frames):
                    total = total + layer.weight[:, :, place] @ frames[source]
            outputs.append(functional.gelu(total))
        frames = torch.stack(outputs)
    return frames


@forms
def test_it_is_the_formula_over_each_row_alone(form: str) -> None:
    made = network(form)
    sequence = batch(3, 9, 0, 1)
    found = made(sequence)
    for row, length in enumerate((3, 9, 0, 1)):
        if length:
            expected = by_formula(made, sequence.features[row, :length], FORMS[form][2])
            torch.testing.assert_close(found.features[row, :length], expected, rtol=0, atol=1e-12)
    assert torch.isfinite(found.features).all()
    assert torch.equal(found.lengths, sequence.lengths)


def zeroed_once(made: TemporalCNN, sequence: MaskedSequence) -> Tensor:
    """A leak on purpose: the bias of a layer fills the padding, and the next layer reads it."""
    states = rearrange(sequence.zeroed().features, "batch time dim -> batch dim time")
    for layer in made.layers:
        states = made.activation(layer(states))
    return rearrange(states, "batch dim time -> batch time dim")


def check_rows(made: TemporalCNN, convolve: Convolve, lengths: list[int], *, junk: float) -> None:
    """Values and parameter gradients equal those of plain convolutions of each row alone."""
    sequence = batch(*lengths, junk=junk)
    found = convolve(sequence)
    rows = [found[row, :length] for row, length in enumerate(lengths) if length]
    expected = [
        rearrange(
            zeroed_once(made, MaskedSequence(features=sequence.features[row : row + 1, :length].detach(), lengths=own)),
            "one time dim -> (one time) dim",
        )
        for row, (length, own) in enumerate(zip(lengths, sequence.lengths[:, None], strict=True))
        if length
    ]
    for ours, theirs in zip(rows, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    if not rows:
        return
    parameters = list(made.parameters())
    ours, theirs = (torch.cat(parts).pow(3).sum() for parts in (rows, expected))
    for one, other in zip(
        torch.autograd.grad(ours, parameters, retain_graph=True), torch.autograd.grad(theirs, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
    (to_input,) = torch.autograd.grad(ours, sequence.features)
    assert torch.all(to_input[~sequence.mask] == 0)


@forms
@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4), junk=st.sampled_from([1e4, float("nan")]))
def test_a_row_in_a_batch_is_the_row_alone(form: str, lengths: list[int], junk: float) -> None:
    made = network(form)
    check_rows(made, lambda sequence: made(sequence).features, lengths, junk=junk)


def test_the_check_catches_padding_zeroed_once() -> None:
    made = network()
    with pytest.raises(AssertionError):
        check_rows(made, lambda sequence: zeroed_once(made, sequence), [2, 5], junk=1e4)


@pytest.mark.parametrize(("form", "reach"), [("neighbours", 2), ("growing dilation", 1 + 2 + 4), ("wide", 2)])
def test_a_frame_reads_as_far_as_the_dilations_reach(form: str, reach: int) -> None:
    sequence = batch(21)
    found = network(form)(sequence).features
    (gradient,) = torch.autograd.grad(found[0, 10].sum(), sequence.features)
    read = gradient[0].abs().sum(dim=-1).nonzero().flatten().tolist()
    assert (min(read), max(read)) == (10 - reach, 10 + reach)


def test_dropout_is_drawn_in_training_alone() -> None:
    made = network(dropout=0.5)
    sequence = batch(6, 4)
    assert torch.equal(made.eval()(sequence).features, made(sequence).features)
    dropped = made.train()(sequence).zeroed().features[sequence.mask] == 0
    assert 0.3 < float(dropped.double().mean()) < 0.7


def test_dropout_of_no_frame_is_counted_as_any() -> None:
    """Else what is dropped behind the convolutions would depend on whether a neighbour has frames."""
    made, draws = network(dropout=0.5).train(), fresh_draws(2)
    behind = []
    for lengths in ((0, 0), (0, 3)):
        with UtteranceDropout(draws, stream=0):
            made(batch(*lengths, extra=0))
            behind.append(functional.dropout(torch.ones(2, 50), 0.5))
    assert torch.equal(behind[0][0], behind[1][0])


def test_no_frames_stay_no_frames() -> None:
    assert network()(batch(0, 0, extra=0)).features.shape == (2, 0, DIM)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="`kernel_size` must be odd, but is 4 instead"):
        TemporalCNN(dim=DIM, num_layers=1, kernel_size=4, dropout=0.0, dilation_growth=1)
