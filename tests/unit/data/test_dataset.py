"""Rows of a manifest as samples, batches and faults."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from vietmer_core.data.dataset import Sample, UtteranceDataset, collate, identity_of
from vietmer_core.data.loader import Fault, iterate, make_loader
from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import DataError
from vietmer_core.frontends import Frontends
from vietmer_core.spec import LoaderSpec

LABELS = ["happy", "sad"]
MINIMUM = 400

Make = Callable[..., UtteranceDataset]


@final
class Words:
    """One id a word, three words at most; knows no emoji."""

    def __call__(self, transcript: str, /) -> Tensor:
        if "🙂" in transcript:
            raise DataError("the transcript holds nothing that the vocabulary knows.")
        return torch.ones(min(3, len(transcript.split())), 1, dtype=torch.int64)

    def tokens_cut(self, transcript: str, /) -> int:
        return max(0, len(transcript.split()) - 3)


@final
class Blocks:
    """One frame for each 400 samples begun."""

    sampling_rate = 16_000

    def num_frames(self, num_samples: int, /) -> int:
        return -(-num_samples // MINIMUM)

    def samples_added(self, num_samples: int, /) -> int:
        return max(0, MINIMUM - num_samples) if num_samples else 0

    def __call__(self, waveform: Tensor, /) -> Tensor:
        return torch.ones(self.num_frames(len(waveform)), 2)


@pytest.fixture
def dataset_of(
    make_row: Callable[..., dict[str, Any]], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> Make:
    def make(*rows: Mapping[str, Any]) -> UtteranceDataset:
        manifest = open_manifest(write_manifest(*[make_row(**row) for row in rows]), labels=LABELS)
        frontends = Frontends(text=Words(), audio=Blocks())
        return UtteranceDataset(manifest, frontends=frontends, labels=LABELS, channel="mono", cache_mib=1)

    return make


@pytest.fixture
def tone(tmp_path: Path) -> Callable[[str, int], str]:
    def write(name: str, num_samples: int) -> str:
        soundfile.write(tmp_path / name, np.sin(np.arange(num_samples)).astype("float32"), 16_000)
        return name

    return write


def load(dataset: UtteranceDataset, **on: Any) -> list[Any]:
    batches = [list(range(len(dataset)))]
    return list(iterate(make_loader(dataset, batches, loader=LoaderSpec(), seed=0, pin_memory=False), **on))


def test_an_identity_is_the_same_on_every_machine_and_a_number_of_63_bits() -> None:
    assert identity_of("cuộc_gọi_7") == 8825319735916227414
    found = {identity_of(f"u{number}") for number in range(20_000)}
    assert len(found) == 20_000
    assert 0 <= min(found) < 2**62 < max(found) < 2**63


def test_an_utterance_keeps_its_identity_in_every_split_and_place(dataset_of: Make) -> None:
    named = {"utterance_id": "a"}
    first = dataset_of(named, {})
    assert first[0].identity == identity_of("a") != first[1].identity
    (batch,) = load(dataset_of({}, {}, named))
    assert batch.identities[2] == identity_of("a")
    assert batch.identities.dtype == torch.int64


def test_a_batch_with_an_utterance_of_no_id_has_no_identities() -> None:
    samples = [Sample(index=row, text=torch.ones(1, 1), audio=None, label=None, identity=row or None) for row in (0, 5)]
    assert collate(samples).identities is None
    assert collate(samples[1:]).identities is not None


def test_an_identity_of_zero_is_one() -> None:
    batch = collate([Sample(index=0, text=torch.ones(1, 1), audio=None, label=None, identity=0)])
    assert batch.identities is not None
    assert batch.identities.tolist() == [0]


def test_what_was_cut_and_added_is_told(dataset_of: Make, tone: Callable[[str, int], str]) -> None:
    dataset = dataset_of(
        {"transcript": "một hai ba bốn năm", "wav_path": tone("long.wav", 900)},
        {"transcript": None, "wav_path": tone("short.wav", 100)},
        {"transcript": "một"},
    )
    cut: dict[int, int] = {}
    added: dict[int, int] = {}
    for _ in range(2):  # the second time from the cache
        (batch,) = load(dataset, on_cut=cut.update, on_padded=added.update)
        assert (cut, added) == ({0: 2}, {1: 300})
        cut.clear()
        added.clear()
    assert batch.text.lengths.tolist() == [3, 0, 1]
    assert batch.audio.lengths.tolist() == [3, 1, 0]


def test_rows_that_cannot_be_used_are_faults_with_their_place(
    dataset_of: Make, tone: Callable[[str, int], str], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(1600), 16_000)
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    dataset = dataset_of(
        {"wav_path": "silence.wav", "end": 0.1},
        {"transcript": "🙂"},
        {"wav_path": tone("long.wav", 900)},
        {"wav_path": "broken.wav", "end": 0.1},
    )
    faults: list[Fault] = []
    (batch,) = load(dataset, on_fault=faults.append)
    assert batch.indices.tolist() == [2]
    assert [fault.index for fault in faults] == [0, 1, 3]
    silent, unknown, broken = (fault.sentence for fault in faults)
    assert "split.jsonl:1: the audio must hold sound, but each of its 1600 samples is 0 instead." in silent
    assert "split.jsonl:2: the transcript holds nothing that the vocabulary knows." in unknown
    assert "split.jsonl:4: audio file" in broken
    with pytest.raises(DataError, match=r"split\.jsonl:1: the audio must hold sound"):
        load(dataset)
