"""States that may be kept, and bits that no neighbour changes."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from vietmer_audio_whisper import encoder as encoder_module
from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.frontend import WhisperFrontend
from vietmer_audio_whisper.network import encode
from vietmer_audio_whisper.plugin import register_components
from vietmer_audio_whisper.windows import Part

from vietmer_core.protocols import CacheableEncoder
from vietmer_core.sequence import MaskedSequence, pad_rows
from vietmer_core.testing import ConformanceError, run_check

WhisperOf = Callable[[dict[str, Any]], tuple[WhisperFrontend, WhisperAudioEncoder]]
Speech = Callable[..., Tensor]
(COMPONENT,) = register_components()
DIM = 16


@pytest.fixture
def fields(one_second: str) -> dict[str, Any]:
    return {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": 0.1}


def batch(*frames: int) -> MaskedSequence:
    generator = torch.Generator().manual_seed(sum(frames))
    return pad_rows([torch.randn(length, 8, generator=generator, dtype=torch.float64) for length in frames])


@pytest.mark.parametrize(("layers", "width"), [("last", DIM), (0, DIM), ("weighted_sum", 3 * DIM)])
@pytest.mark.parametrize("pads", [False, True])
def test_all_layers_that_are_read_are_states(
    whisper_of: WhisperOf, fields: dict[str, Any], layers: str | int, width: int, pads: bool
) -> None:
    _, encoder = whisper_of({**fields, "layers": layers, "pad_to_30s": pads})
    assert isinstance(encoder, CacheableEncoder)
    assert encoder.states_dim == width
    for sequence in (batch(90, 0, 33), batch(260, 101, 0, 44)):
        states = encoder.encode(sequence)
        assert states.features.shape[2] == width
        assert torch.equal(encoder.finish(states).features, encoder(sequence).features)


def test_layers_mixed_behind_the_windows_are_those_mixed_in_each(whisper_of: WhisperOf, fields: dict[str, Any]) -> None:
    _, encoder = whisper_of({**fields, "layers": "weighted_sum", "normalise_layers": True})
    single = [whisper_of({**fields, "layers": layer})[1] for layer in (0, 1, "last")]
    for other in single:
        kept = other.backbone.state_dict()
        other.backbone.load_state_dict({name: encoder.backbone.state_dict()[name] for name in kept})
    sequence = batch(260)
    parts = encoder.encode(sequence).features.chunk(3, dim=-1)
    for part, other in zip(parts, single, strict=True):
        assert torch.equal(part, other(sequence).features)


def test_fields_that_act_behind_the_states_leave_them_as_they_are(
    whisper_of: WhisperOf, fields: dict[str, Any]
) -> None:
    plain, normalised = (whisper_of({**fields, "normalise_layers": given})[1] for given in (False, True))
    sequence = batch(90, 33)
    assert torch.equal(plain.encode(sequence).features, normalised.encode(sequence).features)
    assert not torch.equal(plain(sequence).features, normalised(sequence).features)


@pytest.mark.parametrize(
    ("given", "obstacle"),
    [
        ({}, ""),
        ({"layers": "weighted_sum"}, ""),
        ({"lora": {}}, "`lora` trains low-rank updates inside it"),
        ({"spec_augment": {}}, "`spec_augment` hides other spans in every epoch"),
        ({"freeze": False, "spec_augment": {}}, "`freeze: false` trains its weights"),
    ],
)
def test_what_changes_the_states_is_named(
    whisper_of: WhisperOf, fields: dict[str, Any], given: dict[str, Any], obstacle: str
) -> None:
    assert whisper_of({**fields, **given})[1].obstacle() == obstacle


@pytest.mark.parametrize("fields_", [{}, {"layers": "weighted_sum"}, {"layers": 2, "normalise_layers": True}])
def test_real_weights_give_the_same_bits_whatever_the_neighbours(real_whisper: str, fields_: dict[str, Any]) -> None:
    run_check(COMPONENT, "canonical_bits", params={"checkpoint": real_whisper, **fields_})


def test_real_weights_are_read_once_and_finished_often(
    real_whisper: str, whisper_of: WhisperOf, speech: Speech
) -> None:
    frontend, encoder = whisper_of({"checkpoint": real_whisper, "layers": "weighted_sum"})
    sequence = pad_rows([frontend(speech(seconds)).double() for seconds in (1.5, 0.7)])
    states = encoder.train().encode(sequence)
    assert states.features.shape[2] == encoder.states_dim == 5 * 384
    assert not states.features.requires_grad
    assert torch.equal(encoder.finish(states).features, encoder.eval()(sequence).features)


def test_windows_grouped_over_utterances_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """On any processor: here the numbers of a row follow openly from how many rows are computed together."""

    def by_rows(model: nn.Module, mels: Tensor, lengths: Tensor | None, **more: Any) -> Tensor:
        return encode(model, mels, lengths, **more) * (1 + len(mels) / 1024)

    monkeypatch.setattr(encoder_module, "encode", by_rows)
    run_check(COMPONENT, "canonical_bits")

    def over_utterances(parts: Sequence[Part], *, most_mel_frames: int) -> list[list[int]]:
        del most_mel_frames
        return [list(range(len(parts)))]

    monkeypatch.setattr(encoder_module, "grouped", over_utterances)
    with pytest.raises(ConformanceError, match="not a bit may differ"):
        run_check(COMPONENT, "canonical_bits")
