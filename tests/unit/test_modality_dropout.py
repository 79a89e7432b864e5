"""Which rows lose a modality is drawn for each, and what is left is as if it had never been there."""

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from torch import Tensor

from vietmer_core.batch import Batch, Stage
from vietmer_core.data.dataset import Sample, collate
from vietmer_core.modality_dropout import drop_modalities
from vietmer_core.spec_augmentation import ModalityDropoutSpec

HALF = ModalityDropoutSpec(text=0.4, audio=0.4)

Drop = Callable[[Batch, ModalityDropoutSpec], Batch]


def sample(place: int, *, text: int = 3, audio: int = 5, stage: Stage = Stage.FEATURES) -> Sample:
    generator = torch.Generator().manual_seed(place)
    return Sample(
        index=place,
        text=torch.randint(1, 9, (text, 1), generator=generator),
        audio=torch.randn(audio, 2, generator=generator),
        label=0,
        identity=1000 + place,
        audio_stage=stage,
    )


def drawn(samples: Sequence[Sample], *, seed: int = 1, epoch: int = 0) -> Batch:
    return collate(samples).drawn(seed=seed, epoch=epoch)


def lengths(batch: Batch) -> list[tuple[int, int]]:
    return list(zip(batch.text.lengths.tolist(), batch.audio.lengths.tolist(), strict=True))


def alike(drop: Drop, samples: Sequence[Sample], order: Sequence[int]) -> bool:
    """Whether each row loses the same alone as beside the others, in the order given."""
    together = lengths(drop(drawn([samples[place] for place in order]), HALF))
    alone = [lengths(drop(drawn([samples[place]]), HALF))[0] for place in order]
    return together == alone


SIZES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=9)


@given(sizes=SIZES, data=st.data())
def test_an_utterance_loses_the_same_alone_and_in_every_batch(
    sizes: list[tuple[int, int]], data: st.DataObject
) -> None:
    samples = [sample(place, text=text, audio=audio) for place, (text, audio) in enumerate(sizes)]
    order = data.draw(st.permutations(range(len(samples))))
    assert alike(drop_modalities, samples, order)


def test_a_draw_by_the_place_in_the_batch_or_of_a_global_generator_is_noticed() -> None:
    def by_place(batch: Batch, rates: ModalityDropoutSpec) -> Batch:
        places = torch.linspace(0, 0.999, len(batch)) if len(batch) > 1 else torch.tensor([0.5])
        return batch.without(text=places < rates.text, audio=places >= 1 - rates.audio)

    def globally(batch: Batch, rates: ModalityDropoutSpec) -> Batch:
        numbers = torch.rand(len(batch))
        return batch.without(text=numbers < rates.text, audio=numbers >= 1 - rates.audio)

    samples = [sample(place) for place in range(12)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not alike(by_place, samples, range(12))
        assert not alike(globally, samples, range(12))
    assert alike(drop_modalities, samples, range(12))


@given(sizes=SIZES, epoch=st.integers(0, 5), text=st.floats(0, 1), share=st.floats(0, 1))
def test_no_row_loses_both_and_none_its_only_one(
    sizes: list[tuple[int, int]], epoch: int, text: float, share: float
) -> None:
    rates = ModalityDropoutSpec(text=text, audio=(1 - text) * share)
    batch = drawn([sample(place, text=words, audio=frames) for place, (words, frames) in enumerate(sizes)], epoch=epoch)
    for (words, frames), (words_left, frames_left) in zip(sizes, lengths(drop_modalities(batch, rates)), strict=True):
        assert words_left in (0, words)
        assert frames_left in (0, frames)
        if not words or not frames:
            assert (words_left, frames_left) == (words, frames)
        else:
            assert words_left or frames_left


@pytest.mark.parametrize(("text", "audio"), [(0.0, 0.0), (0.3, 0.1), (0.0, 0.5), (1.0, 0.0), (0.3, 0.7), (0.5, 0.5)])
def test_the_shares_are_those_asked_for(text: float, audio: float) -> None:
    batch = drawn([sample(place, text=1, audio=1) for place in range(4000)], epoch=3)
    left = lengths(drop_modalities(batch, ModalityDropoutSpec(text=text, audio=audio)))
    for count, rate in ((left.count((0, 1)), text), (left.count((1, 0)), audio)):
        assert binomtest(count, 4000, rate).pvalue > 1e-4
    if text + audio == 1:
        assert left.count((1, 1)) == 0


def test_every_epoch_and_seed_draws_anew() -> None:
    samples = [sample(place) for place in range(64)]
    found = [lengths(drop_modalities(drawn(samples, seed=s, epoch=e), HALF)) for s in (1, 2) for e in (0, 1, 2)]
    assert len({tuple(each) for each in found}) == 6


@pytest.mark.parametrize("stage", [Stage.FEATURES, Stage.STATES])
def test_what_is_left_is_what_would_have_been_collated_without_it(stage: Stage) -> None:
    samples = [sample(place, audio=2 + 3 * place, stage=stage) for place in range(8)]
    found = drop_modalities(drawn(samples), HALF)
    left = lengths(found)
    expected = drawn([sample(n, text=words, audio=frames, stage=stage) for n, (words, frames) in enumerate(left)])
    assert {(not words, not frames) for words, frames in left} == {(True, False), (False, True), (False, False)}
    for one, other in ((found.text, expected.text), (found.audio, expected.audio)):
        assert one.draws is not None
        assert other.draws is not None
        for tensor, wanted in ((one.lengths, other.lengths), (one.draws, other.draws)):
            assert torch.equal(tensor, wanted)
    assert torch.equal(found.text.features, expected.text.features)
    rows_left = [(frames and row) for row, (_, frames) in enumerate(left)]
    for row in filter(None, rows_left):
        frames = left[row][1]
        assert torch.equal(found.audio.features[row, :frames], collate(samples).audio.features[row, :frames])
    assert not found.audio.features[~found.audio.mask].any()
    assert found.audio_stage is stage
    assert found.labels is not None


def test_a_batch_that_loses_nothing_is_the_batch() -> None:
    batch = collate([sample(0)])
    assert drop_modalities(batch, ModalityDropoutSpec()) is batch
    with pytest.raises(ValueError, match="`draws` must be int64"):
        drop_modalities(batch, HALF)


def test_all_rows_may_lose_the_same() -> None:
    found = drop_modalities(drawn([sample(0), sample(1)]), ModalityDropoutSpec(audio=1))
    assert lengths(found) == [(3, 0), (3, 0)]
    assert found.audio.features.shape == (2, 0, 2)


def test_the_gradient_of_what_is_dropped_is_exactly_zero() -> None:
    features: Tensor = torch.randn(16, 5, 2, requires_grad=True)
    batch = drawn([sample(place) for place in range(16)])
    batch = Batch(
        **{  # the same with features that have a gradient
            name: getattr(batch, name)
            for name in ("text", "labels", "indices", "identities", "draws", "text_stage", "audio_stage")
        },
        audio=batch.audio.with_features(features),
    )
    found = drop_modalities(batch, HALF)
    torch.autograd.backward(found.audio.features.square().sum())
    assert features.grad is not None
    lost = found.audio.lengths == 0
    assert 0 < int(lost.sum()) < 16
    assert not features.grad[lost].any()
    assert features.grad[~lost].all()
