"""Late fusion: two streams, each of its own modality alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from vietmer_fusion_late.fusion import LateFusion
from vietmer_fusion_late.plugin import LateFusionParams, build

from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import conformance_tests

TEXT_DIM, AUDIO_DIM, DIM = 5, 7, 8

test_conformance = conformance_tests("fusion", "late")

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=4)


def fusion_of() -> LateFusion:
    torch.manual_seed(0)
    fusion = build(LateFusionParams(dim=DIM), text_dim=TEXT_DIM, audio_dim=AUDIO_DIM)
    assert isinstance(fusion, LateFusion)
    return fusion.double().eval()


def sequence_of(lengths: list[int], dim: int, *, junk: float = 0) -> MaskedSequence:
    """Rows that depend on their number alone; two columns of padding beyond the longest, filled with `junk`."""
    features = torch.full((len(lengths), max(lengths) + 2, dim), junk, dtype=torch.float64)
    for index, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(10 * dim + index)
        features[index, :length] = torch.randn(length, dim, generator=generator, dtype=torch.float64)
    return MaskedSequence(features=features.requires_grad_(), lengths=torch.tensor(lengths))


def leaking(states: MaskedSequence) -> MaskedSequence:
    """A leak on purpose: centred by the plain mean over time."""
    return states.with_features(states.features - states.features.mean(dim=1, keepdim=True)).zeroed()


def check_streams(streams: tuple[MaskedSequence, ...], expected: tuple[Tensor, ...]) -> None:
    """Every real frame is the projection of its own input frame, and zeros fill the padding."""
    for stream, projected in zip(streams, expected, strict=True):
        torch.testing.assert_close(stream.features[stream.mask], projected[stream.mask], atol=1e-12, rtol=0)
        assert torch.all(stream.features[~stream.mask] == 0)


@settings(deadline=None, derandomize=True)
@given(rows=rows, junk=st.sampled_from([1e4, float("nan")]))
def test_each_stream_is_its_own_modality_projected(rows: list[tuple[int, int]], junk: float) -> None:
    fusion = fusion_of()
    lengths = [list(axis) for axis in zip(*rows, strict=True)]
    text, audio = sequence_of(lengths[0], TEXT_DIM, junk=junk), sequence_of(lengths[1], AUDIO_DIM, junk=junk)
    streams = fusion(text=text, audio=audio)
    clean = fusion.text_projection(sequence_of(lengths[0], TEXT_DIM).features)
    check_streams(streams, (clean, fusion.audio_projection(sequence_of(lengths[1], AUDIO_DIM).features)))
    assert [stream.lengths.tolist() for stream in streams] == lengths
    assert tuple(stream.features.shape[-1] for stream in streams) == fusion.output_dims == (DIM, DIM)


def test_the_check_catches_a_stream_that_reads_its_padding() -> None:
    fusion = fusion_of()
    text, audio = sequence_of([2, 4], TEXT_DIM, junk=1e4), sequence_of([3, 1], AUDIO_DIM, junk=1e4)
    expected = fusion.text_projection(text.features), fusion.audio_projection(audio.features)
    streams = fusion(text=leaking(text), audio=audio)
    with pytest.raises(AssertionError):
        check_streams(streams, expected)


@pytest.mark.parametrize("absent", ["text", "audio"])
def test_a_modality_absent_everywhere_trains_nothing(absent: str) -> None:
    fusion = fusion_of()
    lengths = {"text": [2, 4], "audio": [3, 1], absent: [0, 0]}
    text = sequence_of(lengths["text"], TEXT_DIM, junk=1e4)
    audio = sequence_of(lengths["audio"], AUDIO_DIM, junk=1e4)
    loss = torch.stack([stream.features.pow(3).sum() for stream in fusion(text=text, audio=audio)]).sum()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    gradient = {"text": text, "audio": audio}[absent].features.grad
    assert gradient is None or torch.all(gradient == 0)
    trained = {name for name, value in fusion.named_parameters() if value.grad is not None and value.grad.any()}
    assert trained
    assert not [name for name in trained if name.startswith(absent)]


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"dropout": 1.0}, {"num_heads": 8}])
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        LateFusionParams.model_validate(wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]
