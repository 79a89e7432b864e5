import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vietmer_core.data import lines
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import DataError, DataProblemsError


def problems_of(error: pytest.ExceptionInfo[DataProblemsError]) -> list[str]:
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"speaker_id": ...}, "speaker_id: the field is missing."),
        ({"speaker_id": ..., "speaker": "lan"}, "speaker_id: the field is missing. Rename `speaker`."),
        ({"start": True}, "start: must be a number of seconds or null, but is a truth value instead."),
        ({"utterance_id": 7}, "utterance_id: must be a string, but is a number instead."),
        ({"transcript": ["tôi"]}, "transcript: must be a string or null, but is a list instead."),
        ({"wav_path": {}}, "wav_path: must be a string or null, but is an object instead."),
        ({"utterance_id": ""}, "utterance_id: the string is empty."),
        ({"speaker_id": ""}, "speaker_id: the string is empty."),
        ({"wav_path": ""}, "wav_path: the string is empty."),
        ({"emotion": ""}, "emotion: the string is empty."),
        ({"emotion": 3}, "emotion: must be a string, but is a number instead."),
        ({"emotion": None}, "emotion: the row has no label."),
        ({"emotion": ...}, "emotion: the row has no label."),
        ({"emotion": "hapy"}, "emotion: `hapy` is not in the label space: `happy`, `sad`. Did you mean `happy`?"),
        ({"start": -0.5}, "start: must not be negative, but is -0.5."),
        ({"end": 1e300}, "end: must be a time in seconds, but is 1e+300."),
        ({"end": 10**400}, "end: must be a time in seconds, but is a number of 401 digits."),
        ({"wav_path": "a.wav", "start": 2, "end": 2}, "end: must lie after `start` (2 s), but is 2 s."),
        ({"wav_path": "a.wav", "end": 0}, "end: must lie after `start` (0 s), but is 0 s."),
        ({"wav_path": "a.wav", "end": None}, "wav_path: audio file"),
    ],
)
def test_a_faulty_row_is_named_with_line_and_field(
    make_row: Callable[..., Any],
    write_manifest: Callable[..., Path],
    open_manifest: Callable[..., Manifest],
    fields: dict[str, Any],
    expected: str,
) -> None:
    path = write_manifest(make_row(), make_row(**fields), make_row())
    with pytest.raises(DataProblemsError) as error:
        open_manifest(path, labels=["sad", "happy"])
    (problem,) = problems_of(error)
    assert problem.startswith(f"{path}:2: {expected}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"{oops}", "2: not JSON: "),
        (b'{"utterance_id": "a', "2: not JSON: Unterminated string starting at column 18."),
        (b'{"start": NaN}', "2: `NaN` is not JSON."),
        (b'{"start": -Infinity}', "2: `-Infinity` is not JSON."),
        (b'{"a": 1, "a": 2}', "2: a: the object names `a` twice."),
        (b"[1, 2]", "2: the line must hold a JSON object, but holds a list instead."),
        (b"null", "2: the line must hold a JSON object, but holds null instead."),
        (b'{"transcript": "vui\xff"}', "2: byte 0xff at position 20 of the line is not UTF-8."),
        (b'{"transcript": "\\ud83d"}', "2: a string holds half of a surrogate pair"),
        (b"[" * 100_000, "2: not JSON that can be read"),
        (b"1" * 10_000, "2: not JSON that can be read"),
        (b"", "2: the line is blank."),
    ],
)
def test_a_line_without_a_row_is_named(
    make_row: Callable[..., Any],
    write_manifest: Callable[..., Path],
    open_manifest: Callable[..., Manifest],
    line: bytes,
    expected: str,
) -> None:
    path = write_manifest(make_row(), line, make_row())
    with pytest.raises(DataProblemsError) as error:
        open_manifest(path)
    (problem,) = problems_of(error)
    assert problem.startswith(f"{path}:{expected}")


