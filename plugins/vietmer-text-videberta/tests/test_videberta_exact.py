from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import DebertaV2Model
from transformers.models.deberta_v2.modeling_deberta_v2 import build_relative_position

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


def plain_model(folder: Path) -> Any:
    """As transformers loads it; in evaluation mode."""
    return DebertaV2Model.from_pretrained(folder)


def without_mask(encoder: TokenEncoder, sequence: MaskedSequence) -> MaskedSequence:
    ids = sequence.zeroed().features[..., 0]
    return sequence.with_features(encoder.backbone.model(input_ids=ids).last_hidden_state)


def distances_by_width(encoder: TokenEncoder, sequence: MaskedSequence) -> MaskedSequence:
    """The mask passed, distances between tokens stretched to the width of the batch."""
    model: Any = encoder.backbone.model
    width = sequence.features.shape[1]
    places = torch.arange(width) * 12 // width
    model.encoder.get_rel_pos = lambda *_: (places[:, None] - places[None])[None]
    try:
        output: MaskedSequence = encoder(sequence)
        return output
    finally:
        del model.encoder.get_rel_pos


def mask_of_attention_alone(encoder: TokenEncoder, sequence: MaskedSequence) -> MaskedSequence:
    """The padding hidden from attention, but not zeroed before the convolution."""
    model: Any = encoder.backbone.model
    embed = model.embeddings.forward

    def unmasked(*, input_ids: Tensor, position_ids: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG001  # that is the leak
        states: Tensor = embed(input_ids=input_ids, position_ids=position_ids)
        return states

    model.embeddings.forward = unmasked
    try:
        output: MaskedSequence = encoder(sequence)
        return output
    finally:
        del model.embeddings.forward


@pytest.mark.parametrize("leak", [without_mask, distances_by_width, mask_of_attention_alone])
def test_the_comparison_sees_a_leak(
    saved: Callable[..., Path], encoder_of: EncoderOf, rows_of: RowsOf, gap: Gap, leak: Any
) -> None:
    encoder = encoder_of(checkpoint=str(saved(conv_kernel_size=3, conv_act="gelu")), freeze=False)
    rows = rows_of([5, 2, 3])
    assert gap(encoder, encoder, rows, junk=False) <= 1e-10
    assert gap(lambda sequence: leak(encoder, sequence), encoder, rows, junk=False) > 1e-2


KINDS: list[dict[str, Any]] = [
    {},
    {"conv_kernel_size": 3, "conv_act": "gelu"},
    {"share_att_key": False, "norm_rel_ebd": "none"},
    {"pos_att_type": ["c2p"], "position_buckets": -1, "max_relative_positions": 6},
    {"position_biased_input": True, "type_vocab_size": 2},
    {"relative_attention": False, "pos_att_type": None, "position_biased_input": True},
    {"embedding_size": 4},
]
"""ViDeBERTa and DeBERTa-v3; the largest of DeBERTa-v2; what else the configuration can ask for."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_is_exact(
    saved: Callable[..., Path], encoder_of: EncoderOf, rows_of: RowsOf, gap: Gap, kind: dict[str, Any]
) -> None:
    folder = saved(**kind)
    real = {"checkpoint": str(folder), "weights": "pretrained"}
    encoder, plain = encoder_of(**real, freeze=False), plain_model(folder).double()
    rows = rows_of([9, 0, 3, 12])
    assert gap(encoder, encoder, rows) <= 1e-10
    for row in rows[2:]:
        with torch.no_grad():
            expected = plain(input_ids=row.T).last_hidden_state
            found = encoder(pad_rows([row])).features
        assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_buckets_of_distances_do_not_depend_on_the_width() -> None:
    """They come out of a logarithm rounded up, which must not differ between places of a vector register."""
    widest = build_relative_position(torch.zeros(1, 512, 1), torch.zeros(1, 512, 1), bucket_size=256, max_position=512)
    for width in (*range(1, 512, 17), 509, 510, 511):
        states = torch.zeros(1, width, 1)
        narrow = build_relative_position(states, states, bucket_size=256, max_position=512)
        assert torch.equal(narrow, widest[:, :width, :width])


@pytest.mark.parametrize("layers", ["last", 0, 1, 2])
def test_alone_it_equals_transformers(
    saved: Callable[..., Path], encoder_of: EncoderOf, rows_of: RowsOf, layers: str | int
) -> None:
    folder = saved()
    plain = plain_model(folder)
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
    ids = batch.features[..., 0].masked_fill(~batch.mask, 0)
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


@pytest.mark.parametrize("junk", [-7, 0, 1, 2, 89, 90, 2**40])
def test_any_id_may_stand_in_the_padding(encoder_of: EncoderOf, rows_of: RowsOf, junk: int) -> None:
    encoder, clean = encoder_of(), pad_rows(rows_of([6, 2]), time=8)
    dirty = clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], junk))
    assert torch.equal(encoder(dirty).features, encoder(clean).features)


def test_512_tokens_are_read_in_any_width_and_513_refused(encoder_of: EncoderOf, rows_of: RowsOf) -> None:
    encoder = encoder_of()
    longest, short = rows_of([512, 3])
    wide = encoder(pad_rows([longest, short], time=530)).features
    torch.testing.assert_close(wide[0, :512], encoder(pad_rows([longest])).features[0], rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="rows must be of at most 512 tokens, but one is of 513 instead"):
        encoder(pad_rows(rows_of([513])))


def test_order_matters(encoder_of: EncoderOf, rows_of: RowsOf) -> None:
    encoder, (row,) = encoder_of(), rows_of([5])
    there, back = encoder(pad_rows([row])).features, encoder(pad_rows([row.flip(0)])).features
    assert (there - back.flip(1)).abs().max() > 1e-3
