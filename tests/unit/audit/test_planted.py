"""For every code rows that must be found, and rows beside them that must not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vietmer_core.audit import AUDIT_CODES, AuditReport

Row = dict[str, Any]
Splits = dict[str, list[Row]]
Rows = Callable[..., list[Row]]
Speech = Callable[..., NDArray[np.float32]]
Audit = Callable[..., AuditReport]
Plant = Callable[[Splits, Speech], None]


def plain(clean_rows: Rows, speech: Speech, *, audio: bool) -> Splits:
    """Three clean splits, with audio or with words alone."""
    splits = {name: clean_rows(name) for name in ("train", "valid", "test")}
    if audio:
        for place, rows in enumerate(splits.values()):
            for number, row in enumerate(rows):
                row["samples"] = speech(100 * place + number, seconds=1.2)
    return splits


def each(splits: Mapping[str, Sequence[Row]], change: Callable[[int, Row], object]) -> None:
    for rows in splits.values():
        for number, row in enumerate(rows):
            change(number, row)


def share(field: str) -> Plant:
    def plant(splits: Splits, _: Speech) -> None:
        splits["train"][3][field] = splits["test"][5][field] = "shared"

    return plant


def name_sources(kind: str) -> Plant:
    """Names of clips of one source each, except that one of train and one of test come from one."""

    def plant(splits: Splits, _: Speech) -> None:
        words = ["an", "ba", "cau", "doi", "em", "gan", "hay", "im"]
        place = 0
        for name, rows in splits.items():
            for number, row in enumerate(rows):
                show = words[place % 8] * 2 + words[place // 8 % 8] + words[place // 64]
                row["utterance_id"] = f"{show}{name}7-00.10.{number:02d}.100-00.10.{number:02d}.900-seg{number}"
                place += 1
        episode = {"source": "4", "show": "5"}[kind]
        splits["train"][0]["utterance_id"] = "xichlo4-00.01.00.000-00.01.02.000-seg1"
        splits["test"][0]["utterance_id"] = f"xichlo{episode}-00.03.00.000-00.03.02.000-seg9"

    return plant


def copy_audio(source: str, target: str, *, gain: float = 1.0, label: str | None = None) -> Plant:
    def plant(splits: Splits, _: Speech) -> None:
        original = splits[source][2]
        copy = splits[target][9]
        copy["samples"] = original["samples"] * np.float32(gain)
        copy["emotion"] = label or original["emotion"]

    return plant


def copy_words(source: str, target: str, change: Callable[[str], str] = str) -> Plant:
    def plant(splits: Splits, _: Speech) -> None:
        original, copy = splits[source][1], splits[target][10]
        copy["transcript"], copy["emotion"] = change(original["transcript"]), original["emotion"]

    return plant


def say_a_greeting(splits: Splits, _: Speech) -> None:
    splits["train"][0]["transcript"] = "Dạ vâng ạ."
    splits["test"][0]["transcript"] = "dạ vâng ạ"


def read_two_sentences(splits: Splits, _: Speech) -> None:
    said = ("Trẻ con đang nói chuyện bên cánh cửa.", "Con chó đang ngồi bên cánh cửa nhà.")
    each(splits, lambda number, row: row.update(transcript=said[number % 2]))


def name_speakers_after_clips(splits: Splits, _: Speech) -> None:
    each(splits, lambda _, row: row.update(speaker_id=f"{row['utterance_id']}.wav".replace("_", " ")))


def give_each_row_a_speaker(splits: Splits, _: Speech) -> None:
    each(splits, lambda number, row: row.update(speaker_id=f"{row['utterance_id'][:2]}{number}x"))


def give_each_speaker_a_label(splits: Splits, _: Speech) -> None:
    each(splits, lambda number, row: row.update(emotion=("angry", "happy", "neutral", "sad")[number % 4]))


def give_each_recording_a_label(splits: Splits, _: Speech) -> None:
    each(splits, lambda number, row: row.update(recording_id=f"{row['utterance_id'][:2]}{number // 4}"))


def forget_speakers(splits: Splits, _: Speech) -> None:
    splits["train"][0]["speaker_id"] = None
    splits["train"][1]["speaker_id"] = "corpus_unknown"


def code_of(row: Row) -> int:
    return ("angry", "happy", "neutral", "sad").index(row["emotion"])


def lengthen(splits: Splits, speech: Speech) -> None:
    for place, rows in enumerate(splits.values()):
        for number, row in enumerate(rows):
            row["samples"] = speech(1000 * place + number, seconds=0.8 + 0.1 * code_of(row))


def raise_voices(splits: Splits, _: Speech) -> None:
    each(splits, lambda _, row: row.update(samples=row["samples"] * np.float32(0.1 * 2 ** code_of(row))))


def pause(splits: Splits, _: Speech) -> None:
    def change(number: int, row: Row) -> None:
        samples = row["samples"] / np.abs(row["samples"]).max()
        loud = samples[: round(len(samples) * (1 - 0.2 * code_of(row)))]
        row["samples"] = np.concatenate([loud, np.zeros(len(samples) - len(loud), np.float32)])
        row["samples"][-1] = 0.001 * (number + 1) / 2**15

    each(splits, change)


def change_the_room(splits: Splits, _: Speech) -> None:
    def change(number: int, row: Row) -> None:
        noise = np.random.default_rng(number).standard_normal(len(row["samples"]))
        row["samples"] = (row["samples"] + noise * 10 ** (-4 + 0.8 * code_of(row)) / 10).astype(np.float32)

    each(splits, change)


def mark(field: str) -> Plant:
    return lambda splits, _: each(splits, lambda _, row: row.update({field: f"{field}_{code_of(row) // 2}"}))


def drop_class(splits: Splits, _: Speech) -> None:
    splits["test"] = [row for row in splits["test"] if row["emotion"] != "sad"]


def thin_class(splits: Splits, _: Speech) -> None:
    sad = [row for row in splits["train"] if row["emotion"] == "sad"]
    splits["train"] = [row for row in splits["train"] if row["emotion"] != "sad" or row is sad[0]]


def replace(make: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Plant:
    def plant(splits: Splits, _: Speech) -> None:
        row = splits["train"][4]
        row["samples"] = make(row["samples"]).astype(np.float32)

    return plant


def lose_a_file(splits: Splits, _: Speech) -> None:
    del splits["train"][4]["samples"]
    splits["train"][4].update(wav_path="none.flac", start=0.0, end=1.0)


WORDS: dict[str, Plant] = {
    "shared-utterance": share("utterance_id"),
    "shared-speaker": share("speaker_id"),
    "shared-recording": share("recording_id"),
    "shared-source": name_sources("source"),
    "shared-show": name_sources("show"),
    "shared-transcript": copy_words("train", "test", str.upper),
    "shared-near-transcript": copy_words("valid", "test", lambda text: text.replace(".", " ạ.")),
    "shared-phrase": say_a_greeting,
    "few-sentences": read_two_sentences,
    "false-speaker": name_speakers_after_clips,
    "speaker-per-row": give_each_row_a_speaker,
    "one-label-speaker": give_each_speaker_a_label,
    "one-label-source": give_each_recording_a_label,
    "predictive-corpus": mark("corpus"),
    "predictive-metadata": mark("room"),
    "repeated-transcript": copy_words("train", "train"),
    "repeated-near-transcript": copy_words("train", "train", lambda text: text.replace(".", " ạ.")),
    "unknown-speaker": forget_speakers,
    "class-imbalance": thin_class,
    "missing-class": drop_class,
}
AUDIO: dict[str, Plant] = {
    "shared-audio": copy_audio("train", "test"),
    "shared-near-audio": copy_audio("valid", "test", gain=0.3),
    "repeated-audio": copy_audio("valid", "valid"),
    "repeated-near-audio": copy_audio("train", "train", gain=0.5),
    "conflicting-labels": copy_audio("train", "train", label="sad"),
    "predictive-length": lengthen,
    "predictive-loudness": raise_voices,
    "predictive-silence": pause,
    "predictive-channel": change_the_room,
    "clipped-audio": replace(lambda samples: np.clip(20 * samples, -1, 1)),
    "silent-audio": replace(np.zeros_like),
    "truncated-speech": replace(lambda samples: np.concatenate([samples, 0.3 * np.sin(np.arange(4000) / 9)])),
    "undecodable-audio": lose_a_file,
}
APART = {"audio-not-compared"}


def test_every_code_is_planted() -> None:
    assert {*WORDS, *AUDIO, *APART} == set(AUDIT_CODES)


@pytest.mark.parametrize("code", WORDS)
def test_what_is_planted_in_the_rows_is_found(audit: Audit, clean_rows: Rows, speech: Speech, code: str) -> None:
    splits = plain(clean_rows, speech, audio=False)
    WORDS[code](splits, speech)
    report = audit(splits)
    assert code in {finding.code for finding in report.findings}
    is_leak = AUDIT_CODES[code][0] == "leak"
    assert (report.verdict == "leak") == is_leak, [str(finding) for finding in report.leaks]


@pytest.mark.parametrize("code", AUDIO)
def test_what_is_planted_in_the_audio_is_found(audit: Audit, clean_rows: Rows, speech: Speech, code: str) -> None:
    splits = plain(clean_rows, speech, audio=True)
    AUDIO[code](splits, speech)
    report = audit(splits)
    assert code in {finding.code for finding in report.findings}
    is_leak = AUDIT_CODES[code][0] == "leak"
    assert (report.verdict == "leak") == is_leak, [str(finding) for finding in report.leaks]


@pytest.mark.parametrize(
    ("field", "here", "there", "code"),
    [
        ("speaker_id", "Bình", "bi\u0300nh ", "shared-speaker"),
        ("speaker_id", "Trần  Lan", "trần lan", "shared-speaker"),
        ("speaker_id", "Na", "Na", "shared-speaker"),
        ("recording_id", "Call 7", "call 7", "shared-recording"),
        ("recording_id", 7.0, 7, "shared-recording"),
        ("call_id", "c1", " C1", "shared-recording"),
    ],
)
def test_a_name_written_by_two_hands_is_one(
    audit: Audit, clean_rows: Rows, speech: Speech, field: str, here: object, there: object, code: str
) -> None:
    splits = plain(clean_rows, speech, audio=False)
    splits["train"][3][field], splits["test"][5][field] = here, there
    assert [finding.code for finding in audit(splits).leaks] == [code]


@pytest.mark.parametrize("name", ["  ", "NA", "N/A"])
def test_a_speaker_that_says_nothing_is_not_compared(audit: Audit, clean_rows: Rows, speech: Speech, name: str) -> None:
    splits = plain(clean_rows, speech, audio=False)
    splits["train"][3]["speaker_id"] = splits["test"][5]["speaker_id"] = name
    report = audit(splits)
    assert [finding.code for finding in report.findings] == ["unknown-speaker"]


@pytest.mark.parametrize("field", ["utterance_id", "speaker_id", "recording_id"])
@pytest.mark.parametrize(
    ("corpora", "leaks"), [(("a", "b"), False), (("a", "A "), True), (("a", None), True), ((None, "b"), True)]
)
def test_names_are_compared_within_a_corpus_and_with_rows_that_name_none(
    audit: Audit, clean_rows: Rows, speech: Speech, field: str, corpora: tuple[str | None, str | None], *, leaks: bool
) -> None:
    splits = plain(clean_rows, speech, audio=False)
    for name, corpus in zip(("train", "test"), corpora, strict=True):
        for row in splits[name]:
            row["corpus"] = corpus
    splits["train"][3][field] = splits["test"][5][field] = "1"
    report = audit(splits, probes=False)
    assert (report.verdict == "leak") == leaks, [str(finding) for finding in report.leaks]


def test_a_real_speaker_among_false_ones_is_compared(audit: Audit, clean_rows: Rows, speech: Speech) -> None:
    splits = plain(clean_rows, speech, audio=False)
    name_speakers_after_clips(splits, speech)
    splits["train"][3]["speaker_id"] = splits["test"][5]["speaker_id"] = "Lan"
    report = audit(splits)
    assert {"false-speaker", "shared-speaker"} <= {finding.code for finding in report.findings}


@pytest.mark.parametrize("audio", [False, True])
def test_clean_splits_have_no_finding(audit: Audit, clean_rows: Rows, speech: Speech, *, audio: bool) -> None:
    report = audit(plain(clean_rows, speech, audio=audio))
    assert [str(finding) for finding in report.findings] == []
    assert report.verdict == "clean"


def test_audio_that_is_not_decoded_is_said_to_be(audit: Audit, clean_rows: Rows, speech: Speech) -> None:
    splits = plain(clean_rows, speech, audio=True)
    AUDIO["shared-audio"](splits, speech)
    report = audit(splits, decode_audio=False)
    assert [finding.code for finding in report.findings] == ["audio-not-compared"]
    assert report.num_decoded == 0
