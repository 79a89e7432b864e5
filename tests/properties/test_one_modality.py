"""What the baselines of one modality share: one projected stream, and the other modality is never read."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Component, Role
from vietmer_core.sequence import MaskedSequence

IN_DIM, DIM = 5, 8

baselines = pytest.mark.parametrize("modality", ["text", "audio"])


def component_of(modality: str) -> Component:
    return installed_catalogue().component(Role.FUSION, f"{modality}_only")


def fusion_of(modality: str) -> nn.Module:
    torch.manual_seed(0)
    component, dims = component_of(modality), {"text_dim": 0, "audio_dim": 0, f"{modality}_dim": IN_DIM}
    fusion = component.build(component.params.model_validate({"dim": DIM}), **dims)
    assert isinstance(fusion, nn.Module)
    return fusion.double().eval()


def fused(modality: str, fusion: nn.Module, own: MaskedSequence, unread: MaskedSequence) -> MaskedSequence:
    (stream,) = fusion(**{"text": unread, "audio": unread, modality: own})
    assert isinstance(stream, MaskedSequence)
    return stream


def sequence_of(lengths: list[int], *, junk: float = 0) -> MaskedSequence:
    """Rows that depend on their number alone; two columns of padding beyond the longest, filled with `junk`."""
    features = torch.full((len(lengths), max(lengths) + 2, IN_DIM), junk, dtype=torch.float64)
    for index, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(index)
        features[index, :length] = torch.randn(length, IN_DIM, generator=generator, dtype=torch.float64)
    return MaskedSequence(features=features.requires_grad_(), lengths=torch.tensor(lengths))


def check_stream(stream: MaskedSequence, projected: Tensor) -> None:
    """Every real frame is the projection of its own input frame, and zeros fill the padding."""
    torch.testing.assert_close(stream.features[stream.mask], projected[stream.mask], atol=1e-12, rtol=0)
    assert torch.all(stream.features[~stream.mask] == 0)


def projected(fusion: nn.Module, features: Tensor) -> Tensor:
    """Linear, then layer norm, by their formulas."""
    weight, bias, scale, shift = fusion.state_dict().values()
    states: Tensor = features @ weight.T + bias
    centred = states - states.mean(dim=-1, keepdim=True)
    normed: Tensor = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * scale + shift
    return normed


@baselines
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4), junk=st.sampled_from([1e4, float("nan")]))
def test_the_stream_is_the_projected_modality(modality: str, lengths: list[int], junk: float) -> None:
    fusion, own = fusion_of(modality), sequence_of(lengths, junk=junk)
    unread = MaskedSequence(features=torch.zeros(len(lengths), 0, 0), lengths=torch.zeros_like(own.lengths))
    stream = fused(modality, fusion, own, unread)
    check_stream(stream, projected(fusion, sequence_of(lengths).features))
    assert stream.lengths.tolist() == lengths
    assert stream.features.shape[-1:] == fusion.output_dims == (DIM,)


@baselines
def test_the_check_catches_junk_that_is_left_in_the_padding(modality: str) -> None:
    own = sequence_of([2, 4], junk=1e4)
    states = projected(fusion_of(modality), own.features)
    with pytest.raises(AssertionError):
        check_stream(own.with_features(states), states)


@baselines
def test_an_absent_modality_trains_nothing(modality: str) -> None:
    fusion, own, unread = fusion_of(modality), sequence_of([0, 0], junk=1e4), sequence_of([2, 3])
    torch.autograd.backward(fused(modality, fusion, own, unread).features.pow(3).sum())
    assert not [name for name, value in fusion.named_parameters() if value.grad is not None and value.grad.any()]
    assert own.features.grad is None or torch.all(own.features.grad == 0)
    assert unread.features.grad is None


@baselines
def test_it_alone_is_declared_as_read(modality: str) -> None:
    assert component_of(modality).modalities == frozenset({modality})


@baselines
@pytest.mark.parametrize("wrong", [{"dim": 0}, {"dropout": 1.0}, {"num_heads": 8}])
def test_wrong_parameters_are_refused_in_their_place(modality: str, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        component_of(modality).params.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
