import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vietmer_core.data.check import check_split
from vietmer_core.data.check_report import CheckReport
from vietmer_core.data.faults import FAULT_CODES, WARNING_CODES
from vietmer_core.data.manifest import ManifestSource

MakeRow = Callable[..., Any]
MakeFile = Callable[..., Path]
Found = tuple[int, str, str, str]


def check(*paths: Path, **settings: Any) -> CheckReport:
    return check_split([ManifestSource(path=path) for path in paths], **settings)


def found(report: CheckReport) -> list[Found]:
    return [(one.line, one.fault.field, one.fault.code, one.severity) for one in report.findings]


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def test_a_sound_split_has_no_finding(make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile) -> None:
    write_audio("a.opus", sampling_rate=48_000, format="OGG", subtype="OPUS")
    write_audio("ulaw.wav", sampling_rate=8_000, subtype="ULAW")
    write_audio("a.flac")
    path = write_manifest(
        make_row(wav_path="a.opus", start=0.2, end=1.9),
        make_row(wav_path="ulaw.wav", start=0, end=2.04),
        make_row(wav_path="a.flac", end=1.5),
        make_row(wav_path="a.flac", start=1.5, speaker_id="mai"),
    )
    report = check(path, labels=["happy", "sad"], needed=frozenset({"audio", "text", "label"}))
    assert found(report) == []
    assert (report.num_rows, report.num_recordings) == (4, 3)
    assert report.seconds == pytest.approx(6.0, abs=0.1)


LINE_FAULTS: list[tuple[str, str, Any]] = [
    ("bad-json", "", b"{oops"),
    ("not-utf8", "", b"{\xff}"),
    ("not-an-object", "", b"[]"),
    ("repeated-field", "a", b'{"a": 1, "a": 1}'),
    ("blank-line", "", b""),
    ("line-too-long", "", b" " * 5 * 2**20),
    ("missing-field", "transcript", {"transcript": ...}),
    ("wrong-type", "end", {"end": "2"}),
    ("empty-value", "utterance_id", {"utterance_id": ""}),
    ("number-out-of-range", "start", {"start": -1}),
    ("end-before-start", "end", {"wav_path": "a.wav", "start": 1, "end": 1}),
    ("unknown-label", "emotion", {"emotion": "hapy"}),
    ("empty-value", "emotion_probs", {"emotion_probs": {}}),
    ("wrong-type", "emotion_probs", {"emotion_probs": ["happy"]}),
    ("unknown-label", "emotion_probs", {"emotion_probs": {"happy": 1, "hapy": 0}}),
    ("bad-probabilities", "emotion_probs", {"emotion_probs": {"happy": 0.9}}),
    ("partly-left-out", "emotion_probs", {"emotion_probs": {"happy": 0.6, "unclear": 0.4}}),
    ("labels-disagree", "emotion_probs", {"emotion_probs": {"happy": 0.4, "sad": 0.6}}),
    ("duplicate-id", "utterance_id", {"utterance_id": "first"}),
    ("no-modality", "", {"wav_path": None, "transcript": " "}),
    ("missing-file", "wav_path", {"wav_path": "none.wav"}),
    ("past-the-end", "end", {"wav_path": "a.wav", "end": 2.06}),
    ("past-the-end", "start", {"wav_path": "a.wav", "start": 2.5}),
    ("end-before-start", "end", {"wav_path": "a.wav", "start": 1, "end": 1.00001}),
    ("absent-text", "transcript", {"wav_path": "a.wav", "transcript": None}),
    ("absent-text", "transcript", {"wav_path": "a.wav", "transcript": "\n"}),
    ("absent-label", "emotion", {"wav_path": "a.wav", "emotion": None}),
    ("many-channels", "wav_path", {"wav_path": "stereo.wav"}),
    ("overlapping-speakers", "start", {"wav_path": "a.wav", "start": 0.5, "end": 0.9, "speaker_id": "mai"}),
]


@pytest.mark.parametrize(("code", "field", "fault"), LINE_FAULTS)
def test_each_fault_of_a_line_is_found_alone(
    make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile, code: str, field: str, fault: Any
) -> None:
    write_audio("a.wav", sampling_rate=44_100)
    write_audio("stereo.wav", sampling_rate=44_100, num_channels=2)
    line = fault if isinstance(fault, bytes) else make_row(**{"wav_path": "a.wav", **fault})
    sound = [make_row(utterance_id="first", wav_path="a.wav", end=1), make_row(wav_path="a.wav", start=1)]
    source = ManifestSource(path=write_manifest(sound[0], line, sound[1]), label_map={"unclear": None})
    report = check_split([source], labels=["happy", "sad"], soft_label_field="emotion_probs")
    severity = "warning" if code in WARNING_CODES else "error"
    assert found(report) == [(2, field, code, severity)]


