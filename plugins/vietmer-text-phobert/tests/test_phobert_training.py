from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.pretrained import stack
from vietmer_core.pretrained.token_encoder import TokenEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows

EncoderOf = Callable[..., TokenEncoder]
RowsOf = Callable[[Sequence[int]], list[Tensor]]
Loss = Callable[[MaskedSequence], Tensor]

LAYER_0 = "encoder.layer.0."
LAYER_1 = "encoder.layer.1."
EMBEDDINGS = "embeddings."


def steps(encoder: TokenEncoder, batch: MaskedSequence, loss_of: Loss, *, epochs: int = 1) -> list[set[str]]:
    """Which weights each epoch moves: three AdamW steps each, over the groups that the backbone gives at the begin."""
    groups = [list(group.parameters) for group in encoder.backbone.parameter_groups()]
    groups.append(list(encoder.mix.parameters()))
    optimiser = torch.optim.AdamW([{"params": group} for group in groups if group], lr=1e-2, weight_decay=0.0)
    moved = []
    for epoch in range(epochs):
        encoder.train()
        encoder.backbone.begin_epoch(epoch)
        before = {name: value.clone() for name, value in encoder.state_dict().items()}
        for _ in range(3):
            optimiser.zero_grad()
            torch.autograd.backward(loss_of(encoder(batch)))
            optimiser.step()
        after = encoder.state_dict()
        moved.append({name for name, value in before.items() if not torch.equal(value, after[name])})
    return moved


def kinds(moved: set[str]) -> set[str]:
    """Where the moved weights are."""
    found = set()
    for name in moved:
        inside = name.removeprefix("backbone.model.")
        place = next((part for part in (EMBEDDINGS, LAYER_0, LAYER_1) if inside.startswith(part)), inside)
        found.add(place + ("lora" if ".lora_" in inside else ""))
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"train_layers": 1}, {LAYER_1}),
        ({"train_layers": 2}, {LAYER_0, LAYER_1}),
        ({"freeze": False}, {EMBEDDINGS, LAYER_0, LAYER_1}),
        ({"lora": {"rank": 2}}, {LAYER_0 + "lora", LAYER_1 + "lora"}),
        ({"layers": "weighted_sum"}, {"mix.weights"}),
        ({"layers": 1, "train_layers": 1}, {LAYER_0}),
        ({"train_layers": 1, "gradient_checkpointing": True}, {LAYER_1}),
    ],
)
def test_training_moves_what_was_asked_for_and_nothing_else(
    encoder_of: EncoderOf, rows_of: RowsOf, loss_of: Loss, given: dict[str, Any], expected: set[str]
) -> None:
    encoder = encoder_of(torch.float32, **given)
    assert kinds(steps(encoder, pad_rows(rows_of([6, 3])), loss_of)[0]) == expected


def test_lora_adapts_queries_and_values(encoder_of: EncoderOf) -> None:
    names = {name for name, value in encoder_of(lora={"rank": 2}).named_parameters() if value.requires_grad}
    assert len(names) == 2 * 2 * 2  # two layers, two matrices, A and B
    assert all(".self.query." in name or ".self.value." in name for name in names)


def test_gradual_unfreezing_frees_from_the_top(encoder_of: EncoderOf, rows_of: RowsOf, loss_of: Loss) -> None:
    encoder = encoder_of(torch.float32, freeze=False, unfreeze={"first_epoch": 0, "layers": 1, "every": 1})
    moved = steps(encoder, pad_rows(rows_of([6, 3])), loss_of, epochs=3)
    assert [kinds(names) for names in moved] == [{LAYER_1}, {LAYER_0, LAYER_1}, {EMBEDDINGS, LAYER_0, LAYER_1}]


def test_frozen_is_evaluation_mode_without_a_gradient(encoder_of: EncoderOf, rows_of: RowsOf) -> None:
    encoder, batch = encoder_of(), pad_rows(rows_of([6, 3]))
    expected = encoder(batch).features
    found = encoder.train()(batch).features
    assert torch.equal(found, expected)
    assert not found.requires_grad
    assert not any(part.training for part in encoder.backbone.model.modules())


def test_dropout_is_drawn_in_the_trained_layers_alone(encoder_of: EncoderOf, rows_of: RowsOf) -> None:
    encoder, batch = encoder_of(train_layers=1).train(), pad_rows(rows_of([6, 3]))
    dropping = {name for name, part in encoder.named_modules() if isinstance(part, nn.Dropout) and part.training}
    assert dropping
    assert all(LAYER_1 in name for name in dropping)
    assert not torch.equal(encoder(batch).features, encoder(batch).features)


def test_the_pooler_is_not_built(encoder_of: EncoderOf) -> None:
    assert not any("pooler" in name for name in encoder_of().state_dict())


def drawn_gradients(
    encoder: TokenEncoder, batch: MaskedSequence, loss_of: Loss, *, by_utterance: bool
) -> dict[str, Tensor]:
    encoder.train().zero_grad()
    torch.manual_seed(11)
    if by_utterance:
        with UtteranceDropout(torch.arange(len(batch.lengths)), stream=0):
            output = encoder(batch)
    else:
        output = encoder(batch)
    torch.autograd.backward(loss_of(output))
    return {name: value.grad.clone() for name, value in encoder.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("by_utterance", [True, False])
@pytest.mark.parametrize("given", [{"freeze": False}, {"train_layers": 1}, {"lora": {"rank": 2}}])
def test_gradient_checkpointing_gives_the_same_gradients(
    encoder_of: EncoderOf, rows_of: RowsOf, loss_of: Loss, given: dict[str, Any], by_utterance: bool
) -> None:
    batch = pad_rows(rows_of([6, 3, 0]))
    kept = drawn_gradients(encoder_of(**given), batch, loss_of, by_utterance=by_utterance)
    again = drawn_gradients(encoder_of(**given, gradient_checkpointing=True), batch, loss_of, by_utterance=by_utterance)
    assert kept.keys() == again.keys()
    for name, value in kept.items():
        torch.testing.assert_close(again[name], value, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("given", "calls"), [({"freeze": False}, 2), ({"train_layers": 1}, 1), ({"lora": {"rank": 2}}, 2)]
)
def test_only_trained_layers_are_run_again(
    encoder_of: EncoderOf, rows_of: RowsOf, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], calls: int
) -> None:
    made: list[object] = []

    def counted(layer: nn.Module, *arguments: Tensor, **options: Any) -> object:
        made.append(layer)
        return checkpoint(layer, *arguments, **options)

    monkeypatch.setattr(stack, "checkpoint", counted)
    encoder, batch = encoder_of(**given, gradient_checkpointing=True), pad_rows(rows_of([4]))
    encoder.train()(batch)
    assert len(made) == calls
    encoder.eval()(batch)
    assert len(made) == calls


@pytest.mark.parametrize("given", [{"freeze": False}, {"train_layers": 1}])
def test_dropout_by_utterance_is_that_of_the_utterance_alone(
    encoder_of: EncoderOf, rows_of: RowsOf, given: dict[str, Any]
) -> None:
    encoder, rows, draws = encoder_of(**given).train(), rows_of([6, 3, 0, 5]), torch.tensor([4, 7, 1, 8])
    with UtteranceDropout(draws, stream=0):
        together = encoder(pad_rows(rows, time=9)).features
    for index, row in enumerate(rows):
        with UtteranceDropout(draws[index : index + 1], stream=0):
            alone = encoder(pad_rows([row])).features
        torch.testing.assert_close(together[index, : len(row)], alone[0], rtol=0, atol=1e-12)