def test_a_whole_surrogate_pair_is_a_character(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    line = json.dumps(make_row(transcript="vui 😀"), ensure_ascii=True).encode()
    assert open_manifest(write_manifest(line))[0].transcript == "vui 😀"


def test_an_overlong_line_ends_the_reading(
    make_row: Callable[..., Any],
    write_manifest: Callable[..., Path],
    open_manifest: Callable[..., Manifest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 500)
    path = write_manifest(make_row(), make_row(transcript="a" * 600), b"{")
    with pytest.raises(DataProblemsError) as error:
        open_manifest(path)
    (problem,) = problems_of(error)
    assert problem.startswith(f"{path}:2: the line exceeds")


def test_fifty_problems_are_listed_and_all_counted(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    path = write_manifest(*(make_row(start=-1, end=-1) for _ in range(60)))
    with pytest.raises(DataProblemsError) as error:
        open_manifest(path)
    assert len(error.value.problems) == 50
    assert error.value.summary == f"`{path}`: 120 problems, the first 50 of them:"


def test_each_label_that_the_label_space_lacks_is_one_line(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    path = write_manifest(*(make_row(emotion=("happy", "sad", "angry")[number % 3]) for number in range(3_600)))
    with pytest.raises(DataProblemsError) as error:
        open_manifest(path, labels=["happy", "calm"])
    space = "is not in the label space: `calm`, `happy`. So in 1,200 rows, first here."
    assert problems_of(error) == [f"{path}:2: emotion: `sad` {space}", f"{path}:3: emotion: `angry` {space}"]
    assert error.value.summary == f"`{path}`: 2400 problems:"


def test_an_id_in_two_manifests_of_a_split_names_both_places(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    first = write_manifest(make_row(), make_row(utterance_id="x"), name="a.jsonl")
    second = write_manifest(make_row(), make_row(), make_row(utterance_id="x"), name="b.jsonl")
    with pytest.raises(DataProblemsError) as error:
        open_manifest(first, second)
    (problem,) = problems_of(error)
    assert problem.startswith(f"{second}:3: utterance_id: `x` already stands at {first}:2.")


def test_equal_hashes_of_different_ids_are_no_duplicates(
    make_row: Callable[..., Any],
    write_manifest: Callable[..., Path],
    open_manifest: Callable[..., Manifest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vietmer_core.data.index.hash", lambda _: 1, raising=False)
    assert len(open_manifest(write_manifest(make_row(), make_row()))) == 2
    path = write_manifest(make_row(), make_row(utterance_id="x"), make_row(), make_row(utterance_id="x"))
    with pytest.raises(DataProblemsError) as error:
        open_manifest(path)
    assert [problem.where for problem in error.value.problems] == [f"{path}:4: utterance_id"]


def test_bad_files_give_one_sentence(
    tmp_path: Path, make_row: Callable[..., Any], open_manifest: Callable[..., Manifest]
) -> None:
    (tmp_path / "binary").write_bytes(b"RIFF\0\0\0\0WAVE")
    (tmp_path / "wide").write_bytes(json.dumps(make_row()).encode("utf-16"))
    (tmp_path / "empty").write_bytes(b"\xef\xbb\xbf\n\n")
    expected = {"missing": "does not exist", ".": "is a folder", "binary": "is a binary", "wide": "is UTF-16"}
    for name, reason in {**expected, "empty": "holds no utterance"}.items():
        with pytest.raises(DataError, match=reason) as error:
            open_manifest(tmp_path / name)
        assert str(tmp_path / name) in str(error.value)
        assert "\n" not in str(error.value)


def test_a_file_that_may_not_be_read_gives_a_sentence(
    write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_manifest()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="may not be read"):
        open_manifest(path)


def test_a_split_of_nothing_a_file_twice_and_a_taken_field_are_refused(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path], open_manifest: Callable[..., Manifest]
) -> None:
    path = write_manifest(make_row())
    with pytest.raises(DataError, match="at least one manifest"):
        open_manifest()
    with pytest.raises(DataError, match="named twice"):
        open_manifest(path, path.parent / "." / path.name)
    with pytest.raises(DataError, match="`transcript`, which has another use"):
        open_manifest(path, label_field="transcript")
    with pytest.raises(DataError, match="its label map leaves out every row"):
        Manifest.open([ManifestSource(path=path, label_map={"happy": None})], require_labels=True)


def test_an_unknown_label_tells_what_the_map_made_of_it(
    make_row: Callable[..., Any], write_manifest: Callable[..., Path]
) -> None:
    path = write_manifest(make_row(emotion="vui"))
    with pytest.raises(DataProblemsError, match="`joy` \\(from `vui` by the label map\\) is not in the label space"):
        Manifest.open([ManifestSource(path=path, label_map={"vui": "joy"})], labels=["a", "b"], require_labels=True)
