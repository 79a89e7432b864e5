import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from vietmer_audio_whisper import encoder as encoder_module
from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.frontend import WhisperFrontend

from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.sequence import MaskedSequence, pad_rows

WhisperOf = Callable[[dict[str, Any]], tuple[WhisperFrontend, WhisperAudioEncoder]]
FULL_LAYER = 15  # tensors of a layer
BELOW = 4  # of the convolutions


@pytest.fixture
def random_fields(one_second: str) -> dict[str, Any]:
    return {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": 0.1}


@pytest.fixture
def with_dropout(random_fields: dict[str, Any], one_second: str, tmp_path: Path) -> dict[str, Any]:
    """Fields of a checkpoint that drops wherever Whisper can."""
    for source in Path(one_second).iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"dropout": 0.3, "attention_dropout": 0.2, "activation_dropout": 0.2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return {**random_fields, "checkpoint": str(tmp_path), "freeze": False}


def rows_of(*frames: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(frames))
    return [torch.randn(length, 8, generator=generator, dtype=torch.float64) for length in frames]


def drawn(rows: Sequence[Tensor], draws: Sequence[int]) -> MaskedSequence:
    return pad_rows(rows).with_draws(torch.tensor(draws))


def gradients_of(encoder: WhisperAudioEncoder, sequence: MaskedSequence) -> dict[str, Tensor]:
    encoder.zero_grad()
    output = encoder(sequence).features
    torch.autograd.backward((output * torch.arange(output.numel()).sin().reshape(output.shape)).sum())
    return {name: value.grad.clone() for name, value in encoder.named_parameters() if value.grad is not None}


def dropped(encoder: WhisperAudioEncoder, sequence: MaskedSequence) -> list[Tensor]:
    """The real frames of each row, with dropout that belongs to the utterance."""
    assert sequence.draws is not None
    with torch.no_grad(), UtteranceDropout(sequence.draws, stream=1, name="audio encoder"):
        output = encoder(sequence)
    return [row[:length] for row, length in zip(output.features, output.lengths.tolist(), strict=True)]


def test_frozen_has_no_gradient_and_stays_in_eval_mode(whisper_of: WhisperOf, with_dropout: dict[str, Any]) -> None:
    _, encoder = whisper_of({**with_dropout, "freeze": True})
    sequence = pad_rows(rows_of(30, 12))
    expected = encoder(sequence).features
    encoder.train()
    assert encoder.training
    assert not any(module.training for module in encoder.backbone.model.modules())
    assert torch.equal(encoder(sequence).features, expected)
    assert not expected.requires_grad
    _, trained = whisper_of(with_dropout)
    assert not torch.equal(trained.train()(sequence).features, trained(sequence).features)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"freeze": False}, 2 * FULL_LAYER + BELOW + 2),
        ({"train_layers": 1}, FULL_LAYER + 2),
        ({"train_layers": 2}, 2 * FULL_LAYER + 2),
        ({"lora": {"rank": 2}}, 2 * 2 * 2),
        ({"layers": "weighted_sum"}, 1),
        ({"layers": "weighted_sum", "train_layers": 1}, FULL_LAYER + 2 + 1),
        ({"layers": 1, "freeze": False}, FULL_LAYER + BELOW),
        ({"layers": 0, "freeze": False}, BELOW),
    ],
)
def test_what_is_trained_gets_gradients_and_nothing_else(
    whisper_of: WhisperOf, random_fields: dict[str, Any], fields: dict[str, Any], expected: int
) -> None:
    _, encoder = whisper_of({**random_fields, **fields})
    gradients = gradients_of(encoder.train(), pad_rows(rows_of(130, 12)))
    trained = {name for name, value in encoder.named_parameters() if value.requires_grad}
    assert set(gradients) == trained
    assert len(trained) == expected
    assert not any("embed_positions" in name for name in trained)


def test_low_rank_updates_begin_as_the_network(whisper_of: WhisperOf, real_whisper: str) -> None:
    mels = torch.randn(60, 80, dtype=torch.float64)
    outputs = [
        whisper_of({"checkpoint": real_whisper, **fields})[1](pad_rows([mels])).features
        for fields in ({}, {"lora": {"rank": 4}})
    ]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0, atol=1e-10)


def test_layers_are_freed_from_the_top(whisper_of: WhisperOf, random_fields: dict[str, Any]) -> None:
    _, encoder = whisper_of({**random_fields, "freeze": False, "unfreeze": {"first_epoch": 1}})
    counts = []
    for epoch in range(5):
        encoder.backbone.begin_epoch(epoch)
        counts.append(sum(value.requires_grad for value in encoder.parameters()))
    whole = 2 * FULL_LAYER + 2 + BELOW
    assert counts == [0, FULL_LAYER + 2, 2 * FULL_LAYER + 2, whole, whole]