def test_one_faulty_field_hides_no_other(make_row: MakeRow, write_manifest: MakeFile) -> None:
    path = write_manifest(
        make_row(utterance_id="x", emotion="hapy", wav_path="none.wav"),
        make_row(utterance_id="x", start="0", transcript=""),
        make_row(speaker_id=3, utterance_id=4, wav_path="none.wav", transcript=None),
    )
    assert found(check(path, labels=["happy", "sad"])) == [
        (1, "emotion", "unknown-label", "error"),
        (1, "wav_path", "missing-file", "error"),
        (2, "start", "wrong-type", "error"),
        (2, "", "no-modality", "error"),
        (2, "utterance_id", "duplicate-id", "error"),
        (3, "utterance_id", "wrong-type", "error"),
        (3, "speaker_id", "wrong-type", "error"),
        (3, "transcript", "absent-text", "warning"),
    ]


def test_a_row_without_audio_is_a_warning_until_audio_is_required(make_row: MakeRow, write_manifest: MakeFile) -> None:
    path = write_manifest(make_row(), make_row())
    assert found(check(path)) == [(line, "wav_path", "absent-audio", "warning") for line in (1, 2)]
    report = check(path, needed=frozenset({"audio"}))
    assert found(report) == [(line, "wav_path", "absent-audio", "error") for line in (1, 2)]
    assert not any(one.severity == "error" for one in check(path, needed=frozenset({"text"})).findings)


def test_required_text_and_labels_are_errors(
    make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile
) -> None:
    write_audio("a.wav")
    path = write_manifest(make_row(wav_path="a.wav", transcript="", emotion=...))
    assert found(check(path)) == [(1, "transcript", "absent-text", "warning")]
    assert found(check(path, needed=frozenset({"text", "label"}))) == [
        (1, "transcript", "absent-text", "error"),
        (1, "emotion", "absent-label", "error"),
    ]


def write_nan(path: Path) -> None:
    soundfile.write(path, np.array([0, np.nan] * 8_000, dtype=np.float32), 16_000, subtype="FLOAT")


AUDIO_FAULTS: list[tuple[str, str, Callable[[Path, MakeFile], object]]] = [
    ("undecodable-file", "junk.wav", lambda path, _: path.write_bytes(b"no audio at all")),
    ("undecodable-file", "empty.wav", lambda path, _: path.write_bytes(b"")),
    ("undecodable-file", "folder.wav", lambda path, _: path.mkdir()),
    ("truncated-file", "none.wav", lambda path, write: write(path.name, seconds=0)),
    ("truncated-file", "a.flac", lambda path, write: cut(write(path.name), 0.7)),
    ("truncated-file", "a.wav", lambda path, write: cut(write(path.name, sampling_rate=44_100), 0.7)),
    ("truncated-file", "u.wav", lambda path, write: cut(write(path.name, sampling_rate=8_000, subtype="ULAW"), 0.7)),
    ("truncated-file", "a.mp3", lambda path, write: cut(write(path.name, sampling_rate=44_100), 0.7)),
    ("unfinished-file", "a.ogg", lambda path, write: cut(write(path.name, seconds=4), 0.7)),
    ("unfinished-file", "b.ogg", lambda path, write: cut(write(path.name, seconds=2), 0.99)),
    ("bad-samples", "nan.wav", lambda path, _: write_nan(path)),
]


@pytest.mark.parametrize(("code", "name", "make"), AUDIO_FAULTS)
def test_each_fault_of_a_recording_is_found_at_the_first_row_that_uses_it(
    tmp_path: Path,
    make_row: MakeRow,
    write_manifest: MakeFile,
    write_audio: MakeFile,
    code: str,
    name: str,
    make: Callable[[Path, MakeFile], object],
) -> None:
    make(tmp_path / name, write_audio)
    write_audio("sound.flac")
    rows = [make_row(wav_path=wav, end=0.1) for wav in ("sound.flac", name, f"./{name}")]
    report = check(write_manifest(*rows))
    assert found(report) == [(2, "wav_path", code, "warning" if code in WARNING_CODES else "error")]
    assert report.findings[0].fault.remedy.endswith("2 rows use it.")
    assert report.num_recordings == 2


def test_a_wav_written_to_a_pipe_is_whole(make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile) -> None:
    path = write_audio("a.wav")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert found(check(write_manifest(make_row(wav_path="a.wav", end=1)))) == []


def test_a_segment_in_the_lost_part_of_a_file_is_named_too(
    make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile
) -> None:
    cut(write_audio("a.flac"), 0.5)
    report = check(write_manifest(make_row(wav_path="a.flac", end=0.5), make_row(wav_path="a.flac", start=0.5, end=2)))
    assert found(report) == [(1, "wav_path", "truncated-file", "error"), (2, "end", "past-the-end", "error")]


