"""The model's own part in dropout: who draws what, and when."""

from typing import Literal, final

import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch
from vietmer_core.model import EmotionModel
from vietmer_core.nn.pooling import MeanPooler
from vietmer_core.sequence import MaskedSequence, pad_rows

DIM, SIZE = 8, 3


@final
class Dropping(nn.Module):
    """An encoder that is a dropout and remembers what it kept."""

    output_dim = DIM

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.kept = torch.zeros(0)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return lengths

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        states = self.dropout(torch.ones_like(sequence.features))
        self.kept = states != 0
        return sequence.with_features(states)


@final
class DroppingFusion(nn.Module):
    """Both modalities as streams of their own, each dropped once more."""

    output_dims = (DIM, DIM)

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleList([Dropping(), Dropping()])

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        return self.encoders[0](text), self.encoders[1](audio)


@final
class DroppingPooler(nn.Module):
    """A mean of dropped frames."""

    output_dim = DIM

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.pooler = Dropping(), MeanPooler(dim=DIM)

    def forward(self, sequence: MaskedSequence) -> Tensor:
        pooled: Tensor = self.pooler(self.encoder(sequence))
        return pooled


def model_of(dropout: Literal["batch", "utterance"]) -> EmotionModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Sequential(nn.Linear(2 * DIM, 20), nn.Dropout(0.5), nn.Linear(20, 2))
    poolers = [DroppingPooler(), DroppingPooler()]
    return EmotionModel(
        text=Dropping(), audio=Dropping(), fusion=DroppingFusion(), poolers=poolers, head=head, dropout=dropout
    ).double()


def batch_of(*rows: int) -> Batch:
    """Rows of four frames, the same in both modalities."""
    frames = pad_rows([torch.full((4, DIM), 1.0 + row, dtype=torch.float64) for row in rows])
    return Batch(text=frames, audio=frames, labels=None, indices=torch.tensor(rows), identities=torch.tensor(rows))


def layouts(model: EmotionModel) -> list[Tensor]:
    return [module.kept for module in model.modules() if isinstance(module, Dropping)]


def logits_of(model: EmotionModel, batch: Batch, *, seed: int) -> Tensor:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        logits: Tensor = model(batch)
    return logits


def test_an_utterance_drops_the_same_in_every_batch_whatever_torchs_generator_says() -> None:
    model = model_of("utterance").train()
    together = logits_of(model, batch_of(0, 1, 2).drawn(seed=0, epoch=0), seed=1)
    alone = logits_of(model, batch_of(2).drawn(seed=0, epoch=0), seed=2)
    assert torch.allclose(alone[0], together[2], rtol=0, atol=1e-12)
    assert not torch.allclose(logits_of(model, batch_of(2).drawn(seed=0, epoch=1), seed=2), alone)


def test_torchs_own_dropout_is_the_default_and_does_not() -> None:
    """The counter-example."""
    model = model_of("batch").train()
    batch = batch_of(0, 1, 2).drawn(seed=0, epoch=0)
    assert not torch.allclose(logits_of(model, batch, seed=1), logits_of(model, batch, seed=2))
    assert torch.equal(logits_of(model, batch, seed=1), logits_of(model, batch, seed=1))


def test_every_part_has_a_stream_of_its_own() -> None:
    model = model_of("utterance").train()
    logits_of(model, batch_of(0, 1, 2).drawn(seed=0, epoch=0), seed=0)
    found = layouts(model)
    assert len(found) == 6  # two encoders, two streams of the fusion, two poolers
    for number, layout in enumerate(found):
        assert not any(torch.equal(layout, other) for other in found[:number])


def test_without_seeds_torch_draws() -> None:
    model = model_of("utterance").train()
    assert not torch.allclose(logits_of(model, batch_of(0, 1), seed=1), logits_of(model, batch_of(0, 1), seed=2))


def test_nothing_is_dropped_in_evaluation() -> None:
    model = model_of("utterance").eval()
    with_seeds = logits_of(model, batch_of(0, 1).drawn(seed=0, epoch=0), seed=1)
    assert torch.equal(with_seeds, logits_of(model, batch_of(0, 1), seed=2))
    assert all(bool(layout.all()) for layout in layouts(model))