def test_the_weighted_sum_begins_as_the_mean_of_all_states(
    whisper_of: WhisperOf, random_fields: dict[str, Any]
) -> None:
    sequence = pad_rows(rows_of(40))
    _, encoder = whisper_of({**random_fields, "layers": "weighted_sum"})
    weights, states = encoder.backbone.state_dict(), []
    for layers in (0, 1, "last"):
        _, other = whisper_of({**random_fields, "layers": layers})
        other.backbone.load_state_dict({name: weights[name] for name in other.backbone.state_dict()})
        states.append(other(sequence).features)
    mean = torch.stack(states).mean(dim=0)
    torch.testing.assert_close(encoder(sequence).features, mean, rtol=0, atol=1e-10)
    assert (states[0] - mean).abs().max() > 1e-3


@pytest.mark.parametrize("frames", [(90, 33), (260, 33)])
def test_gradient_checkpointing_gives_the_same_gradients_under_dropout(
    whisper_of: WhisperOf, with_dropout: dict[str, Any], monkeypatch: pytest.MonkeyPatch, frames: tuple[int, ...]
) -> None:
    sequence = drawn(rows_of(*frames), [5, 6])
    assert sequence.draws is not None
    found = []
    for recomputes in (False, True):
        _, encoder = whisper_of({**with_dropout, "gradient_checkpointing": recomputes})
        with UtteranceDropout(sequence.draws, stream=1, name="audio encoder"):
            found.append(gradients_of(encoder.train(), sequence))
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=0, atol=1e-10)
    monkeypatch.setattr("vietmer_core.pretrained.stack.checkpoint", refuse)
    with pytest.raises(AssertionError, match="recomputed"):
        encoder(sequence)


def refuse(*_: Any, **__: Any) -> Tensor:
    raise AssertionError("recomputed")


def test_dropout_belongs_to_the_utterance_and_to_its_windows(
    whisper_of: WhisperOf, with_dropout: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, encoder = whisper_of(with_dropout)
    encoder.train()
    rows, draws = rows_of(44, 260, 0, 101), [11, 12, 13, 14]

    def worst() -> float:
        together = dropped(encoder, drawn(rows, draws))
        alone = [dropped(encoder, drawn([row], [draw]))[0] for row, draw in zip(rows, draws, strict=True)]
        return max(float((one - other).abs().sum()) for one, other in zip(together, alone, strict=True))

    assert worst() < 1e-8

    def by_place(draws: Tensor, *, owners: Tensor, positions: Tensor) -> Tensor:
        return draws[0] + torch.arange(len(owners)) + 0 * positions

    monkeypatch.setattr(encoder_module, "part_draws", by_place)
    assert worst() > 0.1


@pytest.mark.parametrize("plan", [{"freeze": False}, {"freeze": True}, {"freeze": False, "unfreeze": {}}])
def test_spans_are_hidden_in_training_alone_and_belong_to_the_utterance(
    whisper_of: WhisperOf, random_fields: dict[str, Any], plan: dict[str, Any]
) -> None:
    augment = {"time_probability": 0.3, "time_span": 4, "feature_probability": 0.4, "feature_span": 2}
    fields = {**random_fields, **plan, "spec_augment": augment}
    rows, draws = rows_of(60, 130, 3, 0), [21, 22, 23, 24]
    for pads in (False, True):
        _, encoder = whisper_of({**fields, "pad_to_30s": pads})
        plain = encoder(drawn(rows, draws)).features
        together = encoder.train()(drawn(rows, draws))
        assert (together.features - plain).abs().max() > 0.01
        assert (encoder(drawn(rows, [1, 2, 3, 4])).features - together.features).abs().max() > 0.01
        for position, (row, draw) in enumerate(zip(rows, draws, strict=True)):
            alone = encoder(drawn([row], [draw]))
            length = int(alone.lengths[0])
            found = together.features[position, :length]
            torch.testing.assert_close(found, alone.features[0, :length], rtol=0, atol=1e-10)


def test_without_seeds_spans_come_from_torch(whisper_of: WhisperOf, random_fields: dict[str, Any]) -> None:
    fields = {**random_fields, "freeze": False, "spec_augment": {"time_probability": 0.3}}
    _, encoder = whisper_of(fields)
    sequence, outputs = pad_rows(rows_of(80)), []
    for seed in (1, 1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            outputs.append(encoder.train()(sequence).features)
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
