"""An utterance alone and in any padded batch: the same values and the same gradients."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder

from vietmer_core.sequence import MaskedSequence, pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]
Plain = Callable[..., Any]

JUNK = 1e4
LENGTHS = (9_001, 400, 2_345, 0, 150, 719)
"""Long, one frame, some, absent, too short for a frame, one frame that almost is two."""


def rows_of(lengths: Sequence[int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(length, 1, generator=generator).to(dtype) for length in lengths]


def junk_padded(rows: Sequence[Tensor], *, extra: int = 321, junk: float = JUNK) -> MaskedSequence:
    clean = pad_rows(rows, time=max(len(row) for row in rows) + extra)
    return clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], junk))


def loss_of(frames: Tensor) -> Tensor:
    """A sum in which every value counts, by its place in its own row."""
    weights = torch.arange(1, frames.numel() + 1, dtype=frames.dtype).sin()
    return (frames.flatten() * weights).sum()


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}


def worst_value(encoder: Callable[[MaskedSequence], MaskedSequence], rows: Sequence[Tensor]) -> float:
    """Largest difference between each row alone and the row in the junk-padded batch, over the largest output."""
    with torch.no_grad():
        together = encoder(junk_padded(rows))
        differences, scale = [0.0], float(together.zeroed().features.abs().max())
        for index, row in enumerate(rows):
            alone = encoder(pad_rows([row]))
            length = int(together.lengths[index])
            assert alone.lengths.tolist() == [length]
            differences += (together.features[index, :length] - alone.features[0]).abs().flatten().tolist()
    assert not together.features[~together.mask].any()
    return max(differences) / scale


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_a_row_alone_equals_the_row_in_a_padded_batch(
    variant: str, save: Save, build: Build, dtype: torch.dtype, tolerance: float
) -> None:
    encoder = build(save(variant), dtype=dtype)
    assert worst_value(encoder, rows_of(LENGTHS, dtype)) <= tolerance


def test_parameter_gradients_are_the_sum_of_those_alone(variant: str, save: Save, build: Build) -> None:
    encoder, rows = build(save(variant), freeze=False, layers="weighted_sum"), rows_of(LENGTHS)
    output = encoder(junk_padded(rows))
    lengths = output.lengths.tolist()
    losses = [loss_of(row[:length]) for row, length in zip(output.features, lengths, strict=True)]
    torch.autograd.backward(torch.stack(losses).sum())
    together = gradients(encoder)
    encoder.zero_grad()
    for row in rows:
        features = encoder(pad_rows([row])).features
        if features.numel():
            torch.autograd.backward(loss_of(features[0]))
    alone = gradients(encoder)
    assert together.keys() == alone.keys() == {name for name, _ in encoder.named_parameters()}
    largest = max(float(value.abs().max()) for value in alone.values())
    assert max(float((together[name] - alone[name]).abs().max()) for name in alone) / largest <= 1e-10


def test_padding_gets_no_gradient_and_poison_is_not_read(variant: str, save: Save, build: Build) -> None:
    encoder, sequence = build(save(variant), freeze=False), junk_padded(rows_of(LENGTHS), junk=torch.nan)
    features = sequence.features.requires_grad_()
    output = encoder(sequence.with_features(features))
    assert torch.isfinite(output.features).all()
    torch.autograd.backward(loss_of(output.features))
    assert features.grad is not None
    assert not features.grad[~sequence.mask].any()
    assert features.grad[sequence.mask].any()
    assert all(torch.isfinite(value).all() for value in gradients(encoder).values())


@pytest.mark.parametrize("lengths", [(0, 0), (0, 399), (399,)])
def test_a_batch_without_frames_gives_none(variant: str, save: Save, build: Build, lengths: tuple[int, ...]) -> None:
    output = build(save(variant))(pad_rows(rows_of(lengths)))
    assert output.features.shape == (len(lengths), 0, 16)
    assert not output.lengths.any()


def masked_plain(model: Any) -> Callable[[MaskedSequence], MaskedSequence]:
    """transformers as its documentation says: zeros in the padding and an attention mask."""

    def encode(sequence: MaskedSequence) -> MaskedSequence:
        samples = sequence.zeroed().features[:, :, 0]
        output = model(samples, attention_mask=sequence.mask.long()).last_hidden_state
        return MaskedSequence(
            features=output, lengths=model._get_feat_extract_output_lengths(sequence.lengths)
        ).zeroed()

    return encode


@pytest.mark.parametrize("variant", ["wav2vec2-group", "hubert-group", "hubert-batch-norm"])
def test_the_comparison_sees_that_plain_transformers_leaks(variant: str, save: Save, plain: Plain) -> None:
    rows = rows_of((9_001, 2_345, 719))
    assert worst_value(masked_plain(plain(save(variant))), rows) > 1e-2


@pytest.mark.parametrize("variant", ["wav2vec2-layer", "hubert-layer"])
def test_plain_transformers_is_exact_with_layer_norm(variant: str, save: Save, plain: Plain) -> None:
    assert worst_value(masked_plain(plain(save(variant))), rows_of((9_001, 2_345, 719))) < 1e-10


def test_the_comparison_sees_normalisation_after_padding(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer"))

    def encode(sequence: MaskedSequence) -> MaskedSequence:
        samples = sequence.zeroed().features
        centred = samples - samples.mean(dim=1, keepdim=True)
        output: MaskedSequence = encoder(sequence.with_features(centred / centred.std(dim=1, keepdim=True)))
        return output

    assert worst_value(encode, rows_of((9_001, 2_345))) > 1e-2


def test_the_comparison_sees_lengths_as_shares_of_the_width(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer"))

    def encode(sequence: MaskedSequence) -> MaskedSequence:
        output = encoder(sequence)
        shares = sequence.lengths / sequence.features.shape[1]
        rounded = (shares * output.features.shape[1]).round().long()
        return MaskedSequence(features=output.features, lengths=rounded)

    with pytest.raises(AssertionError):
        worst_value(encode, rows_of((9_001, 719, 400)))
