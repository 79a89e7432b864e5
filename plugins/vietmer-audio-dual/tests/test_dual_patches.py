import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from vietmer_audio_dual import log_mels
from vietmer_audio_dual.log_mels import LOG_MELS, log_mel_frames, num_log_mel_frames
from vietmer_audio_dual.patches import SILENCE, FlatPatches, PatchGrid, Tail, flat_patches

from vietmer_core.sequence import pad_rows

PATCH = 15_600
HOP = 15_360


def grid_of(tail: Tail = "pad", *, patch_frames: int = 96, hop_frames: int = 96) -> PatchGrid:
    return PatchGrid(patch_frames=patch_frames, hop_frames=hop_frames, tail=tail)


def noise(num_samples: int, seed: int = 0) -> Tensor:
    return 0.2 * torch.randn(num_samples, generator=torch.Generator().manual_seed(seed))


def read_all(found: FlatPatches, patch_frames: int = 96) -> Tensor:
    return found.read(0, len(found.starts), patch_frames=patch_frames)


def cut(waveforms: list[Tensor], grid: PatchGrid, *, junk: float = 1e4, extra: int = 500) -> FlatPatches:
    padded = pad_rows(waveforms, time=max(map(len, waveforms)) + extra)
    found: FlatPatches = flat_patches(padded.features.masked_fill(~padded.mask, junk), padded.lengths, grid)
    return found


@pytest.mark.parametrize(
    ("num_samples", "frames", "pad", "drop"),
    [
        (0, 0, 0, 0),
        (1, 1, 1, 1),
        (399, 1, 1, 1),
        (400, 1, 1, 1),
        (559, 1, 1, 1),
        (560, 2, 1, 1),
        (PATCH - 1, 95, 1, 1),
        (PATCH, 96, 1, 1),
        (PATCH + 159, 96, 1, 1),
        (PATCH + 160, 97, 2, 1),
        (PATCH + HOP - 1, 191, 2, 1),
        (PATCH + HOP, 192, 2, 2),
        (PATCH + HOP + 160, 193, 3, 2),
        (10 * 16_000, 998, 11, 10),
    ],
)
def test_frames_and_patches_around_the_borders(num_samples: int, frames: int, pad: int, drop: int) -> None:
    lengths = torch.tensor([num_samples])
    assert num_log_mel_frames(lengths).tolist() == [frames]
    assert grid_of("pad").counts(lengths).tolist() == [pad]
    assert grid_of("drop").counts(lengths).tolist() == [drop]
    for grid, count in ((grid_of("pad"), pad), (grid_of("drop"), drop)):
        assert read_all(flat_patches(noise(num_samples)[None], lengths, grid)).shape == (count, 96, 64)


def test_a_centred_transform_would_give_98_frames() -> None:
    assert LOG_MELS.num_frames(PATCH) == 96
    assert 1 + PATCH // 160 == 98


@given(num_samples=st.integers(0, 60_000), hop_frames=st.integers(1, 16), tail=st.sampled_from(["pad", "drop"]))
def test_counts_are_those_of_the_patches_cut(num_samples: int, hop_frames: int, tail: Tail) -> None:
    grid = grid_of(tail, patch_frames=16, hop_frames=hop_frames)
    found = flat_patches(torch.zeros(1, num_samples), torch.tensor([num_samples]), grid)
    count = int(grid.counts(torch.tensor([num_samples])))
    assert len(found.starts) == count
    frames = int(num_log_mel_frames(torch.tensor([num_samples])))
    covered = (count - 1) * hop_frames + 16 if count else 0
    if tail == "pad":
        assert covered >= frames
        assert covered - frames < max(hop_frames, 16)
    elif frames >= 16:
        assert 0 <= frames - covered < hop_frames


@pytest.mark.parametrize("hop_frames", [96, 48, 10])
def test_patches_are_slices_of_the_frames_of_their_utterance(hop_frames: int) -> None:
    waveforms = [noise(40_000), noise(0), noise(900, 1), noise(33_333, 2)]
    found = read_all(cut(waveforms, grid_of("drop", hop_frames=hop_frames)))
    expected = []
    for waveform in waveforms:
        frames = LOG_MELS(waveform)
        starts = range(0, len(frames) - 95, hop_frames)
        expected += [frames[start : start + 96] for start in starts]
    short = torch.cat([LOG_MELS(waveforms[2]), torch.full((92, 64), SILENCE)])
    first_row = len(range(0, len(LOG_MELS(waveforms[0])) - 95, hop_frames))
    assert torch.equal(found, torch.stack([*expected[:first_row], short, *expected[first_row:]]))


def test_a_partial_patch_is_completed_with_the_log_mel_of_zeros() -> None:
    waveform = noise(20_000)
    frames = LOG_MELS(waveform)
    last = read_all(cut([waveform], grid_of("pad")))[1]
    assert torch.equal(last[: len(frames) - 96], frames[96:])
    silent = LOG_MELS(torch.zeros(16_000))[: 192 - len(frames)]
    assert torch.equal(last[len(frames) - 96 :], silent)


@given(lengths=st.lists(st.integers(0, 20_000), min_size=1, max_size=3), junk=st.sampled_from([1e4, float("nan")]))
def test_patches_alone_are_bit_for_bit_those_of_the_padded_batch(lengths: list[int], junk: float) -> None:
    waveforms = [noise(length, seed) for seed, length in enumerate(lengths)]
    grid = grid_of(hop_frames=32)
    together = read_all(cut(waveforms, grid, junk=junk))
    alone = [read_all(cut([waveform], grid, extra=0)) for waveform in waveforms]
    assert torch.equal(together, torch.cat(alone))


def test_patches_of_the_padded_waveform_are_others() -> None:
    """The reference's way: the silence of the padding becomes patches."""
    padded = pad_rows([noise(20_000), noise(60_000, 1)])
    widest = torch.full_like(padded.lengths, 60_000)
    ours = flat_patches(padded.features, padded.lengths, grid_of())
    theirs = flat_patches(padded.features, widest, grid_of())
    assert len(ours.starts) == 2 + 4
    assert len(theirs.starts) == 4 + 4
    assert (read_all(ours)[1] - read_all(theirs)[1]).abs().max() > 0.01


def test_long_audio_is_transformed_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = noise(16_000)
    whole = log_mel_frames(waveform)
    monkeypatch.setattr(log_mels, "FRAMES_AT_ONCE", 30)
    torch.testing.assert_close(log_mel_frames(waveform), whole, rtol=0, atol=1e-6)
    assert log_mel_frames(waveform).shape == (98, 64)


def test_silence_is_finite_and_constant() -> None:
    found = read_all(cut([torch.zeros(10_000)], grid_of()))
    assert torch.equal(found, torch.full((1, 96, 64), SILENCE))
    assert np.isclose(SILENCE, np.log(0.01))


def test_frames_are_computed_where_the_waveform_is() -> None:
    assert log_mel_frames(torch.zeros(16_000, device="meta")).device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_frames_are_float32_whatever_the_model_is(dtype: torch.dtype) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = flat_patches(noise(2_000).to(dtype)[None], torch.tensor([2_000]), grid_of())
    expected = LOG_MELS(noise(2_000).to(dtype).float())
    assert torch.equal(found.frames[: len(expected)], expected)
