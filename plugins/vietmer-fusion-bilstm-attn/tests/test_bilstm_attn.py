"""BiLSTM and cross-attention fusion: what it computes, and that nothing of an absent modality reaches it."""

from collections.abc import Callable
from typing import Any, final

import attrs
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional
from vietmer_fusion_bilstm_attn.fusion import RecurrentAttentionFusion
from vietmer_fusion_bilstm_attn.params import BiLSTMAttentionParams
from vietmer_fusion_bilstm_attn.plugin import build
from vietmer_fusion_bilstm_attn.stream import RecurrentStream

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.nn.cross_attention import CrossAttentionBlock, CrossAttentionStream
from vietmer_core.nn.recurrent import BiLSTM
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import check_names, conformance_tests, failing_checks, run_check

TEXT_DIM, AUDIO_DIM, DIM, HIDDEN = 5, 7, 8, 3
TINY = {"dim": DIM, "hidden_dim": HIDDEN, "num_heads": 2}
FORMS: dict[str, dict[str, object]] = {
    "default": {},
    "parallel": {"order": "parallel"},
    "gate": {"merge": "gate"},
    "parallel gate": {"order": "parallel", "merge": "gate"},
    "deep": {"order": "parallel", "num_layers": 2, "num_blocks": 2},
}
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

COMPONENT = installed_catalogue().component(Role.FUSION, "bilstm_attn")
UNCOMPILED = [name for name in check_names(Role.FUSION) if name != "compiled_equals_eager"]

test_conformance = conformance_tests("fusion", "bilstm_attn")


@pytest.mark.parametrize("check_name", UNCOMPILED)
@pytest.mark.parametrize("form", ["gate", "parallel gate", "deep"])
def test_conformance_of_other_forms(form: str, check_name: str) -> None:
    run_check(COMPONENT, check_name, params={**TINY, **FORMS[form]})


forms = pytest.mark.parametrize("form", FORMS)


def fusion_of(form: str = "default") -> RecurrentAttentionFusion:
    torch.manual_seed(0)
    params = BiLSTMAttentionParams.model_validate({**TINY, **FORMS[form]})
    fusion = build(params, text_dim=TEXT_DIM, audio_dim=AUDIO_DIM)
    assert isinstance(fusion, RecurrentAttentionFusion)
    return fusion.double().eval()


def sequence_of(lengths: list[int], dim: int, *, extra: int = 0) -> MaskedSequence:
    """Rows that depend on their number and width alone, with junk in `extra` more columns."""
    features = torch.full((len(lengths), max(lengths) + extra, dim), 1e4, dtype=torch.float64)
    for index, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(100 * dim + index)
        features[index, :length] = torch.randn(length, dim, generator=generator, dtype=torch.float64)
    return MaskedSequence(features=features.requires_grad_(), lengths=torch.tensor(lengths))


def fused_frames(fusion: RecurrentAttentionFusion, text: MaskedSequence, audio: MaskedSequence) -> Tensor:
    fused: MaskedSequence = fusion(text=text, audio=audio)[0]
    return fused.features[0, : fused.lengths[0]]


def torchs_lstm(recurrence: BiLSTM, states: Tensor) -> Tensor:
    """torch's bidirectional LSTM with the same weights, on one row `(1, time, DIM)` without padding."""
    num_layers = len(recurrence.forth)
    oracle = nn.LSTM(DIM, HIDDEN, num_layers=num_layers, bidirectional=True, batch_first=True, dtype=torch.float64)
    for layer in range(num_layers):
        for own, suffix in ((recurrence.forth[layer], ""), (recurrence.back[layer], "_reverse")):
            for name in WEIGHTS:
                getattr(oracle, f"{name}_l{layer}{suffix}").data = getattr(own, f"{name}_l0")
    read: Tensor = oracle(states)[0]
    return read


def normed(layers: nn.Sequential, states: Tensor) -> Tensor:
    """Linear, then layer norm."""
    linear, norm = layers
    assert isinstance(linear, nn.Linear)
    assert isinstance(norm, nn.LayerNorm)
    return functional.layer_norm(states @ linear.weight.T + linear.bias, (DIM,), norm.weight, norm.bias)


