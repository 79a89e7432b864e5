"""SpecAugment: drawn for each utterance, in training, of frozen networks too, never in the padding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder

from vietmer_core.nn.spec_augment import hide_spans
from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.sequence import MaskedSequence, pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]

LENGTHS = (20_011, 9_000, 0, 401)
STRONG = {"time_probability": 0.4, "time_span": 5, "feature_probability": 0.3, "feature_span": 2}
WITHOUT_DROPOUT = dict.fromkeys(
    ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout"), 0.0
)


def batch(draws: list[int] | None) -> MaskedSequence:
    generator = torch.Generator().manual_seed(7)
    rows = [torch.randn(length, 1, generator=generator, dtype=torch.float64) for length in LENGTHS]
    return pad_rows(rows).with_draws(None if draws is None else torch.tensor(draws))


def only(sequence: MaskedSequence, row: int) -> MaskedSequence:
    length = int(sequence.lengths[row])
    assert sequence.draws is not None
    return MaskedSequence(
        features=sequence.features[row : row + 1, :length],
        lengths=sequence.lengths[row : row + 1],
        draws=sequence.draws[row : row + 1],
    )


def encoded(encoder: Wav2Vec2Encoder, sequence: MaskedSequence) -> Tensor:
    with torch.no_grad():
        features: Tensor = encoder(sequence).features
    return features


def test_an_utterance_hides_the_same_alone_and_in_a_batch(variant: str, save: Save, build: Build) -> None:
    encoder = build(save(variant, **WITHOUT_DROPOUT), freeze=False, spec_augment=STRONG).train()
    sequence = batch([5, 6, 7, 8])
    together = encoded(encoder, sequence)
    for row in range(4):
        alone = encoded(encoder, only(sequence, row))
        torch.testing.assert_close(together[row : row + 1, : alone.shape[1]], alone, rtol=0, atol=1e-12)
    assert (encoded(encoder, batch([15, 16, 17, 18])) - together).abs().max() > 1e-3
    assert (encoded(encoder.eval(), sequence) - together).abs().max() > 1e-3


@pytest.mark.parametrize("given", [{}, {"freeze": False, "unfreeze": {"first_epoch": 1}}])
def test_a_frozen_network_hears_hidden_spans_in_training_alone(save: Save, build: Build, given: dict[str, Any]) -> None:
    encoder = build(save("wav2vec2-layer"), spec_augment=STRONG, **given)
    sequence = batch([5, 6, 7, 8])
    expected = encoded(encoder.eval(), sequence)
    found = encoded(encoder.train(), sequence)
    assert (found - expected).abs().max() > 1e-3
    assert torch.equal(encoded(encoder, sequence), found), "nothing but the seeds of the utterances draws"
    assert (encoded(encoder, batch([15, 16, 17, 18])) - found).abs().max() > 1e-3
    assert torch.equal(encoded(encoder.eval(), sequence), expected)


def test_without_draws_numbers_come_from_torch(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer", **WITHOUT_DROPOUT), freeze=False, spec_augment=STRONG).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first, second = encoded(encoder, batch(None)), encoded(encoder, batch(None))
        torch.manual_seed(1)
        assert torch.equal(encoded(encoder, batch(None)), first)
    assert not torch.equal(first, second)


def test_hidden_frames_hold_the_embedding_and_hidden_columns_zeros() -> None:
    params = SpecAugmentParams.model_validate({**STRONG, "feature_span": 3})
    frames = MaskedSequence(
        features=torch.ones(3, 60, 40), lengths=torch.tensor([60, 25, 0]), draws=torch.tensor([1, 2, 3])
    )
    filler = torch.full((40,), 7.0)
    hidden = hide_spans(frames, params, frame_filler=filler)
    columns = (hidden == 0).all(dim=1)  # (batch, dim)
    spans = (hidden.sum(dim=2) > 40).long()  # (batch, time)
    assert columns.sum(dim=1).min() >= 3
    assert spans.sum(dim=1).tolist()[2] == 0
    assert 5 <= int(spans[1].sum()) <= 25
    assert not spans[~frames.mask].any()
    kept = hidden[0, spans[0] == 0][:, ~columns[0]]
    assert torch.equal(kept, torch.ones_like(kept))


def test_the_embedding_is_trained_with_everything(save: Save, build: Build) -> None:
    encoder = build(save("hubert-layer"), freeze=False, spec_augment=STRONG).train()
    torch.autograd.backward(encoder(batch([5, 6, 7, 8])).features.square().sum())
    embedding = encoder.get_parameter("backbone.model.masked_spec_embed")
    assert embedding.grad is not None
    assert embedding.grad.abs().max() > 0
