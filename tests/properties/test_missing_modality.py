"""A row without transcript or without audio is legal in training and prediction, and harmless to the other rows.

Whole models of every registered part, dropout on and drawn for each utterance, in float64: what an utterance gives and
what it teaches is the same alone, in a batch of complete rows and in one of rows that lack a modality.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, final

import pytest
import torch
from torch import Tensor, nn

from vietmer_core.batch import Batch
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import BOTH_MODALITIES, Modality, Role
from vietmer_core.errors import AssemblyError
from vietmer_core.model import EmotionModel
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import candidate_of
from vietmer_core.testing.assembled import Assembled
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.subjects import Rows

COMPLETE, ONLY_TEXT, ONLY_AUDIO, SHORT = range(4)
LENGTHS: Final = {"text": (4, 3, 0, 2), "audio": (5, 0, 6, 3)}
"""Of the four kinds of row: both modalities, text alone, audio alone, both again."""

IN_A_MODEL: Final = (Role.TEXT, Role.AUDIO, Role.FUSION, Role.POOLER)
EXACT: Final = 1e-10


PRETRAINED: Final[dict[str, dict[str, Any]]] = {
    "": {},
    ", all trained": {"freeze": False},
    ", all trained, checkpointed": {"freeze": False, "gradient_checkpointing": True},
    ", low-rank updates": {"freeze": True, "lora": {"rank": 2, "dropout": 0.3}},
}
"""What of a pretrained encoder is trained: frozen weights drop nothing."""


def _assemblies() -> dict[str, Assembled]:
    made = {}
    for offer in installed_catalogue().offered:
        component = offer.component
        if component.role not in IN_A_MODEL or component.modalities != BOTH_MODALITIES:
            continue
        for title, params in PRETRAINED.items():
            if params and "freeze" not in component.params.model_fields:
                continue
            candidate = candidate_of(component, {**component.tiny, **params})
            parts: dict[Role, Candidate] = {component.role: candidate}
            assembled = Assembled(parts=parts, model=partial(EmotionModel, dropout="utterance"))
            made[f"{component.role}: {component.kind}{title}"] = assembled
    return made


ASSEMBLIES: Final = _assemblies()
REFUSED: Final = frozenset({"text: videberta, low-rank updates"})
"""Drops units of a table that all rows share (DeBERTa's relative positions), which belongs to no utterance."""

BOTH_PARTS: Final = {str(modality) for modality in Modality}


def _model(assembled: Assembled) -> EmotionModel:
    model = assembled.subject().build(torch.float64)
    assert isinstance(model, EmotionModel)
    return model


def _rows(assembled: Assembled) -> Rows:
    sources = assembled.subject().sources
    assert set(sources) == BOTH_PARTS
    return {name: source.rows(LENGTHS[name], seed=4) for name, source in sources.items()}


def _batch(assembled: Assembled, rows: Rows, order: Sequence[int]) -> Batch:
    chosen = {name: [values[row] for row in order] for name, values in rows.items()}
    inputs = assembled.subject().pad(chosen, torch.float64, extra=len(order) - 1, junk_seed=3)
    number = torch.tensor(order)
    batch = Batch(text=inputs["text"], audio=inputs["audio"], labels=None, indices=number, identities=number)
    return batch.drawn(seed=5, epoch=1)


def _taught(model: EmotionModel, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits in training mode, and the parameter gradients of their weighted sum."""
    model.train().zero_grad()
    logits = model(batch)
    torch.autograd.backward((logits * torch.linspace(-1, 1, logits.shape[1])).sum())
    gradients = {name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None}
    return logits.detach(), gradients


def _apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Largest difference ÷ the largest number; a gradient that is absent is zero."""
    largest = max(1.0, *(float(part.abs().max()) for part in other.values() if part.numel()))
    gaps = [
        float((one.get(name, torch.zeros(())) - other.get(name, torch.zeros(()))).abs().max())
        for name in {**one, **other}
    ]
    return max(gaps) / largest


@pytest.mark.parametrize("name", [name for name in ASSEMBLIES if name not in REFUSED])
def test_every_row_gives_and_teaches_the_same_alone_as_beside_rows_that_lack_a_modality(name: str) -> None:
    assembled = ASSEMBLIES[name]
    model, rows = _model(assembled), _rows(assembled)
    logits, gradients = _taught(model, _batch(assembled, rows, range(4)))
    assert bool(torch.isfinite(logits).all())
    summed: dict[str, Tensor] = {}
    for row in range(4):
        alone, given = _taught(model, _batch(assembled, rows, [row]))
        assert float((alone[0] - logits[row]).abs().max()) <= EXACT * max(1.0, float(logits.abs().max()))
        summed = {part: summed.get(part, 0) + given.get(part, 0) for part in {**summed, **given}}  # type: ignore[misc]  # 0 + a tensor
    assert _apart(summed, gradients) <= EXACT


@pytest.mark.parametrize("name", sorted(REFUSED & set(ASSEMBLIES)))
def test_dropout_of_what_the_rows_share_is_refused(name: str) -> None:
    assembled = ASSEMBLIES[name]
    with pytest.raises(AssemblyError, match=r"the text encoder drops .* Set `training.dropout` to `batch`\."):
        _taught(_model(assembled), _batch(assembled, _rows(assembled), range(4)))


@pytest.mark.parametrize("name", ASSEMBLIES)
def test_an_absent_modality_teaches_its_encoder_nothing(name: str) -> None:
    assembled = ASSEMBLIES[name]
    model, rows = _model(assembled), _rows(assembled)
    for row, absent, present in ((ONLY_TEXT, "audio", "text"), (ONLY_AUDIO, "text", "audio")):
        _, gradients = _taught(model, _batch(assembled, rows, [row]))
        taught = {part.split(".")[0] for part, gradient in gradients.items() if bool(gradient.any())}
        assert absent not in taught
        if any(parameter.requires_grad for parameter in model.get_submodule(present).parameters()):
            assert present in taught


@pytest.mark.parametrize("name", ASSEMBLIES)
def test_what_a_neighbour_lacks_changes_no_bit_of_a_row(name: str) -> None:
    """At one padded shape: the neighbours as they are, and with one modality taken from each."""
    assembled = ASSEMBLIES[name]
    model, rows = _model(assembled).eval(), _rows(assembled)
    whole = _batch(assembled, rows, [COMPLETE, SHORT, COMPLETE])
    lacking = Batch(
        text=_without(whole, "text", 1), audio=_without(whole, "audio", 2), labels=None, indices=whole.indices
    )
    with torch.inference_mode():
        complete, beside = model(whole), model(lacking)
    assert torch.equal(complete[0], beside[0])
    assert not torch.equal(complete[1:], beside[1:])
    assert bool(torch.isfinite(beside).all())


def _without(batch: Batch, name: str, row: int) -> MaskedSequence:
    sequence = batch.text if name == "text" else batch.audio
    lengths = sequence.lengths.clone()
    lengths[row] = 0
    return MaskedSequence(features=sequence.features, lengths=lengths)


@final
class Averaging(nn.Module):
    """A leak: the mean of the batch's text is added to every row's."""

    def __init__(self, fusion: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion
        self.output_dims = fusion.output_dims

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        moved = text.with_features(text.features + text.features.mean())
        streams: tuple[MaskedSequence, ...] = self.fusion(text=moved, audio=audio)
        return streams


def test_a_fusion_that_mixes_rows_is_noticed() -> None:
    """The counter-example."""
    assembled = ASSEMBLIES["fusion: late"]
    model, rows = _model(assembled), _rows(assembled)
    model.fusion = Averaging(model.fusion)
    logits, _ = _taught(model, _batch(assembled, rows, range(4)))
    alone, _ = _taught(model, _batch(assembled, rows, [COMPLETE]))
    assert float((alone[0] - logits[COMPLETE]).abs().max()) > 1e-4
