from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from vietmer_audio_whisper import encoder as encoder_module
from vietmer_audio_whisper.encoder import WhisperAudioEncoder
from vietmer_audio_whisper.frontend import WhisperFrontend
from vietmer_audio_whisper.network import encode
from vietmer_audio_whisper.windows import grouped, parts_of

from vietmer_core.nn.windows import plan_windows
from vietmer_core.sequence import MaskedSequence, pad_rows

WhisperOf = Callable[[dict[str, Any]], tuple[WhisperFrontend, WhisperAudioEncoder]]
Speech = Callable[..., Tensor]


def encoded(encoder: WhisperAudioEncoder, *rows: Tensor) -> list[Tensor]:
    """The real frames of each row, without gradients."""
    with torch.no_grad():
        output: MaskedSequence = encoder(pad_rows(rows))
    assert not output.features[~output.mask].any()
    return [row[:length] for row, length in zip(output.features, output.lengths.tolist(), strict=True)]


def by_hand(encoder: WhisperAudioEncoder, mels: Tensor, *, window: int, overlap: int) -> Tensor:
    """Each window encoded by itself, the frames kept of it one after the other."""
    kept = []
    for one in plan_windows((len(mels) + 1) // 2, window=window, overlap=overlap):
        part = mels[2 * one.start : 2 * one.stop]
        with torch.no_grad():
            frames = encode(
                encoder.backbone.model, part[None], torch.tensor([len(part)]), mix=encoder.mix, recomputes=False
            )
        kept.append(frames[0, one.keep_start - one.start : one.keep_stop - one.start])
    return torch.cat(kept)


@pytest.mark.parametrize("seconds", [31.0, 95.03])
def test_long_audio_is_never_cut(whisper_of: WhisperOf, real_whisper: str, speech: Speech, seconds: float) -> None:
    frontend, encoder = whisper_of({"checkpoint": real_whisper, "layers": 1})
    mels = frontend(speech(seconds)).double()
    (found,) = encoded(encoder, mels)
    assert len(found) == (len(mels) + 1) // 2 == round(seconds * 100 + 1) // 2
    expected = by_hand(encoder, mels, window=1_500, overlap=400)
    assert (found - expected).abs().max() < 1e-10
    beside = encoded(encoder, frontend(speech(2.5, seed=1)).double(), mels)[1]
    assert (found - beside).abs().max() < 1e-10


@pytest.mark.parametrize("pads", [False, True])
@given(
    lengths=st.lists(st.sampled_from([0, 1, 57, 99, 100, 101, 103, 143, 251, 260]), min_size=1, max_size=4),
    overlap=st.sampled_from([0.0, 0.1, 0.5]),
)
def test_windows_belong_to_the_utterance(
    one_second: str, whisper_of: WhisperOf, pads: bool, lengths: list[int], overlap: float
) -> None:
    fields = {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": overlap}
    frontend, encoder = whisper_of({**fields, "pad_to_30s": pads})
    generator = torch.Generator().manual_seed(sum(lengths))
    waves = [0.1 * torch.randn(160 * frames, generator=generator) for frames in lengths]
    rows = [frontend(wave).double() for wave in waves]
    together = encoded(encoder, *rows)
    for row, found, wave in zip(rows, together, waves, strict=True):
        (alone,) = encoded(encoder, row)
        assert len(alone) == len(found) == (0 if len(wave) < 400 else (len(wave) // 160 + 1) // 2)
        torch.testing.assert_close(found, alone, rtol=0, atol=1e-10)


def test_the_comparison_sees_windows_of_the_padded_width(
    one_second: str, whisper_of: WhisperOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": 0.1}
    _, encoder = whisper_of(fields)
    rows = [torch.randn(frames, 8, dtype=torch.float64) for frames in (143, 251)]
    (alone,) = encoded(encoder, rows[0])
    assert (encoded(encoder, *rows)[0] - alone).abs().max() < 1e-10

    def of_the_batch(mel_lengths: list[int], frames: list[int], *, window: int, overlap: int) -> Any:
        widest = [max(mel_lengths)] * len(frames)
        return parts_of(widest, [max(frames)] * len(frames), window=window, overlap=overlap)

    monkeypatch.setattr(encoder_module, "parts_of", of_the_batch)
    assert (encoded(encoder, *rows)[0][: len(alone)] - alone).abs().max() > 1e-3


@given(frames=st.integers(1, 400), odd=st.integers(0, 1), overlap=st.integers(0, 49))
def test_windows_begin_at_even_mel_frames_and_keep_every_frame_once(frames: int, odd: int, overlap: int) -> None:
    parts = parts_of([2 * frames - odd], [frames], window=50, overlap=overlap)
    kept = [frame for part in parts for frame in range(part.window.keep_start, part.window.keep_stop)]
    assert kept == list(range(frames))
    assert all(part.mel_start % 2 == 0 for part in parts)
    assert all((part.num_mel_frames + 1) // 2 == part.window.stop - part.window.start for part in parts)


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=12))
def test_groups_stay_within_their_size_and_hold_one_utterance(sizes: list[int]) -> None:
    parts = parts_of(sizes, [(size + 1) // 2 for size in sizes], window=50, overlap=10)
    groups = grouped(parts, most_mel_frames=250)
    assert sorted(index for group in groups for index in group) == list(range(len(parts)))
    padded = [len(group) * max(parts[index].num_mel_frames for index in group) for group in groups]
    assert max(padded) <= 250
    assert all(len({parts[index].owner for index in group}) == 1 for group in groups)
    own = parts_of(sizes[-1:], [(sizes[-1] + 1) // 2], window=50, overlap=10)
    alone = [len(group) for group in grouped(own, most_mel_frames=250)]
    last = [len(group) for group in groups if parts[group[0]].owner == len(sizes) - 1]
    assert last == alone, "the groups of an utterance follow from its own length"


def test_frozen_windows_are_encoded_a_few_at_a_time(
    one_second: str, whisper_of: WhisperOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"checkpoint": one_second, "weights": "random", "window_seconds": 1.0, "overlap_seconds": 0.1}
    sizes: list[int] = []

    def counted(model: Any, mels: Tensor, lengths: Tensor | None, **rest: Any) -> Tensor:
        sizes.append(mels.shape[0] * mels.shape[1])
        return encode(model, mels, lengths, **rest)

    monkeypatch.setattr(encoder_module, "encode", counted)
    mels = torch.randn(3_000, 8, dtype=torch.float64)
    for freeze in (True, False):
        _, encoder = whisper_of({**fields, "freeze": freeze})
        output = encoder.train()(pad_rows([mels]))
        assert output.features.requires_grad is not freeze
    assert len(sizes) == 10  # 33 windows: nine groups while frozen, one while trained
    assert max(sizes[:-1]) <= 400 < sizes[-1]
