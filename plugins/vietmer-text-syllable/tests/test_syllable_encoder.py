from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from vietmer_text_syllable.encoder import SyllableEncoder
from vietmer_text_syllable.frontend import FIELD_SIZES
from vietmer_text_syllable.plugin import SyllableParams, build_encoder

from vietmer_core.sequence import MaskedSequence, pad_rows

JUNK = 10_000
LENGTHS = st.lists(st.integers(0, 7), min_size=1, max_size=4)


def encoder_of(*, dtype: torch.dtype = torch.float64, dropout: float = 0.0, num_layers: int = 2) -> SyllableEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder = SyllableEncoder(dim=8, num_layers=num_layers, num_heads=2, hidden_dim=12, dropout=dropout)
    return encoder.to(dtype)


def rows_of(lengths: Sequence[int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths) + len(lengths))
    return [
        torch.stack([torch.randint(size, (length,), generator=generator) for size in FIELD_SIZES], dim=1)
        for length in lengths
    ]


def junk_padded(rows: Sequence[Tensor], extra: int) -> MaskedSequence:
    clean = pad_rows(rows, time=max(len(row) for row in rows) + extra)
    return clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], JUNK))


def loss_of(output: MaskedSequence) -> Tensor:
    """A sum in which every real value of the output counts, by its place in its own row."""
    weights = torch.arange(1, output.features[0].numel() + 1, dtype=output.features.dtype).sin()
    return (output.zeroed().features * weights.reshape(output.features.shape[1:])).sum()


def worst_difference(
    encode: Callable[[MaskedSequence], MaskedSequence], module: nn.Module, rows: Sequence[Tensor]
) -> float:
    """Largest difference, values and gradients, between each row alone and the junk-padded batch, over the scale."""
    module.zero_grad()
    together = encode(junk_padded(rows, 3))
    torch.autograd.backward(loss_of(together))
    joint = [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
    module.zero_grad()
    worst, scale = 0.0, float(together.zeroed().features.detach().abs().max()) or 1.0
    for index, row in enumerate(rows):
        alone = encode(pad_rows([row]))
        torch.autograd.backward(loss_of(alone))
        difference = (together.features[index, : len(row)] - alone.features[0]).detach()
        worst = max([worst, *difference.abs().flatten().div(scale).tolist()])
    separate = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    largest = max([1.0, *(float(gradient.abs().max()) for gradient in joint)])
    for one, other in zip(joint, separate, strict=True):
        worst = max(worst, float((one - other).abs().max()) / largest)
    return worst


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_a_row_alone_equals_the_row_in_a_padded_batch(dtype: torch.dtype, tolerance: float) -> None:
    encoder = encoder_of(dtype=dtype).eval()

    @given(lengths=LENGTHS)
    def holds(lengths: list[int]) -> None:
        assert worst_difference(encoder, encoder, rows_of(lengths)) <= tolerance

    holds()


def test_the_comparison_sees_an_encoder_that_reads_padding() -> None:
    encoder = encoder_of().eval()

    def encode_all(sequence: MaskedSequence) -> MaskedSequence:
        widest = torch.full_like(sequence.lengths, sequence.features.shape[1])
        output = encoder(MaskedSequence(features=sequence.zeroed().features, lengths=widest))
        return MaskedSequence(features=output.features, lengths=sequence.lengths)

    assert worst_difference(encode_all, encoder, rows_of([5, 3])) > 1e-3


def test_a_batch_of_absent_transcripts_gives_nothing() -> None:
    encoder = encoder_of()
    output = encoder(junk_padded(rows_of([0, 0]), 2))
    assert not output.features.any()
    assert encoder(pad_rows(rows_of([0, 0]))).features.shape == (2, 0, 8)


@pytest.mark.parametrize("field", range(len(FIELD_SIZES)))
def test_every_field_is_read(field: int) -> None:
    encoder = encoder_of().eval()
    ids = torch.ones(1, len(FIELD_SIZES), dtype=torch.int64)
    other = ids.clone()
    other[0, field] = 2
    difference = encoder(pad_rows([ids])).features - encoder(pad_rows([other])).features
    assert difference.abs().max() > 1e-3


def test_id_0_adds_nothing_and_learns_nothing() -> None:
    encoder = encoder_of()
    torch.autograd.backward(loss_of(encoder(pad_rows([torch.zeros(2, len(FIELD_SIZES), dtype=torch.int64)]))))
    for embedding in encoder.embeddings:
        assert isinstance(embedding, nn.Embedding)
        assert embedding.weight.grad is not None
        assert not embedding.weight[0].any()
        assert not embedding.weight.grad.any()


def test_order_matters() -> None:
    encoder = encoder_of().eval()
    (row,) = rows_of([5])
    there, back = encoder(pad_rows([row])).features, encoder(pad_rows([row.flip(0)])).features
    assert (there - back.flip(1)).abs().max() > 1e-3


def test_evaluation_is_deterministic_and_training_drops() -> None:
    encoder, sequence = encoder_of(dropout=0.5), pad_rows(rows_of([5, 3]))
    assert not torch.equal(encoder(sequence).features, encoder(sequence).features)
    encoder.eval()
    assert torch.equal(encoder(sequence).features, encoder(sequence).features)


def test_compiled_equals_eager() -> None:
    encoder = encoder_of(num_layers=1).eval()
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    sequence = pad_rows(rows_of([5, 0, 3]))
    torch.testing.assert_close(compiled(sequence).features, encoder(sequence).features, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_heads": 3}, r"`num_heads` must divide `dim` \(128\), but is 3 instead"),
        ({"max_tokens": 1}, "greater than or equal to 2"),
        ({"max_bytes_per_word": 3}, "greater than or equal to 4"),
        ({"dropout": 1.0}, "less than 1"),
        ({"tone_style": "old"}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SyllableParams.model_validate(wrong)


def test_defaults() -> None:
    encoder = build_encoder(SyllableParams())
    assert isinstance(encoder, SyllableEncoder)
    assert (encoder.output_dim, len(encoder.transformer.blocks)) == (128, 2)
