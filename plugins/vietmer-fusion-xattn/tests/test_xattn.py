"""Cross-attention fusion: what it computes, and that nothing of the padding or of an absent modality reaches it."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor, nn
from vietmer_fusion_xattn.blocks import ReferenceBlock
from vietmer_fusion_xattn.fusion import CrossAttentionFusion
from vietmer_fusion_xattn.plugin import CrossAttentionFusionParams, build

from vietmer_core.nn.attention import MaskedAttention
from vietmer_core.nn.cross_attention import CrossAttentionBlock
from vietmer_core.sequence import MaskedSequence
from vietmer_core.testing import conformance_tests

TEXT_DIM, AUDIO_DIM, DIM = 5, 7, 8
FORMS: dict[str, dict[str, object]] = {
    "improved": {},
    "two blocks": {"num_blocks": 2},
    "reference": {"reference": True},
}

test_conformance = conformance_tests("fusion", "xattn")

Fuse = Callable[[MaskedSequence, MaskedSequence], MaskedSequence]
Rows = list[tuple[int, int]]
"""(tokens, frames) of each row; 0 is an absent modality."""

forms = pytest.mark.parametrize("form", FORMS)
ragged_rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=4)


def fusion_of(form: str, dtype: torch.dtype = torch.float64) -> CrossAttentionFusion:
    torch.manual_seed(0)
    params = CrossAttentionFusionParams.model_validate({"dim": DIM, "num_heads": 2, **FORMS[form]})
    fusion = build(params, text_dim=TEXT_DIM, audio_dim=AUDIO_DIM)
    assert isinstance(fusion, CrossAttentionFusion)
    return fusion.to(dtype).eval()


def plain(fusion: CrossAttentionFusion) -> Fuse:
    return lambda text, audio: fusion(text=text, audio=audio)[0]


def reading_padded_keys(fusion: CrossAttentionFusion) -> Fuse:
    """A leak on purpose: the attention believes that every text frame is real."""

    def fuse(text: MaskedSequence, audio: MaskedSequence) -> MaskedSequence:
        states, speech = fusion.text_projection(text.features), fusion.audio_projection(audio.features)
        full = torch.full_like(text.lengths, states.shape[1])
        block = fusion.blocks[0]
        assert isinstance(block, CrossAttentionBlock)
        _, speech = block(MaskedSequence(features=states, lengths=full), audio.with_features(speech))
        return audio.with_features(speech.features).zeroed()

    return fuse


def batch_of(
    rows: Rows, *, extra: int = 0, junk: float = 0, dtype: torch.dtype = torch.float64
) -> tuple[MaskedSequence, MaskedSequence]:
    """A batch whose rows depend on their number alone, with `extra` more columns of padding, filled with `junk`."""
    sequences = []
    for modality, dim in enumerate((TEXT_DIM, AUDIO_DIM)):
        lengths = [row[modality] for row in rows]
        features = torch.full((len(rows), max(lengths) + extra, dim), junk, dtype=dtype)
        for index, length in enumerate(lengths):
            generator = torch.Generator().manual_seed(100 * modality + index)
            features[index, :length] = torch.randn(length, dim, generator=generator, dtype=torch.float64).to(dtype)
        sequences.append(MaskedSequence(features=features.requires_grad_(), lengths=torch.tensor(lengths)))
    return sequences[0], sequences[1]


def row_alone(sequence: MaskedSequence, row: int) -> MaskedSequence:
    length = sequence.lengths[row]
    features = sequence.features[row : row + 1, :length].detach()
    return MaskedSequence(features=features, lengths=sequence.lengths[row : row + 1])


def gradients(fusion: nn.Module, loss: Tensor) -> list[Tensor]:
    parameters = list(fusion.parameters())
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
    return [gradient.detach() for gradient in found]


def frames_of(sequence: MaskedSequence, row: int) -> Tensor:
    return sequence.features[row, : sequence.lengths[row]]


def check_alone_equals_batch(fusion: CrossAttentionFusion, fuse: Fuse, rows: Rows, *, junk: float) -> None:
    """Values and parameter gradients of every row alone equal those in the batch; the padding has no gradient."""
    text, audio = batch_of(rows, extra=3, junk=junk)
    together = fuse(text, audio)
    apart = [fuse(row_alone(text, row), row_alone(audio, row)) for row in range(len(rows))]
    for row, alone in enumerate(apart):
        torch.testing.assert_close(frames_of(together, row), frames_of(alone, 0), atol=1e-10, rtol=0)
    loss = together.features.pow(3).sum()
    expected = [gradients(fusion, alone.features.pow(3).sum()) for alone in apart]
    for index, found in enumerate(gradients(fusion, loss)):
        torch.testing.assert_close(found, sum(each[index] for each in expected), atol=1e-10, rtol=1e-10)
    for sequence in (text, audio):
        (gradient,) = torch.autograd.grad(loss, sequence.features, retain_graph=True, materialize_grads=True)
        assert torch.all(gradient[~sequence.mask] == 0)


@forms
@settings(deadline=None, derandomize=True)
@given(rows=ragged_rows, junk=st.sampled_from([1e4, float("nan")]))
def test_a_row_alone_equals_the_row_in_a_batch(form: str, rows: Rows, junk: float) -> None:
    fusion = fusion_of(form)
    check_alone_equals_batch(fusion, plain(fusion), rows, junk=junk)


def test_the_check_catches_attention_that_reads_padded_keys() -> None:
    fusion = fusion_of("improved")
    with pytest.raises(AssertionError):
        check_alone_equals_batch(fusion, reading_padded_keys(fusion), [(2, 3), (5, 4)], junk=1e4)


@forms
def test_a_row_alone_equals_the_row_in_a_batch_in_float32(form: str) -> None:
    fuse = plain(fusion_of(form, torch.float32))
    rows = [(2, 9), (6, 0), (0, 4), (5, 5)]
    text, audio = batch_of(rows, extra=7, junk=1e4, dtype=torch.float32)
    together = fuse(text, audio)
    scale = float(together.features.detach().abs().max())
    for row in range(len(rows)):
        alone = fuse(row_alone(text, row), row_alone(audio, row))
        torch.testing.assert_close(frames_of(together, row), frames_of(alone, 0), atol=1e-5 * scale, rtol=0)


@forms
@settings(deadline=None, derandomize=True)
@given(rows=ragged_rows)
def test_the_frames_of_both_follow_one_another_and_zeros_fill_the_padding(form: str, rows: Rows) -> None:
    fusion = fusion_of(form)
    text, audio = batch_of(rows, extra=2, junk=1e4)
    (fused,) = fusion(text=text, audio=audio)
    assert fused.lengths.tolist() == [tokens + frames for tokens, frames in rows]
    assert fused.features.shape[-1:] == fusion.output_dims == (DIM,)
    assert torch.all(fused.features[~fused.mask] == 0)
    assert torch.all(fused.features[fused.mask].detach().abs().sum(dim=-1) > 0)


def multihead(attention: MaskedAttention, queries: Tensor, keys: Tensor) -> Tensor:
    """torch's own attention with the same weights, on one row without padding."""
    oracle = nn.MultiheadAttention(DIM, attention.num_heads, batch_first=True, dtype=torch.float64)
    inward = (attention.query, attention.key, attention.value)
    oracle.in_proj_weight.data = torch.cat([layer.weight for layer in inward])
    oracle.in_proj_bias.data = torch.cat([layer.bias for layer in inward])
    oracle.out_proj.load_state_dict(attention.output.state_dict())
    mixed: Tensor = oracle(queries, keys, keys, need_weights=False)[0]
    return mixed