def read_alone(stream: RecurrentStream, frames: Tensor) -> Tensor:
    return normed(stream.output_projection, torchs_lstm(stream.recurrence, normed(stream.projection, frames)))


def attended(stream: CrossAttentionStream, own: Tensor, other: Tensor) -> Tensor:
    """torch's own attention with the same weights, pre-norm and with residuals, on one row without padding."""
    attention = nn.MultiheadAttention(DIM, 2, batch_first=True, dtype=torch.float64)
    inward = (stream.attention.query, stream.attention.key, stream.attention.value)
    attention.in_proj_weight.data = torch.cat([layer.weight for layer in inward])
    attention.in_proj_bias.data = torch.cat([layer.bias for layer in inward])
    attention.out_proj.load_state_dict(stream.attention.output.state_dict())
    keys = stream.key_norm(other)
    own = own + attention(stream.query_norm(own), keys, keys, need_weights=False)[0]
    hidden: Tensor = own + stream.feed_forward(stream.feed_forward_norm(own))
    return hidden


def by_torch(fusion: RecurrentAttentionFusion, text: Tensor, audio: Tensor, *, order: str, gate: bool) -> Tensor:
    """One row without padding → `(1, tokens + frames, DIM)`."""
    states, speech = read_alone(fusion.text, text), read_alone(fusion.audio, audio)
    for block in fusion.blocks:
        assert isinstance(block, CrossAttentionBlock)
        updated = attended(block.text, states, speech)
        speech = attended(block.audio, speech, updated if order == "sequential" else states)
        states = updated
    if gate:
        assert fusion.text_gate is not None
        assert fusion.audio_gate is not None
        states = states / (1 + (-fusion.text_gate.linear(states)).exp())
        speech = speech / (1 + (-fusion.audio_gate.linear(speech)).exp())
    return torch.cat([states, speech], dim=1)


@forms
@torch.no_grad()
def test_it_is_torchs_lstm_and_attention_on_one_row(form: str) -> None:
    fusion = fusion_of(form)
    text, audio = sequence_of([4], TEXT_DIM), sequence_of([6], AUDIO_DIM)
    order, gate = str(FORMS[form].get("order", "sequential")), FORMS[form].get("merge") == "gate"
    found = fused_frames(fusion, text, audio)
    expected = by_torch(fusion, text.features, audio.features, order=order, gate=gate)[0]
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    other = "parallel" if order == "sequential" else "sequential"
    swapped = by_torch(fusion, text.features, audio.features, order=other, gate=gate)[0]
    assert not torch.allclose(found, swapped, atol=1e-3)


@forms
def test_where_one_modality_is_absent_the_other_is_passed_on(form: str) -> None:
    fusion = fusion_of(form)
    text, audio = sequence_of([4, 2, 0], TEXT_DIM, extra=1), sequence_of([0, 3, 5], AUDIO_DIM, extra=1)
    (fused,) = fusion(text=text, audio=audio)
    assert fused.lengths.tolist() == [4, 5, 5]
    assert torch.all(fused.features[~fused.mask] == 0)
    for row, own, other in ((0, text, audio), (2, audio, text)):
        loss = fused.features[row].pow(3).sum()
        to_own, to_absent = torch.autograd.grad(loss, [own.features, other.features], retain_graph=True)
        assert torch.all(to_own[row, : own.lengths[row]].abs().sum(dim=-1) > 0)
        assert torch.all(to_own[:row] == 0)
        assert torch.all(to_absent == 0)


@forms
@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("absent", ["text", "audio"])
def test_a_modality_absent_everywhere_trains_nothing_of_its_own(form: str, extra: int, absent: str) -> None:
    fusion = fusion_of(form)
    lengths = {"text": [3, 5], "audio": [4, 2], absent: [0, 0]}
    fused = fused_frames(
        fusion,
        sequence_of(lengths["text"], TEXT_DIM, extra=extra),
        sequence_of(lengths["audio"], AUDIO_DIM, extra=extra),
    )
    assert torch.isfinite(fused).all()
    torch.autograd.backward(fused.pow(3).sum())
    trained = {name for name, value in fusion.named_parameters() if value.grad is not None and value.grad.any()}
    present = "audio" if absent == "text" else "text"
    assert {f"{present}.projection.0.weight", f"{present}.recurrence.back.0.weight_hh_l0"} <= trained
    assert not [name for name in trained if name.startswith((f"{absent}.", f"{absent}_gate"))]
    assert not [name for name in trained if "attention." in name or "key_norm" in name or f".{absent}." in name]


