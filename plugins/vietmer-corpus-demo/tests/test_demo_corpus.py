import itertools
import json
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import soundfile
from vietmer_corpus_demo.plugin import DemoCorpusParams, build, register_components

from vietmer_core.audit import audit_splits
from vietmer_core.audit.wording import normalised
from vietmer_core.components import Role
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.testing import conformance_tests

SPLITS: Final = ("train", "valid", "test")
EMOTIONS: Final = ("angry", "happy", "neutral", "sad")
DATA: Final = build(DemoCorpusParams()).parent
MAX_BYTES: Final = 6_000_000

test_conformance = conformance_tests("corpus", "demo")

Row = dict[str, Any]
Corpus = dict[str, list[Row]]
Audio = dict[str, np.ndarray[Any, np.dtype[np.float32]]]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return {
        split: [json.loads(line) for line in (DATA / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        for split in SPLITS
    }


@pytest.fixture(scope="module")
def rows(corpus: Corpus) -> list[Row]:
    return [row for split in SPLITS for row in corpus[split]]


@pytest.fixture(scope="module")
def audio(rows: list[Row]) -> Audio:
    decoded: Audio = {}
    for wav_path in sorted({row["wav_path"] for row in rows}):
        samples, sampling_rate = soundfile.read(DATA / wav_path, dtype="float32")
        assert sampling_rate == 16_000
        assert samples.ndim == 1
        decoded[wav_path] = samples
    return decoded


def segment_of(row: Row, audio: Audio) -> np.ndarray[Any, np.dtype[np.float32]]:
    return audio[row["wav_path"]][round(row["start"] * 16_000) : round(row["end"] * 16_000)]


def test_offers_one_corpus() -> None:
    (component,) = register_components()
    assert (component.role, component.kind, component.data_licence) == (Role.CORPUS, "demo", "CC0-1.0")


@pytest.mark.parametrize(("split", "count"), [("train", 512), ("valid", 128), ("test", 192)])
def test_the_core_reads_every_split(split: str, count: int) -> None:
    path = build(DemoCorpusParams.model_validate({"split": split}))
    manifest = Manifest.open([ManifestSource(path=path)], labels=EMOTIONS, require_labels=True)
    assert len(manifest) == count


def test_the_plugin_module_holds_no_torch() -> None:
    source = Path(sys.modules[build.__module__].__file__ or "").read_text(encoding="utf-8")
    assert "import torch" not in source


def test_emotions_are_balanced_in_every_split_and_call(corpus: Corpus, rows: list[Row]) -> None:
    for split in SPLITS:
        counts = Counter(row["emotion"] for row in corpus[split])
        assert set(counts) == set(EMOTIONS)
        assert len(set(counts.values())) == 1
    per_call = Counter((row["call_id"], row["emotion"]) for row in rows)
    assert set(per_call.values()) == {2}


def test_a_fifth_has_both_cues_and_the_rest_one(corpus: Corpus) -> None:
    for split in SPLITS:
        for emotion in EMOTIONS:
            cues = Counter(row["cue"] for row in corpus[split] if row["emotion"] == emotion)
            shares = {cue: number / cues.total() for cue, number in cues.items()}
            assert shares["voice"] == pytest.approx(0.4, abs=0.05)
            assert shares["words"] == pytest.approx(0.4, abs=0.05)
            assert shares["both"] == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("field", ["speaker_id", "recording_id", "transcript", "utterance_id"])
def test_no_value_stands_in_two_splits(corpus: Corpus, field: str) -> None:
    values = {split: {row[field] for row in corpus[split]} for split in SPLITS}
    for first, second in itertools.combinations(SPLITS, 2):
        assert values[first].isdisjoint(values[second])


def test_an_audit_finds_no_leak() -> None:
    splits = {split: [ManifestSource(path=DATA / f"{split}.jsonl")] for split in SPLITS}
    report = audit_splits(splits, labels=EMOTIONS, decode_audio=False, probes=False)
    assert [str(leak) for leak in report.leaks] == []
    assert report.verdict == "clean"


def test_no_words_stand_in_two_splits_in_any_order(corpus: Corpus) -> None:
    words = {split: {tuple(sorted(normalised(row["transcript"]).split())) for row in corpus[split]} for split in SPLITS}
    for first, second in itertools.combinations(SPLITS, 2):
        assert words[first].isdisjoint(words[second])


def test_no_sentence_is_said_twice(rows: list[Row]) -> None:
    assert len({row["transcript"] for row in rows}) == len(rows)


def test_every_split_has_both_genders_and_all_accents(corpus: Corpus, rows: list[Row]) -> None:
    for split in SPLITS:
        assert {row["gender"] for row in corpus[split]} == {"female", "male"}
        assert {row["accent"] for row in corpus[split]} == {"northern", "central", "southern"}
        assert {row["band"] for row in corpus[split]} == {"wideband", "telephone"}
    assert len({row["speaker_id"] for row in rows}) == 26


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) <= MAX_BYTES


def test_every_segment_lies_inside_its_recording_and_lasts_one_to_six_seconds(rows: list[Row], audio: Audio) -> None:
    for row in rows:
        assert 0 <= row["start"] < row["end"] <= len(audio[row["wav_path"]]) / 16_000
        assert 1.0 <= row["end"] - row["start"] <= 6.0


def test_turns_of_a_recording_follow_one_another(rows: list[Row]) -> None:
    for first, second in itertools.pairwise(rows):
        if first["recording_id"] == second["recording_id"]:
            assert second["turn_index"] == first["turn_index"] + 1
            assert second["start"] - first["end"] >= 0.3


def test_no_recording_is_left_over(rows: list[Row]) -> None:
    assert {f"audio/{path.name}" for path in (DATA / "audio").iterdir()} == {row["wav_path"] for row in rows}


def test_a_segment_read_by_seeking_equals_the_whole_recording_there(rows: list[Row], audio: Audio) -> None:
    for row in rows[7::83]:
        start, stop = round(row["start"] * 16_000), round(row["end"] * 16_000)
        sought, _ = soundfile.read(DATA / row["wav_path"], start=start, stop=stop, dtype="float32")
        assert np.corrcoef(sought, segment_of(row, audio))[0, 1] > 0.999


def test_segments_hold_speech_that_is_not_clipped(rows: list[Row], audio: Audio) -> None:
    for row in rows:
        segment = segment_of(row, audio)
        assert float(np.sqrt(np.mean(segment**2))) > 0.004
        assert np.abs(segment).max() < 1.0


def test_a_level_voice_tells_nothing(rows: list[Row], audio: Audio) -> None:
    level = [row for row in rows if row["cue"] == "words" or row["emotion"] == "neutral"]
    by_emotion = {emotion: [row for row in level if row["emotion"] == emotion] for emotion in EMOTIONS}
    seconds = {key: statistics.mean(row["end"] - row["start"] for row in of) for key, of in by_emotion.items()}
    loudness = {
        key: statistics.mean(20 * float(np.log10(segment_of(row, audio).std())) for row in of)
        for key, of in by_emotion.items()
    }
    assert max(seconds.values()) - min(seconds.values()) < 0.2
    assert max(loudness.values()) - min(loudness.values()) < 0.6


def test_an_emotional_voice_tells_by_speed_and_loudness(rows: list[Row], audio: Audio) -> None:
    voiced = [row for row in rows if row["cue"] != "words"]
    speed = {
        emotion: statistics.mean(
            len(row["transcript"].split()) / (row["end"] - row["start"]) for row in voiced if row["emotion"] == emotion
        )
        for emotion in EMOTIONS
    }
    loudness = {
        emotion: statistics.mean(
            20 * float(np.log10(segment_of(row, audio).std())) for row in voiced if row["emotion"] == emotion
        )
        for emotion in EMOTIONS
    }
    assert speed["sad"] < speed["neutral"] < speed["happy"] < speed["angry"]
    assert loudness["sad"] < loudness["neutral"] < loudness["happy"] < loudness["angry"]


def test_the_length_of_a_sentence_tells_nothing(corpus: Corpus) -> None:
    for split in SPLITS:
        words = [
            statistics.mean(len(row["transcript"].split()) for row in corpus[split] if row["emotion"] == emotion)
            for emotion in EMOTIONS
        ]
        assert max(words) - min(words) < 0.7


def test_all_is_declared_synthetic_and_free(rows: list[Row]) -> None:
    assert {(row["synthetic"], row["licence"], row["corpus"]) for row in rows} == {(True, "CC0-1.0", "vietmer-demo")}


def test_the_readme_states_the_counts(corpus: Corpus) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for split in SPLITS:
        emotions = Counter(row["emotion"] for row in corpus[split])
        cues = Counter(row["cue"] for row in corpus[split])
        accents = Counter(row["accent"] for row in corpus[split])
        numbers = [len(corpus[split]), *(emotions[key] for key in EMOTIONS)]
        numbers += [cues[key] for key in ("voice", "words", "both")]
        numbers += [accents[key] for key in ("northern", "central", "southern")]
        assert f"| {split} | " in readme
        assert " | ".join(str(number) for number in numbers) + " |" in readme
