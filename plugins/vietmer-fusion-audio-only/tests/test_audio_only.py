"""The audio baseline: one projected stream; the text is never read."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from vietmer_fusion_audio_only.fusion import AudioOnlyFusion
from vietmer_fusion_audio_only.plugin import AudioOnlyFusionParams, build

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Modality, Role
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import conformance_tests

IN_DIM, DIM = 5, 8

test_conformance = conformance_tests("fusion", "audio_only")


def fusion_of() -> AudioOnlyFusion:
    torch.manual_seed(0)
    fusion = build(AudioOnlyFusionParams(dim=DIM), text_dim=0, audio_dim=IN_DIM)
    assert isinstance(fusion, AudioOnlyFusion)
    return fusion.double().eval()


def sequence_of(lengths: list[int], dim: int, *, junk: float = 0) -> MaskedSequence:
    """Rows that depend on their number alone; two columns of padding beyond the longest, filled with `junk`."""
    features = torch.full((len(lengths), max(lengths) + 2, dim), junk, dtype=torch.float64)
    for index, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(10 * dim + index)
        features[index, :length] = torch.randn(length, dim, generator=generator, dtype=torch.float64)
    return MaskedSequence(features=features.requires_grad_(), lengths=torch.tensor(lengths))


def check_stream(stream: MaskedSequence, projected: Tensor) -> None:
    """Every real frame is the projection of its own input frame, and zeros fill the padding."""
    torch.testing.assert_close(stream.features[stream.mask], projected[stream.mask], atol=1e-12, rtol=0)
    assert torch.all(stream.features[~stream.mask] == 0)


@settings(deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4), junk=st.sampled_from([1e4, float("nan")]))
def test_the_stream_is_the_projected_audio(lengths: list[int], junk: float) -> None:
    fusion = fusion_of()
    own = sequence_of(lengths, IN_DIM, junk=junk)
    unread = MaskedSequence(features=torch.zeros(len(lengths), 0, 0), lengths=torch.zeros_like(own.lengths))
    (stream,) = fusion(text=unread, audio=own)
    check_stream(stream, fusion.projection(sequence_of(lengths, IN_DIM).features))
    assert stream.lengths.tolist() == lengths
    assert stream.features.shape[-1:] == fusion.output_dims == (DIM,)


def test_the_check_catches_junk_that_is_left_in_the_padding() -> None:
    fusion = fusion_of()
    own = sequence_of([2, 4], IN_DIM, junk=1e4)
    projected = fusion.projection(own.features)
    with pytest.raises(AssertionError):
        check_stream(own.with_features(projected), projected)


def test_an_absent_audio_trains_nothing() -> None:
    fusion = fusion_of()
    own, unread = sequence_of([0, 0], IN_DIM, junk=1e4), sequence_of([2, 3], IN_DIM)
    (stream,) = fusion(text=unread, audio=own)
    stream.features.pow(3).sum().backward()
    assert not [name for name, value in fusion.named_parameters() if value.grad is not None and value.grad.any()]
    assert own.features.grad is None or torch.all(own.features.grad == 0)
    assert unread.features.grad is None


def test_only_the_audio_is_declared_as_read() -> None:
    component = installed_catalogue().component(Role.FUSION, "audio_only")
    assert component.modalities == frozenset({Modality.AUDIO})


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"dropout": 1.0}, {"num_heads": 8}])
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        AudioOnlyFusionParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