@forms
def test_a_batch_of_nothing_is_finite(form: str) -> None:
    (fused,) = fusion_of(form)(text=sequence_of([0, 0], TEXT_DIM), audio=sequence_of([0, 0], AUDIO_DIM))
    assert fused.features.shape == (2, 0, DIM)


@final
class Unpacked(nn.Module):
    """A leak on purpose: torch's bidirectional LSTM over the padded rows."""

    def __init__(self) -> None:
        super().__init__()
        self.output_dim = 2 * HIDDEN
        self.lstm = nn.LSTM(DIM, HIDDEN, bidirectional=True, batch_first=True)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        states = sequence.zeroed().features
        if states.shape[1] == 0:
            return sequence.with_features(states.new_zeros(len(states), 0, self.output_dim))
        return sequence.with_features(self.lstm(states)[0])


@final
class GateOfTheMean(nn.Module):
    """A leak on purpose: a gate that reads the mean over the padded time."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        states = sequence.features
        mean = states.sum(dim=1, keepdim=True) / max(states.shape[1], 1)  # (batch, 1, dim)
        return sequence.with_features(torch.sigmoid(self.linear(mean)) * states)


def with_unpacked_lstm(fusion: Any) -> None:
    fusion.audio.recurrence = Unpacked()


def with_gate_of_the_mean(fusion: Any) -> None:
    fusion.audio_gate = GateOfTheMean()


@pytest.mark.parametrize("spoil", [with_unpacked_lstm, with_gate_of_the_mean])
def test_the_kit_catches_a_part_that_reads_the_padding(spoil: Callable[[Any], None]) -> None:
    def spoilt(params: BiLSTMAttentionParams, *, text_dim: int, audio_dim: int) -> object:
        fusion = build(params, text_dim=text_dim, audio_dim=audio_dim)
        spoil(fusion)
        return fusion

    names = ["alone_equals_batch"]
    broken = attrs.evolve(COMPONENT, build=spoilt)
    assert list(failing_checks(broken, names=names, params={**TINY, "merge": "gate"})) == names


@pytest.mark.parametrize(
    ("wrong", "place", "sentence"),
    [
        ({"dim": 12}, "num_heads", "`num_heads` must divide `dim` (12), but is 8 instead."),
        ({"num_heads": 7}, "num_heads", "`num_heads` must divide `dim` (768), but is 7 instead."),
        ({"order": "audio_first"}, "order", "'sequential' or 'parallel'"),
        ({"merge": "sum"}, "merge", "'concat' or 'gate'"),
        ({"num_layers": 0}, "num_layers", "greater than or equal to 1"),
        ({"heads": 4}, "heads", "Extra inputs are not permitted"),
        ({"dropout": 1.0}, "dropout", "less than 1"),
    ],
)
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object], place: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        BiLSTMAttentionParams.model_validate(wrong)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)
    assert sentence in error["msg"]


def test_the_defaults_are_those_of_the_reference_design() -> None:
    fusion = build(BiLSTMAttentionParams(), text_dim=TEXT_DIM, audio_dim=AUDIO_DIM)
    assert isinstance(fusion, RecurrentAttentionFusion)
    (block,), (lstm,) = fusion.blocks, fusion.text.recurrence.forth
    assert isinstance(block, CrossAttentionBlock)
    assert isinstance(lstm, nn.LSTM)
    assert (fusion.output_dims, lstm.input_size, lstm.hidden_size) == ((768,), 768, 384)
    assert (block.audio.attention.num_heads, block.audio.feed_forward.expand.out_features) == (8, 3072)
    assert (block.audio.dropout.p, block.sequential, fusion.text_gate) == (0.1, True, None)
