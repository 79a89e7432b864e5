"""Waveforms changed on their way to the frontend: where they are drawn in an epoch, and nowhere else."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from vietmer_core.augment.factory import waveform_augmentation
from vietmer_core.augment.pipeline import DrawnOperation, WaveformAugmentation
from vietmer_core.batch import Batch
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.draw import Draw
from vietmer_core.data.loader import Fault, iterate, make_loader
from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import DataError
from vietmer_core.frontends import Frontends
from vietmer_core.spec import LoaderSpec
from vietmer_core.spec_augmentation import AugmentSpec

LABELS = ["happy", "sad"]
RATE = 16_000
SECONDS = (0.31, 0.52, 0.4, 0.05, 0.77, 0.45)
OPERATIONS = [
    {"kind": "speed", "probability": 0.7},
    {"kind": "noise", "probability": 0.7},
    {"kind": "codec", "probability": 0.7},
    {"kind": "band", "probability": 0.7},
    {"kind": "gain", "probability": 0.7},
]

Make = Callable[..., UtteranceDataset]
Fingerprints = dict[Draw, bytes]


@final
class Blocks:
    """Each 100 samples are a frame; what is left over is dropped."""

    sampling_rate = RATE

    def num_frames(self, num_samples: int, /) -> int:
        return num_samples // 100

    def __call__(self, waveform: Tensor, /) -> Tensor:
        return waveform[: self.num_frames(len(waveform)) * 100].reshape(-1, 100)


@final
class Words:
    """One id a word."""

    def __call__(self, transcript: str, /) -> Tensor:
        return torch.ones(len(transcript.split()), 1, dtype=torch.int64)

    def tokens_cut(self, transcript: str, /) -> int:
        return max(0, len(transcript.split()) - 99)


def augmentation(seed: int = 3) -> WaveformAugmentation:
    made = waveform_augmentation(AugmentSpec.model_validate({"waveform": OPERATIONS}), sampling_rate=RATE, seed=seed)
    assert made is not None
    return made


@pytest.fixture
def dataset_of(
    make_row: Callable[..., dict[str, Any]],
    write_manifest: Callable[..., Path],
    open_manifest: Callable[..., Manifest],
    tmp_path: Path,
) -> Make:
    numbers = np.random.default_rng(0)
    for place, seconds in enumerate(SECONDS):
        noise = 0.1 * numbers.standard_normal(round(seconds * RATE))
        soundfile.write(tmp_path / f"{place}.wav", noise, RATE, subtype="FLOAT")
    rows = [make_row(wav_path=f"{place}.wav") for place in range(len(SECONDS))]
    manifest = open_manifest(write_manifest(*rows, make_row()), labels=LABELS)

    def make(changes: WaveformAugmentation | None, *, cache_mib: int = 0, text: bool = False) -> UtteranceDataset:
        frontends = Frontends(text=Words() if text else None, audio=Blocks())
        return UtteranceDataset(
            manifest,
            frontends=frontends,
            labels=LABELS,
            channel="mono",
            cache_mib=cache_mib,
            augmentation=changes,
            allows_nothing=True,
        )

    return make


def fingerprints(batches: Iterable[Batch], drawn: Sequence[Sequence[Draw]]) -> Fingerprints:
    """The bytes of each utterance's features, by what was drawn."""
    found: Fingerprints = {}
    for batch, draws in zip(batches, drawn, strict=True):
        assert batch.indices.tolist() == [draw.index for draw in draws]
        for row, draw in enumerate(draws):
            found[draw] = batch.audio.features[row, : int(batch.audio.lengths[row])].numpy().tobytes()
    return found


def loaded(dataset: UtteranceDataset, drawn: Sequence[Sequence[Draw]], **loader: Any) -> Fingerprints:
    made = make_loader(dataset, [list(draws) for draws in drawn], loader=LoaderSpec(**loader), seed=0, pin_memory=False)
    return fingerprints(iterate(made), drawn)


def epochs(*orders: Sequence[int], size: int) -> list[list[Draw]]:
    """Batches of some epochs, each with an order of its own."""
    return [
        [Draw(index, epoch) for index in order[start : start + size]]
        for epoch, order in enumerate(orders)
        for start in range(0, len(order), size)
    ]


STRAIGHT = list(range(len(SECONDS)))


@pytest.mark.parametrize("cache_mib", [0, 1])
def test_an_utterance_is_heard_alike_in_every_batch_and_order(dataset_of: Make, cache_mib: int) -> None:
    expected = loaded(dataset_of(augmentation()), epochs(STRAIGHT, STRAIGHT, size=1))
    assert len(set(expected.values())) == len(expected), "every utterance differs in every epoch"
    dataset = dataset_of(augmentation(), cache_mib=cache_mib)

    @given(first=st.permutations(STRAIGHT), second=st.permutations(STRAIGHT), size=st.integers(1, 7))
    def holds(first: list[int], second: list[int], size: int) -> None:
        assert loaded(dataset, epochs(first, second, size=size)) == expected

    holds()


