import pytest
import torch
from torch import Tensor

from vietmer_core.batch import Batch, absent_sequence
from vietmer_core.sequence import MaskedSequence


def batch_of(identities: Tensor | None) -> Batch:
    size = 2 if identities is None else len(identities)
    audio = MaskedSequence(features=torch.ones(size, 3, 4), lengths=torch.full((size,), 3))
    return Batch(
        text=absent_sequence(size),
        audio=audio,
        labels=torch.zeros(size, dtype=torch.int64),
        indices=torch.arange(size),
        identities=identities,
    )


def draws_of(batch: Batch) -> list[list[int]]:
    found = (batch.draws, batch.text.draws, batch.audio.draws)
    return [part.tolist() for part in found if part is not None]


def test_a_batch_draws_nothing_before_it_is_told_to() -> None:
    assert draws_of(batch_of(torch.tensor([4, 5]))) == []


def test_the_model_and_each_modality_have_seeds_of_their_own() -> None:
    drawn = batch_of(torch.tensor([4, 5])).drawn(seed=1, epoch=0)
    numbers = draws_of(drawn)
    assert len(numbers) == 3
    assert len({number for part in numbers for number in part}) == 6
    assert len(drawn) == 2


def test_an_utterance_has_the_same_seeds_in_every_batch() -> None:
    together = draws_of(batch_of(torch.tensor([4, 5, 6])).drawn(seed=1, epoch=2))
    alone = draws_of(batch_of(torch.tensor([6])).drawn(seed=1, epoch=2))
    assert [[part[2]] for part in together] == alone


@pytest.mark.parametrize(("seed", "epoch"), [(2, 0), (1, 1)])
def test_another_run_or_epoch_has_other_seeds(seed: int, epoch: int) -> None:
    batch = batch_of(torch.tensor([4, 5]))
    assert draws_of(batch.drawn(seed=seed, epoch=epoch)) != draws_of(batch.drawn(seed=1, epoch=0))
    assert draws_of(batch.drawn(seed=1, epoch=0)) == draws_of(batch.drawn(seed=1, epoch=0).drawn(seed=1, epoch=0))


def test_utterances_without_identity_cannot_draw() -> None:
    with pytest.raises(ValueError, match=r"^`identities` must be int64 of shape \(batch,\) .*, but is None instead\.$"):
        batch_of(None).drawn(seed=0, epoch=0)


def test_what_the_model_reads_moves_with_the_batch() -> None:
    moved = batch_of(torch.tensor([4, 5])).drawn(seed=1, epoch=0).to("meta")
    parts = (moved.draws, moved.identities, moved.labels, moved.text.draws, moved.audio.draws, moved.audio.features)
    assert [None if part is None else part.device.type for part in parts] == ["meta"] * 6
    assert moved.indices.device.type == "cpu"
    bare = batch_of(None).to("meta")
    assert bare.identities is bare.draws is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pages are locked for a GPU")
def test_what_the_model_reads_is_pinned() -> None:
    pinned = batch_of(torch.tensor([4, 5])).drawn(seed=1, epoch=0).pin_memory()
    for part in (pinned.draws, pinned.identities, pinned.labels, pinned.audio.draws):
        assert part is not None
        assert part.is_pinned()