def test_paths_written_for_windows_and_files_without_permission_have_their_remedies(
    make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio("deep/a.flac")
    path = write_manifest(make_row(wav_path="deep\\a.flac"), make_row(wav_path="deep/none/a.flac"))
    report = check(path)
    assert found(report) == [(line, "wav_path", "missing-file", "error") for line in (1, 2)]
    assert report.findings[0].fault.remedy == "Write `/` between folders."
    assert "--root" in report.findings[1].fault.remedy

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("vietmer_core.data.audio.soundfile.SoundFile", refuse)
    report = check(write_manifest(make_row(wav_path="deep/a.flac")))
    assert found(report) == [(1, "wav_path", "missing-file", "error")]
    assert "may not be read" in report.findings[0].fault.message


def test_files_that_hold_nothing_or_cannot_be_opened_are_findings(
    tmp_path: Path, make_row: MakeRow, write_manifest: MakeFile
) -> None:
    write_manifest(name="empty.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\0")
    paths = [tmp_path / name for name in ("none.jsonl", ".", "binary.jsonl", "empty.jsonl")]
    report = check(*paths, write_manifest(make_row()))
    codes = ["unreadable-manifest"] * 3 + ["empty-manifest"]
    assert found(report)[:4] == [(0, "", code, "error") for code in codes]
    assert [report.place(one) for one in report.findings[:4]] == [str(path) for path in paths]


def test_a_duplicate_in_another_manifest_is_placed(make_row: MakeRow, write_manifest: MakeFile) -> None:
    first = write_manifest(make_row(utterance_id="x"), name="train.jsonl")
    second = write_manifest(make_row(), make_row(utterance_id="x"), name="valid.jsonl")
    report = check(first, second)
    (error,) = report.of_severity("error")
    assert report.place(error) == f"{second}:2: utterance_id"
    assert f"already stands at {first}:1." in error.fault.message


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([("a", 0, 1), ("b", 1, 2)], []),
        ([("a", 0, 1.04), ("b", 1, 2)], []),
        ([("a", 0, 1.06), ("b", 1, 2)], [2]),
        ([("b", 1, 2), ("a", 0, 1.06)], [1]),
        ([("a", 0, 2), ("a", 0, 1)], []),
        ([("a", 0, 2), ("a", 0.1, 0.2), ("b", 1, 1.5)], [3]),
        ([("a", 0, None), ("b", 1.5, 1.9)], [2]),
        ([("a", 0, 2), (None, 0, 2)], []),
        ([("a", 0, 2), ("b", 0.1, 0.4), ("c", 0.2, 0.3), ("d", 0.5, 0.6)], [2, 3, 4]),
        ([("b", 0.1, 0.4), ("a", 0, 2), ("b", 0.5, 0.6)], [1, 3]),
    ],
)
def test_speakers_overlap_only_within_a_channel(
    make_row: MakeRow,
    write_manifest: MakeFile,
    write_audio: MakeFile,
    spans: list[tuple[str | None, float, float | None]],
    expected: list[int],
) -> None:
    write_audio("a.wav", sampling_rate=8_000)
    fields = [{"speaker_id": who, "start": start, "end": end, "wav_path": "a.wav"} for who, start, end in spans]
    report = check(write_manifest(*(make_row(**row) for row in fields)))
    assert [(one.line, one.fault.code) for one in report.findings] == [
        (line, "overlapping-speakers") for line in expected
    ]
    apart = [make_row(**row, channel=number) for number, row in enumerate(fields)]
    assert found(check(write_manifest(*apart))) == []


def test_rows_left_out_by_a_label_map_are_not_held_to_the_label_space(
    make_row: MakeRow, write_manifest: MakeFile
) -> None:
    path = write_manifest(make_row(emotion="khác", transcript=None), make_row(emotion="vui"))
    source = ManifestSource(path=path, label_map={"khác": None, "vui": "happy"})
    assert [one.line for one in check_split([source], labels=["happy"]).findings] == [2]
    unmapped = check(path, labels=["happy"]).of_severity("error")
    assert [one.fault.code for one in unmapped] == ["unknown-label", "no-modality", "unknown-label"]


def test_progress_counts_recordings(make_row: MakeRow, write_manifest: MakeFile, write_audio: MakeFile) -> None:
    write_audio("a.wav")
    steps: list[tuple[int, int]] = []
    rows = [make_row(wav_path=name) for name in ("a.wav", "none.wav", "a.wav")]
    check(write_manifest(*rows), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]


def test_every_code_has_a_test_that_makes_its_fault() -> None:
    made = {code for code, _, _ in LINE_FAULTS} | {code for code, _, _ in AUDIO_FAULTS}
    elsewhere = {"unreadable-manifest", "empty-manifest", "absent-audio", "unknown-corpus", "silent-audio"}
    assert made | elsewhere == set(FAULT_CODES)
    assert set(FAULT_CODES) > WARNING_CODES


def test_the_documentation_lists_every_code_with_its_severity() -> None:
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if "` | error |" in line or "` | warning |" in line]
    assert listed == [
        f"| `{code}` | {'warning' if code in WARNING_CODES else 'error'} | {meaning} |"
        for code, meaning in FAULT_CODES.items()
    ]