@pytest.mark.slow
def test_workers_hear_the_same(dataset_of: Make) -> None:
    expected = loaded(dataset_of(augmentation()), epochs(STRAIGHT, STRAIGHT, size=1))
    batches = epochs(STRAIGHT[::-1], STRAIGHT, size=2)
    assert loaded(dataset_of(augmentation(), cache_mib=1), batches, workers=2, start_method="spawn") == expected


@final
class GlobalGain:
    """Draws from numpy's global generator: what is heard depends on what was heard before."""

    def __call__(self, waveform: NDArray[np.float32], _: np.random.Generator, /) -> NDArray[np.float32]:
        return (waveform * np.random.uniform(0.5, 1)).astype(np.float32)  # noqa: NPY002  # wrong on purpose


def test_a_global_generator_is_noticed(dataset_of: Make) -> None:
    state = np.random.get_state()  # noqa: NPY002  # as it was before, afterwards
    found = []
    for order in (STRAIGHT, STRAIGHT[::-1]):
        np.random.seed(0)  # noqa: NPY002  # wrong on purpose
        operation = DrawnOperation(name="gain.0", probability=1.0, operation=GlobalGain())
        broken = WaveformAugmentation(operations=(operation,), seed=0)
        found.append(loaded(dataset_of(broken), epochs(order, size=3)))
    np.random.set_state(state)  # noqa: NPY002  # as above
    assert found[0] != found[1]


@pytest.mark.parametrize("cache_mib", [0, 1])
def test_a_plain_position_is_never_changed(dataset_of: Make, cache_mib: int) -> None:
    plain, changing = dataset_of(None), dataset_of(augmentation(), cache_mib=cache_mib)
    for place in STRAIGHT:
        before = plain[place].audio
        drawn = changing[Draw(place, 0)].audio
        after = changing[place].audio
        assert before is not None
        assert drawn is not None
        assert after is not None
        assert torch.equal(before, after)
        assert not torch.equal(before[:1], drawn[:1])


def test_a_draw_without_augmentation_is_the_plain_sample(dataset_of: Make) -> None:
    dataset = dataset_of(None)
    drawn, plain = dataset[Draw(1, 5)].audio, dataset[1].audio
    assert drawn is not None
    assert plain is not None
    assert torch.equal(drawn, plain)


def test_the_cache_keeps_what_was_read_and_the_text_but_nothing_of_an_epoch(
    dataset_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = dataset_of(augmentation(), cache_mib=1, text=True)
    first = [dataset[Draw(place, 0)] for place in STRAIGHT]

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("vietmer_core.data.dataset.read_segment", refuse)
    monkeypatch.setattr("vietmer_core.data.dataset.prepare_text", refuse)
    for place, before in enumerate(first):
        again, next_time = dataset[Draw(place, 0)], dataset[Draw(place, 1)]
        assert before.audio is not None
        assert again.audio is not None
        assert next_time.audio is not None
        assert torch.equal(again.audio, before.audio)
        assert next_time.audio.shape != again.audio.shape or not torch.equal(next_time.audio, again.audio)
        assert next_time.text is before.text
    with pytest.raises(AssertionError):
        dataset_of(augmentation(), cache_mib=0)[Draw(0, 0)]


def test_the_kept_waveforms_keep_to_the_memory_given(dataset_of: Make) -> None:
    dataset = dataset_of(augmentation(), cache_mib=1)
    for place in STRAIGHT:
        assert dataset[Draw(place, 0)].audio is not None
    kept = [dataset._cache.get(place) for place in STRAIGHT]
    sizes = [entry.num_bytes for entry in kept if entry is not None]
    assert sizes == [4 * round(seconds * RATE) for seconds in SECONDS]


def test_a_row_without_audio_has_none_in_any_epoch(dataset_of: Make) -> None:
    sample = dataset_of(augmentation(), text=True)[Draw(len(SECONDS), 2)]
    assert sample.audio is not None
    assert len(sample.audio) == 0
    assert sample.text is not None
    assert len(sample.text) == 3


def test_what_cannot_be_used_is_refused_as_without_augmentation(dataset_of: Make, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "2.wav", np.full(RATE, 0.25), RATE)
    (tmp_path / "4.wav").write_bytes(b"no sound at all")
    sentences = []
    for drawn in (Draw(2, 0), Draw(4, 0), 2, 4):
        with pytest.raises(DataError) as caught:
            dataset_of(augmentation())[drawn]
        sentences.append(str(caught.value))
    assert sentences[:2] == sentences[2:]
    faults: list[Fault] = []
    made = make_loader(
        dataset_of(augmentation()), [[Draw(2, 0), Draw(3, 0)]], loader=LoaderSpec(), seed=0, pin_memory=False
    )
    (batch,) = iterate(made, on_fault=faults.append)
    assert batch.indices.tolist() == [3]
    assert [fault.index for fault in faults] == [2]
