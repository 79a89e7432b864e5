"""The fusion with a temporal CNN: the convolutions stand before the BiLSTMs and read no padding."""

from typing import Any, final

import attrs
import pytest
import torch
from einops import rearrange
from pydantic import ValidationError
from torch import nn
from torch.nn import functional
from vietmer_fusion_bilstm_attn.fusion import RecurrentAttentionFusion
from vietmer_fusion_bilstm_attn.params import BiLSTMAttentionParams
from vietmer_fusion_bilstm_attn.plugin import build as build_without
from vietmer_fusion_cnn_bilstm_attn.plugin import CNNBiLSTMAttentionParams, build

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.nn.convolution import TemporalCNN
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import check_names, conformance_tests, failing_checks, run_check

TEXT_DIM, AUDIO_DIM, DIM = 5, 7, 8
TINY = {"dim": DIM, "hidden_dim": 3, "num_heads": 2}

COMPONENT = installed_catalogue().component(Role.FUSION, "cnn_bilstm_attn")

test_conformance = conformance_tests("fusion", "cnn_bilstm_attn")


@pytest.mark.parametrize("check_name", [name for name in check_names(Role.FUSION) if name != "compiled_equals_eager"])
def test_conformance_dilated_and_gated(check_name: str) -> None:
    run_check(COMPONENT, check_name, params={**TINY, "dilation_growth": 2, "merge": "gate", "order": "parallel"})


def fusion_of(**given: Any) -> RecurrentAttentionFusion:
    torch.manual_seed(0)
    params = CNNBiLSTMAttentionParams.model_validate({**TINY, **given})
    fusion = build(params, text_dim=TEXT_DIM, audio_dim=AUDIO_DIM)
    assert isinstance(fusion, RecurrentAttentionFusion)
    return fusion.double().eval()


def sequence_of(length: int, dim: int) -> MaskedSequence:
    features = torch.randn(1, length, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(dim))
    return MaskedSequence(features=features, lengths=torch.tensor([length]))


@torch.no_grad()
def test_it_is_the_fusion_without_convolutions_behind_plain_ones_on_one_row() -> None:
    """`bilstm_attn` with the same weights, whose projections are followed by torch's own convolutions."""
    fusion = fusion_of(dilation_growth=2)
    plain = build_without(BiLSTMAttentionParams.model_validate(TINY), text_dim=TEXT_DIM, audio_dim=AUDIO_DIM)
    assert isinstance(plain, RecurrentAttentionFusion)
    plain.double().eval().load_state_dict(
        {name: value for name, value in fusion.state_dict().items() if "convolutions" not in name}
    )
    for own, theirs in ((fusion.text, plain.text), (fusion.audio, plain.audio)):
        convolutions = own.convolutions
        assert convolutions is not None
        theirs.projection.append(PlainConvolutions(convolutions))
    text, audio = sequence_of(4, TEXT_DIM), sequence_of(6, AUDIO_DIM)
    found, expected = fusion(text=text, audio=audio)[0], plain(text=text, audio=audio)[0]
    torch.testing.assert_close(found.features, expected.features, atol=1e-12, rtol=0)


@final
class PlainConvolutions(nn.Module):
    """torch's own over a batch without padding; over padding, a leak."""

    def __init__(self, own: TemporalCNN) -> None:
        super().__init__()
        self.own = own

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        states = rearrange(states, "batch time dim -> batch dim time")
        for layer in self.own.layers:
            assert isinstance(layer, nn.Conv1d)
            dilation = layer.dilation[0]
            convolved = functional.conv1d(states, layer.weight, layer.bias, padding=dilation, dilation=dilation)
            states = functional.gelu(convolved)
        return rearrange(states, "batch dim time -> batch time dim")


@final
class OverPadding(nn.Module):
    """A leak on purpose: the padding is zeroed once, before the first convolution."""

    def __init__(self, own: TemporalCNN) -> None:
        super().__init__()
        self.plain = PlainConvolutions(own)

    def forward(self, sequence: MaskedSequence) -> MaskedSequence:
        states = sequence.zeroed().features
        return sequence.with_features(self.plain(states) if states.shape[1] else states)


def test_the_kit_catches_convolutions_that_read_the_padding() -> None:
    def spoilt(params: CNNBiLSTMAttentionParams, *, text_dim: int, audio_dim: int) -> object:
        fusion: Any = build(params, text_dim=text_dim, audio_dim=audio_dim)
        fusion.audio.convolutions = OverPadding(fusion.audio.convolutions)
        return fusion

    names = ["alone_equals_batch"]
    broken = attrs.evolve(COMPONENT, build=spoilt)
    assert list(failing_checks(broken, names=names, params=TINY)) == names


def test_each_modality_has_convolutions_of_its_own() -> None:
    fusion = fusion_of(cnn_layers=3, kernel_size=5, dilation_growth=3)
    for stream in (fusion.text, fusion.audio):
        assert stream.convolutions is not None
        assert [layer.dilation for layer in stream.convolutions.layers] == [(1,), (3,), (9,)]
        assert [layer.kernel_size for layer in stream.convolutions.layers] == [(5,)] * 3
    assert fusion.text.convolutions is not fusion.audio.convolutions


def test_the_defaults_are_those_of_the_reference_design() -> None:
    params = CNNBiLSTMAttentionParams()
    assert (params.cnn_layers, params.kernel_size, params.dilation_growth, params.cnn_dropout) == (2, 3, 1, 0.1)
    shared = set(BiLSTMAttentionParams.model_fields) - {"kind"}
    assert params.model_dump(include=shared) == BiLSTMAttentionParams().model_dump(include=shared)


@pytest.mark.parametrize(
    ("wrong", "place", "sentence"),
    [
        ({"kernel_size": 4}, "kernel_size", "`kernel_size` must be odd"),
        ({"dim": 12}, "num_heads", "`num_heads` must divide `dim` (12), but is 8 instead."),
        ({"cnn_layers": 0}, "cnn_layers", "greater than or equal to 1"),
        ({"dilation": 2}, "dilation", "Extra inputs are not permitted"),
    ],
)
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object], place: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CNNBiLSTMAttentionParams.model_validate(wrong)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)
    assert sentence in error["msg"]
