from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import RobertaModel

from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows

EncoderOf = Callable[..., TokenEncoder]
RowsOf = Callable[[Sequence[int]], list[Tensor]]
Gap = Callable[..., float]
LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=4)


@pytest.mark.parametrize("train", [{"freeze": False}, {"train_layers": 1}, {"lora": {"rank": 2}}, {"layers": 1}])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_a_row_alone_equals_the_row_in_a_padded_batch(
    encoder_of: EncoderOf, rows_of: RowsOf, gap: Gap, dtype: torch.dtype, tolerance: float, train: dict[str, Any]
) -> None:
    encoder = encoder_of(dtype, **train)

    @given(lengths=LENGTHS)
    def holds(lengths: list[int]) -> None:
        assert gap(encoder, encoder, rows_of(lengths)) <= tolerance

    holds()


def plain_model(folder: Path, attention: str = "sdpa") -> Any:
    """As transformers loads it; in evaluation mode."""
    return RobertaModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation=attention)


def without_mask(encoder: TokenEncoder, sequence: MaskedSequence) -> MaskedSequence:
    ids = sequence.zeroed().features[..., 0]
    return sequence.with_features(encoder.backbone.model(input_ids=ids).last_hidden_state)


def padded_on_the_left(encoder: TokenEncoder, sequence: MaskedSequence) -> MaskedSequence:
    """The mask passed, positions counted from the begin of the row in the batch."""
    width = sequence.features.shape[1]
    shift = (torch.arange(width)[None] + sequence.lengths[:, None]) % width  # (batch, tokens)
    ids = sequence.zeroed().features[..., 0].gather(1, shift)
    output = encoder.backbone.model(
        input_ids=ids,
        attention_mask=sequence.mask.gather(1, shift).long(),
        position_ids=torch.arange(width).expand(ids.shape) + 2,
    ).last_hidden_state
    back = (torch.arange(width)[None] - sequence.lengths[:, None]) % width
    return sequence.with_features(output.gather(1, back[:, :, None].expand(output.shape)))


def positions_by_width(encoder: TokenEncoder, sequence: MaskedSequence) -> MaskedSequence:
    """The mask passed, positions counted from the end of the batch."""
    ids, width = sequence.zeroed().features[..., 0], sequence.features.shape[1]
    output = encoder.backbone.model(
        input_ids=ids,
        attention_mask=sequence.mask.long(),
        position_ids=torch.arange(257 - width, 257).expand(ids.shape),
    )
    return sequence.with_features(output.last_hidden_state)


@pytest.mark.parametrize("leak", [without_mask, padded_on_the_left, positions_by_width])
def test_the_comparison_sees_a_leak(encoder_of: EncoderOf, rows_of: RowsOf, gap: Gap, leak: Any) -> None:
    encoder = encoder_of(freeze=False)
    assert gap(lambda sequence: leak(encoder, sequence), encoder, rows_of([5, 2, 3]), junk=False) > 1e-2


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("layers", ["last", 0, 1, 2])
def test_alone_it_equals_transformers(
    saved: Callable[..., Path], encoder_of: EncoderOf, rows_of: RowsOf, attention: str, layers: str | int
) -> None:
    folder = saved()
    plain = plain_model(folder, attention)
    encoder = encoder_of(torch.float32, checkpoint=str(folder), weights="pretrained", layers=layers)
    for row in rows_of([7, 1, 96]):
        with torch.no_grad():
            states = plain(input_ids=row.T, output_hidden_states=True).hidden_states
            found = encoder(pad_rows([row])).features
        expected = states[-1 if layers == "last" else int(layers)]
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_padded_batch_equals_transformers_given_the_mask(
    saved: Callable[..., Path], encoder_of: EncoderOf, rows_of: RowsOf
) -> None:
    folder = saved()
    plain = plain_model(folder)
    encoder = encoder_of(torch.float32, checkpoint=str(folder), weights="pretrained")
    batch = pad_rows(rows_of([7, 2, 5]))
    ids = batch.features[..., 0].masked_fill(~batch.mask, 1)
    with torch.no_grad():
        expected = plain(input_ids=ids, attention_mask=batch.mask.long()).last_hidden_state
        found = encoder(batch)
    gap = (found.features - batch.with_features(expected).zeroed().features).abs().max()
    assert gap <= 1e-5 * expected.abs().max()


def test_the_weighted_sum_begins_as_the_mean_of_all_states(
    saved: Callable[..., Path], encoder_of: EncoderOf, rows_of: RowsOf
) -> None:
    batch, real = pad_rows(rows_of([5, 3])), {"checkpoint": str(saved()), "weights": "pretrained"}
    every = [encoder_of(layers=layer, **real)(batch).features for layer in range(3)]
    mixed = encoder_of(layers="weighted_sum", **real)(batch).features
    torch.testing.assert_close(mixed, torch.stack(every).mean(dim=0), rtol=0, atol=1e-12)


def test_padding_holds_zeros_and_an_empty_row_gives_no_gradient(
    encoder_of: EncoderOf, rows_of: RowsOf, junk_padded: Any, loss_of: Callable[[MaskedSequence], Tensor]
) -> None:
    encoder = encoder_of(freeze=False)
    output = encoder(junk_padded(rows_of([4, 0, 2]), 3))
    assert output.lengths.tolist() == [4, 0, 2]
    assert not output.features[~output.mask].any()
    nothing = encoder(junk_padded(rows_of([0, 0]), 2))
    torch.autograd.backward(loss_of(nothing) + nothing.features.sum())
    assert all(value.grad is None or not value.grad.any() for value in encoder.parameters())
    assert encoder(pad_rows(rows_of([0, 0]))).features.shape == (2, 0, 8)


@pytest.mark.parametrize("junk", [-7, 0, 1, 2, 90, 91, 2**40])
def test_any_id_may_stand_in_the_padding(encoder_of: EncoderOf, rows_of: RowsOf, junk: int) -> None:
    encoder, clean = encoder_of(), pad_rows(rows_of([6, 2]), time=8)
    dirty = clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], junk))
    assert torch.equal(encoder(dirty).features, encoder(clean).features)


def test_the_id_of_the_padding_is_a_token_like_others_inside_a_row(encoder_of: EncoderOf, gap: Gap) -> None:
    """transformers would give it, and count it as, no position."""
    encoder = encoder_of(freeze=False)
    assert gap(encoder, encoder, [torch.tensor([[0], [1], [7], [2]]), torch.tensor([[0], [9], [2]])]) <= 1e-10


def test_256_tokens_are_read_in_any_width_and_257_refused(encoder_of: EncoderOf, rows_of: RowsOf) -> None:
    encoder = encoder_of()
    longest, short = rows_of([256, 3])
    wide = encoder(pad_rows([longest, short], time=300)).features
    torch.testing.assert_close(wide[0, :256], encoder(pad_rows([longest])).features[0], rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="rows must be of at most 256 tokens, but one is of 257 instead"):
        encoder(pad_rows(rows_of([257])))


def test_order_matters(encoder_of: EncoderOf, rows_of: RowsOf) -> None:
    encoder, (row,) = encoder_of(), rows_of([5])
    there, back = encoder(pad_rows([row])).features, encoder(pad_rows([row.flip(0)])).features
    assert (there - back.flip(1)).abs().max() > 1e-3
