"""Long audio in bounded memory: convolutions in exact chunks, the Transformer in windows, nothing cut."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from vietmer_audio_wav2vec2 import gated_attention
from vietmer_audio_wav2vec2.encoder import Wav2Vec2Encoder
from vietmer_audio_wav2vec2.group_norm import merged, moments_of, normalise

from vietmer_core.nn.dropout import UtteranceDropout
from vietmer_core.nn.windows import plan_windows
from vietmer_core.sequence import MaskedSequence, pad_rows

Save = Callable[..., Path]
Build = Callable[..., Wav2Vec2Encoder]

LENGTHS = (20_011, 5_000, 0, 401)


def rows_of(lengths: Sequence[int] = LENGTHS, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(length, 1, generator=generator).to(dtype) for length in lengths]


@contextmanager
def largest_output(encoder: Wav2Vec2Encoder) -> Iterator[list[int]]:
    """The sizes of what each convolution of the extractor gives."""
    sizes: list[int] = []

    def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        sizes.append(output.numel())

    convolutions = [part for name, part in encoder.named_modules() if name.endswith(".conv") and "conv_layers" in name]
    handles = [part.register_forward_hook(note) for part in convolutions]
    yield sizes
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("chunk_seconds", [0.02, 0.1, 0.5])
def test_chunks_give_what_everything_at_once_gives(
    variant: str, save: Save, build: Build, chunk_seconds: float
) -> None:
    folder = save(variant)
    with torch.no_grad():
        for sequence in (pad_rows(rows_of()), pad_rows(rows_of([20_011])), pad_rows(rows_of([20_011]), time=50_000)):
            expected = build(folder, chunk_seconds=None)(sequence).features
            found = build(folder, chunk_seconds=chunk_seconds)(sequence).features
            assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_chunks_bound_what_is_computed_at_once(variant: str, save: Save, build: Build) -> None:
    folder = save(variant)
    for num_samples in (20_000, 80_000):
        encoder, whole = build(folder, chunk_seconds=0.5), build(folder, chunk_seconds=None)
        with torch.no_grad(), largest_output(encoder) as chunked, largest_output(whole) as at_once:
            encoder(pad_rows(rows_of([num_samples, 9_000])))
            whole(pad_rows(rows_of([num_samples, 9_000])))
        assert max(chunked) <= 1.1 * 8 * 8_000 / 5  # channels × samples in half a second / stride
        assert max(at_once) > 2 * 8 * (num_samples / 5 - 10)


def test_trained_convolutions_are_computed_at_once(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-group"), chunk_seconds=0.1, freeze=False)
    with largest_output(encoder) as sizes:
        encoder(pad_rows(rows_of([20_000])))
    assert len(sizes) == 7


def test_group_norm_of_each_chunk_by_itself_is_something_else() -> None:
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(2, 3, 40, generator=generator, dtype=torch.float64).cumsum(dim=2)
    norm, counts = nn.GroupNorm(3, 3).double(), torch.tensor([40, 25])
    pieces = [
        moments_of(part, (counts - start).clamp(min=0, max=10))
        for start, part in zip(range(0, 40, 10), torch.split(states, 10, dim=2), strict=True)
    ]
    expected = torch.stack(
        [
            torch.nn.functional.pad(norm(row[None, :, :n])[0], (0, 40 - n))
            for row, n in zip(states, [40, 25], strict=True)
        ]
    )
    whole = normalise(states, norm, merged(pieces))
    assert (whole[0] - expected[0]).abs().max() < 1e-12
    assert (whole[1, :, :25] - expected[1, :, :25]).abs().max() < 1e-12
    each = torch.cat([norm(part) for part in torch.split(states, 10, dim=2)], dim=2)
    assert (each[0] - expected[0]).abs().max() > 0.1


def test_group_norm_survives_a_large_offset_in_float32() -> None:
    states = torch.randn(1, 2, 4_000, generator=torch.Generator().manual_seed(2)) + 1_000
    norm = nn.GroupNorm(2, 2)
    pieces = [moments_of(part, torch.tensor([500])) for part in torch.split(states, 500, dim=2)]
    found = normalise(states, norm, merged(pieces))
    exact = nn.GroupNorm(2, 2).double()(states.double())
    assert (found - exact).abs().max() < 1e-3


def frames_and_windows(encoder: Wav2Vec2Encoder, row: Tensor, *, window: int, overlap: int) -> Tensor:
    """What the windows of one utterance give, by hand."""
    sequence = pad_rows([row])
    frames = encoder._projected(sequence.features[:, :, 0], sequence.lengths)
    kept = []
    for each in plan_windows(frames.shape[1], window=window, overlap=overlap):
        part = frames[:, each.start : each.stop]
        output = encoder.mix(encoder._layers_read(part, torch.tensor([part.shape[1]])))[0]
        kept.append(output[each.keep_start - each.start : each.keep_stop - each.start])
    return torch.cat(kept)


@pytest.mark.parametrize("given", [{}, {"layers": "weighted_sum"}, {"freeze": False}])
def test_long_audio_is_read_in_windows_and_never_cut(
    variant: str, save: Save, build: Build, given: dict[str, Any]
) -> None:
    folder, rows = save(variant), rows_of()
    encoder = build(folder, window_seconds=0.4, overlap_seconds=0.1, **given)
    assert (encoder.limits.window, encoder.limits.overlap) == (20, 5)
    with torch.no_grad():
        output, whole = encoder(pad_rows(rows)), build(folder, window_seconds=None, **given)(pad_rows(rows))
        assert torch.equal(output.lengths, whole.lengths)
        assert output.lengths.tolist() == [62, 15, 0, 1]
        expected = frames_and_windows(encoder, rows[0], window=20, overlap=5)
    torch.testing.assert_close(output.features[0], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(output.features[1:], whole.features[1:], rtol=0, atol=1e-12)
    assert (output.features[0] - whole.features[0]).abs().max() > 1e-4
    assert output.features[0].abs().sum(dim=1).min() > 0
    assert not output.features[~output.mask].any()


def test_gradients_flow_through_every_window(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-group"), window_seconds=0.4, overlap_seconds=0.1, freeze=False)
    sequence = pad_rows(rows_of())
    features = sequence.features.requires_grad_()
    output = encoder(sequence.with_features(features))
    torch.autograd.backward(output.features.square().sum())
    assert features.grad is not None
    assert features.grad[0, ::320].abs().min() > 0
    assert not features.grad[~sequence.mask].any()


def test_a_batch_wide_enough_for_windows_but_empty(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer"), window_seconds=0.4, overlap_seconds=0.1)
    empty = MaskedSequence(features=torch.ones(2, 20_000, 1).double(), lengths=torch.tensor([0, 0]))
    assert not encoder(empty).features.any()


def test_dropout_and_windows_belong_to_the_utterance(save: Save, build: Build) -> None:
    encoder = build(save("wav2vec2-layer"), window_seconds=0.4, overlap_seconds=0.1, freeze=False).train()
    rows, draws = rows_of((20_011, 5_000, 9_000)), torch.tensor([11, 12, 13])

    def encode(chosen: Sequence[int]) -> MaskedSequence:
        sequence = pad_rows([rows[index] for index in chosen]).with_draws(draws[list(chosen)])
        assert sequence.draws is not None
        with UtteranceDropout(sequence.draws, stream=1), torch.no_grad():
            output: MaskedSequence = encoder(sequence)
        return output

    together = encode([0, 1, 2])
    for index in range(3):
        alone = encode([index]).features[0]
        torch.testing.assert_close(together.features[index, : len(alone)], alone, rtol=0, atol=1e-12)
    with torch.no_grad():
        assert (encoder.eval()(pad_rows(rows)).features - together.features).abs().max() > 0.1


@pytest.mark.parametrize("given", [{}, {"freeze": False}])
def test_windows_run_alone_unless_dropout_draws(
    save: Save, build: Build, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    encoder = build(save("wav2vec2-layer"), window_seconds=0.4, overlap_seconds=0.1, **given)
    shapes: list[tuple[int, ...]] = []
    whole = encoder._layers_read

    def noted(frames: Tensor, lengths: Tensor) -> Tensor:
        shapes.append(tuple(frames.shape[:2]))
        return whole(frames, lengths)

    monkeypatch.setattr(encoder, "_layers_read", noted)
    encoder(pad_rows(rows_of()))
    assert shapes == [(1, 20)] * 4 + [(1, 15), (1, 1)]
    shapes.clear()
    encoder.train()(pad_rows(rows_of()))
    assert shapes == ([(6, 20)] if given else [(1, 20)] * 4 + [(1, 15), (1, 1)])


def test_gated_attention_in_steps_is_the_same(save: Save, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, sequence = build(save("wavlm-layer")), pad_rows(rows_of())
    with torch.no_grad():
        expected = encoder(sequence).features
        monkeypatch.setattr(gated_attention, "MOST_SCORES", 4 * 2 * 62 * 7)  # rows × heads × keys × 7 queries
        torch.testing.assert_close(encoder(sequence).features, expected, rtol=0, atol=1e-12)