@torch.no_grad()
def test_the_reference_form_is_attention_then_one_shared_layer() -> None:
    fusion = fusion_of("reference")
    text, audio = batch_of([(4, 6)])
    (block,) = fusion.blocks
    assert isinstance(block, ReferenceBlock)
    states, speech = fusion.text_projection(text.features), fusion.audio_projection(audio.features)
    expected = [
        block.shared(multihead(block.text_attention, states, speech)),
        block.shared(multihead(block.audio_attention, speech, states)),
    ]
    assert [type(layer) for layer in block.shared] == [nn.Linear, nn.LeakyReLU, nn.LayerNorm, nn.Dropout]
    torch.testing.assert_close(plain(fusion)(text, audio).features, torch.cat(expected, dim=1), atol=1e-12, rtol=0)


@torch.no_grad()
def test_the_improved_form_is_parallel_and_pre_norm_with_residuals() -> None:
    fusion = fusion_of("improved")
    text, audio = batch_of([(4, 6)])
    block = fusion.blocks[0]
    assert isinstance(block, CrossAttentionBlock)
    states, speech = fusion.text_projection(text.features), fusion.audio_projection(audio.features)
    expected = []
    for stream, own, other in ((block.text, states, speech), (block.audio, speech, states)):
        updated = own + multihead(stream.attention, stream.query_norm(own), stream.key_norm(other))
        expected.append(updated + stream.feed_forward(stream.feed_forward_norm(updated)))
    torch.testing.assert_close(plain(fusion)(text, audio).features, torch.cat(expected, dim=1), atol=1e-12, rtol=0)


