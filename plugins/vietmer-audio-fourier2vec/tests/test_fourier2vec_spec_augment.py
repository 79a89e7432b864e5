"""SpecAugment: spans of log-mel frames and bands, hidden in training behind the utterance's own means."""

import torch
from torch import Tensor
from vietmer_audio_fourier2vec.encoder import Fourier2VecEncoder

from vietmer_core.nn.spec_augment_params import SpecAugmentParams
from vietmer_core.sequence import MaskedSequence, pad_rows

MELS = 12
PARAMS = SpecAugmentParams(
    time_probability=0.3, time_span=4, feature_probability=0.3, feature_span=2, feature_min_spans=1
)


def encoder_of(params: SpecAugmentParams | None) -> Fourier2VecEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder = Fourier2VecEncoder(
            num_mels=MELS,
            dim=8,
            patch_frames=2,
            num_layers=1,
            num_heads=2,
            hidden_dim=8,
            dropout=0.0,
            spec_augment=params,
        )
    return encoder.double()


def batch(draws: list[int] | None) -> MaskedSequence:
    generator = torch.Generator().manual_seed(5)
    rows = [torch.randn(length, MELS, generator=generator, dtype=torch.float64) - 4 for length in (40, 23, 0)]
    sequence = pad_rows(rows, time=44)
    junk = sequence.with_features(sequence.features.masked_fill(~sequence.mask[:, :, None], torch.nan))
    return junk.with_draws(None if draws is None else torch.tensor(draws))


def heard(encoder: Fourier2VecEncoder, sequence: MaskedSequence) -> Tensor:
    """The frames that the patches are made of."""
    return encoder._augmented(sequence).features


def test_spans_are_hidden_behind_the_mean_of_each_band() -> None:
    encoder, sequence = encoder_of(PARAMS).train(), batch([1, 2, 3])
    found = heard(encoder, sequence)
    for row, length in enumerate((40, 23)):
        own = sequence.features[row, :length]
        mean = own.mean(dim=0).expand_as(own)
        is_kept = torch.isclose(found[row, :length], own, rtol=0, atol=0)
        is_mean = torch.isclose(found[row, :length], mean, rtol=0, atol=1e-12)
        assert bool((is_kept | is_mean).all())
        frames, bands = is_mean.all(dim=1), is_mean.all(dim=0)
        assert 4 <= int(frames.sum()) < length
        assert 2 <= int(bands.sum()) < MELS
        assert bool((frames[:, None] | bands[None, :] | is_kept).all()), "nothing else is hidden"
    assert bool(torch.isfinite(found).all()), "the padding never enters a mean"


def test_evaluation_hides_nothing_and_training_follows_the_seeds() -> None:
    augmented, plain = encoder_of(PARAMS), encoder_of(None)
    sequence = batch([1, 2, 3])
    assert torch.equal(augmented.eval()(sequence).features, plain.eval()(sequence).features)
    found = augmented.train()(sequence).features
    assert torch.equal(augmented(sequence).features, found)
    assert not torch.equal(augmented(batch([4, 5, 6])).features, found)
    assert not torch.equal(plain.train()(sequence).features, found)


def test_without_seeds_spans_come_from_torch() -> None:
    encoder, outputs = encoder_of(PARAMS).train(), []
    for seed in (1, 1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            outputs.append(encoder(batch(None)).features)
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
