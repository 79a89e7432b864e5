from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from vietmer_audio_fourier2vec.encoder import Fourier2VecEncoder
from vietmer_audio_fourier2vec.patches import mean_patches, patch_lengths

from vietmer_core.sequence import MaskedSequence, pad_rows

MELS = 5
JUNK = 1e4
LENGTHS = st.lists(st.integers(0, 11), min_size=1, max_size=4)


def encoder_of(
    *, patch_frames: int, dtype: torch.dtype = torch.float64, dropout: float = 0.0, num_layers: int = 2
) -> Fourier2VecEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder = Fourier2VecEncoder(
            num_mels=MELS,
            dim=8,
            patch_frames=patch_frames,
            num_layers=num_layers,
            num_heads=2,
            hidden_dim=12,
            dropout=dropout,
        )
    return encoder.to(dtype)


def rows_of(lengths: Sequence[int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths) + len(lengths))
    return [torch.randn(length, MELS, generator=generator).to(dtype) for length in lengths]


def junk_padded(rows: Sequence[Tensor], extra: int) -> MaskedSequence:
    width = max(len(row) for row in rows) + extra
    clean = pad_rows(rows, time=width)
    return clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], JUNK))


def loss_of(output: MaskedSequence) -> Tensor:
    """A sum in which every real value of the output counts, by its place in its own row."""
    weights = torch.arange(1, output.features[0].numel() + 1, dtype=output.features.dtype).sin()
    return (output.zeroed().features * weights.reshape(output.features.shape[1:])).sum()


def worst_difference(
    encode: Callable[[MaskedSequence], MaskedSequence], module: torch.nn.Module, rows: Sequence[Tensor]
) -> float:
    """Largest difference, values and gradients, between each row alone and the junk-padded batch, over the scale."""
    module.zero_grad()
    padded = junk_padded(rows, 4)
    together = encode(padded)
    torch.autograd.backward(loss_of(together))
    joint = [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]
    module.zero_grad()
    worst, scale = 0.0, float(together.zeroed().features.detach().abs().max()) or 1.0
    for index, row in enumerate(rows):
        alone = encode(pad_rows([row]))
        torch.autograd.backward(loss_of(alone))
        length = int(alone.lengths[0])
        assert int(together.lengths[index]) == length
        difference = (together.features[index, :length] - alone.features[0, :length]).detach()
        worst = max([worst, *difference.abs().flatten().div(scale).tolist()])
    separate = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    largest = max([1.0, *(float(gradient.abs().max()) for gradient in joint)])
    for one, other in zip(joint, separate, strict=True):
        worst = max(worst, float((one - other).abs().max()) / largest)
    return worst


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("patch_frames", [1, 3, 4])
def test_a_row_alone_equals_the_row_in_a_padded_batch(dtype: torch.dtype, tolerance: float, patch_frames: int) -> None:
    encoder = encoder_of(patch_frames=patch_frames, dtype=dtype).eval()

    @given(lengths=LENGTHS)
    def holds(lengths: list[int]) -> None:
        assert worst_difference(encoder, encoder, rows_of(lengths, dtype)) <= tolerance

    holds()


def test_the_comparison_sees_a_partial_patch_that_reads_padding() -> None:
    encoder = encoder_of(patch_frames=4).eval()

    def encode_zero_filled(sequence: MaskedSequence) -> MaskedSequence:
        widest = torch.full_like(sequence.lengths, sequence.features.shape[1])
        output: MaskedSequence = encoder(MaskedSequence(features=sequence.zeroed().features, lengths=widest))
        return output

    with pytest.raises(AssertionError):
        worst_difference(encode_zero_filled, encoder, rows_of([5, 9]))

    def encode_divided_by_whole_patch(sequence: MaskedSequence) -> MaskedSequence:
        output = encode_zero_filled(sequence)
        return MaskedSequence(features=output.features, lengths=encoder.output_lengths(sequence.lengths))

    assert worst_difference(encode_divided_by_whole_patch, encoder, rows_of([5, 9])) > 1e-3


@given(lengths=LENGTHS)
def test_padding_gets_no_gradient(lengths: list[int]) -> None:
    sequence = junk_padded(rows_of(lengths), 3)
    features = sequence.features.requires_grad_()
    torch.autograd.backward(loss_of(encoder_of(patch_frames=3)(sequence.with_features(features))))
    assert features.grad is not None
    real = sequence.mask[:, :, None].expand_as(features)
    assert torch.equal(features.grad[~real], torch.zeros_like(features.grad[~real]))
    assert bool(features.grad[real].any()) == (sum(lengths) > 0)


def test_poison_in_the_padding_is_not_read() -> None:
    encoder = encoder_of(patch_frames=3).eval()
    clean = pad_rows(rows_of([4, 0, 8]))
    poisoned = clean.with_features(clean.features.masked_fill(~clean.mask[:, :, None], torch.nan))
    output = encoder(poisoned)
    assert torch.equal(output.features, encoder(clean).features)
    assert not output.features[~output.mask].any()


@given(lengths=LENGTHS, patch_frames=st.integers(1, 5))
def test_a_patch_is_the_mean_of_its_real_frames(lengths: list[int], patch_frames: int) -> None:
    rows = rows_of(lengths)
    patches = mean_patches(junk_padded(rows, 2), patch_frames)
    for row, found, length in zip(rows, patches.features, patches.lengths.tolist(), strict=True):
        expected = [frames.mean(dim=0) for frames in torch.split(row, patch_frames)] if len(row) else []
        assert length == len(expected)
        for patch, mean in zip(found, expected, strict=False):
            torch.testing.assert_close(patch, mean, rtol=0, atol=1e-12)
        assert not found[length:].any()


def test_patch_lengths_round_up() -> None:
    assert patch_lengths(torch.tensor([0, 1, 3, 4, 5, 8]), 4).tolist() == [0, 1, 1, 1, 2, 2]


def test_order_in_time_matters() -> None:
    encoder = encoder_of(patch_frames=1).eval()
    (row,) = rows_of([6])
    there, back = encoder(pad_rows([row])).features, encoder(pad_rows([row.flip(0)])).features
    assert (there - back.flip(1)).abs().max() > 1e-3


def test_evaluation_is_deterministic_and_training_drops() -> None:
    encoder = encoder_of(patch_frames=2, dropout=0.5)
    sequence = pad_rows(rows_of([7, 3]))
    assert not torch.equal(encoder(sequence).features, encoder(sequence).features)
    encoder.eval()
    assert torch.equal(encoder(sequence).features, encoder(sequence).features)


def test_a_batch_without_frames_gives_no_patches() -> None:
    output = encoder_of(patch_frames=4)(pad_rows(rows_of([0, 0])))
    assert output.features.shape == (2, 0, 8)
    assert output.lengths.tolist() == [0, 0]


def test_compiled_equals_eager() -> None:
    encoder = encoder_of(patch_frames=3, num_layers=1).eval()
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    sequence = pad_rows(rows_of([7, 0, 4]))
    expected, found = encoder(sequence), compiled(sequence)
    torch.testing.assert_close(found.features, expected.features, rtol=0, atol=1e-12)
    assert torch.equal(found.lengths, expected.lengths)