def passed_on(fusion: CrossAttentionFusion, own: Tensor) -> Tensor:
    """What the text of a row becomes where there is no audio."""
    block = fusion.blocks[0]
    if isinstance(block, ReferenceBlock):
        through_shared: Tensor = block.shared(own)
        return through_shared
    assert isinstance(block, CrossAttentionBlock)
    through_stream: Tensor = own + block.text.feed_forward(block.text.feed_forward_norm(own))
    return through_stream


@pytest.mark.parametrize("form", ["improved", "reference"])
def test_where_one_modality_is_absent_the_other_is_passed_on(form: str) -> None:
    fusion = fusion_of(form)
    text, audio = batch_of([(4, 0), (2, 3)], extra=1, junk=1e4)
    fused = plain(fusion)(text, audio)
    expected = passed_on(fusion, fusion.text_projection(text.features[:1, :4]))
    torch.testing.assert_close(frames_of(fused, 0), expected[0], atol=1e-12, rtol=0)
    (to_absent,) = torch.autograd.grad(fused.features[0].pow(3).sum(), audio.features, retain_graph=True)
    assert torch.all(to_absent == 0)
    (to_present,) = torch.autograd.grad(fused.features[0].pow(3).sum(), text.features)
    assert torch.all(to_present[0, :4].abs().sum(dim=-1) > 0)
    assert torch.all(to_present[1] == 0)


@forms
@pytest.mark.parametrize("extra", [0, 2])
@pytest.mark.parametrize("absent", ["text", "audio"])
def test_a_modality_absent_everywhere_trains_nothing_of_its_own(form: str, extra: int, absent: str) -> None:
    rows = [(0, 3), (0, 5)] if absent == "text" else [(3, 0), (5, 0)]
    fusion = fusion_of(form)
    text, audio = batch_of(rows, extra=extra, junk=1e4)
    fused = plain(fusion)(text, audio)
    assert torch.isfinite(fused.features).all()
    fused.features.pow(3).sum().backward()  # type: ignore[no-untyped-call]  # torch's own
    trained = {name for name, value in fusion.named_parameters() if value.grad is not None and value.grad.any()}
    present = "audio" if absent == "text" else "text"
    assert f"{present}_projection.0.weight" in trained
    assert not [name for name in trained if name.startswith(f"{absent}_projection")]
    assert not [name for name in trained if "attention." in name or "key_norm" in name or "query_norm" in name]
    assert not [name for name in trained if f".{absent}." in name]


def test_a_batch_of_nothing_is_finite() -> None:
    fused = plain(fusion_of("improved"))(*batch_of([(0, 0), (0, 0)]))
    assert fused.features.shape == (2, 0, DIM)


def test_compiled_equals_eager() -> None:
    fusion = fusion_of("improved")
    text, audio = batch_of([(4, 6), (0, 2)], extra=1)
    compiled = torch.compile(fusion, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(text=text, audio=audio)[0].features, plain(fusion)(text, audio).features)


@pytest.mark.parametrize(
    ("wrong", "place", "sentence"),
    [
        ({"dim": 12}, "num_heads", "`num_heads` must divide `dim` (12), but is 8 instead."),
        ({"reference": True, "num_blocks": 2}, "num_blocks", "`num_blocks` must be 1 where `reference` is true"),
        ({"reference": True, "feed_forward_factor": 2}, "feed_forward_factor", "that form has no feed-forward"),
        ({"heads": 4}, "heads", "Extra inputs are not permitted"),
        ({"dropout": 1.0}, "dropout", "less than 1"),
    ],
)
def test_wrong_parameters_are_refused_in_their_place(wrong: dict[str, object], place: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CrossAttentionFusionParams.model_validate(wrong)
    (error,) = caught.value.errors()
    assert error["loc"] == (place,)
    assert sentence in error["msg"]


@pytest.mark.parametrize("reference", [False, True])
def test_resolved_parameters_are_accepted_again(reference: bool) -> None:
    params = CrossAttentionFusionParams(reference=reference)
    assert CrossAttentionFusionParams.model_validate(params.model_dump()) == params
