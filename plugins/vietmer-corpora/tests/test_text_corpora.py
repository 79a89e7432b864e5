"""UIT-VSMEC, VLSP and SentiV: what is read of their files, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vietmer_corpora.samples.files import write, write_workbook

from vietmer_core.errors import DataError

Read = Callable[..., Any]
Faults = Callable[..., list[str]]
Sample = Callable[[str], Path]

DATA = Path(__file__).parents[4] / "shared" / "data"
OWN_WORDS = {"angry": "Anger", "happiness": "Enjoyment"}


def test_vsmec_in_the_splits_of_the_authors(sample: Sample, read: Read) -> None:
    rows = read("vsmec", sample("vsmec")).rows
    assert {(row.split, row.label) for row in rows.values()} == {
        ("train", "other"),
        ("train", "disgust"),
        ("valid", "sadness"),
        ("test", "enjoyment"),
    }
    assert rows["vsmec_train_00000"].transcript == "cho mình xin bài nhạc với ạ"
    assert rows["vsmec_train_00000"].audio is None


@pytest.mark.skipif(not DATA.is_dir(), reason="the corpora of `../shared/data` are not here")
def test_vsmec_with_all_real_sentences_says_what_its_manifests_say(tmp_path: Path, read: Read) -> None:
    real: dict[str, dict[str, str]] = {}
    for split in ("train", "valid"):
        lines = (DATA / "vsmec_text" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        real |= {row["utterance_id"]: row for row in rows}
        words = [(7, OWN_WORDS.get(row["emotion"], row["emotion"].title()), row["transcript"]) for row in rows]
        write_workbook(tmp_path / f"{split}_nor_811.xlsx", [("", "Emotion", "Sentence"), *words])
    found = read("vsmec", tmp_path).rows
    assert len(found) == len(real) == 6234
    for key, row in found.items():
        assert row.transcript == real[key]["transcript"].strip()
        assert row.label == OWN_WORDS.get(real[key]["emotion"], real[key]["emotion"]).lower()


def test_vsmec_as_csv_and_as_one_file(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "vsmec_dev.csv", ',Emotion,Sentence\n0,Fear,"sợ, thật sự"\n1,Anger,\n')
    found = read("vsmec", tmp_path / "vsmec_dev.csv")
    assert [(key, row.split, row.transcript) for key, row in found.rows.items()] == [
        ("vsmec_valid_00000", "valid", "sợ, thật sự")
    ]
    assert found.skipped == {"rows without a sentence": 1}


def test_a_label_that_vsmec_has_not_is_named_with_its_row(tmp_path: Path, faults: Faults) -> None:
    rows: list[tuple[str | int, ...]] = [("", "Emotion", "Sentence"), (1, "Enjoyment", "vui"), (2, "Joy", "vui")]
    write_workbook(tmp_path / "train_nor_811.xlsx", rows)
    (said,) = faults("vsmec", tmp_path)
    assert said.startswith("train_nor_811.xlsx:3: Emotion: must be one of anger, disgust, enjoyment, fear, other,")


def test_vietnamese_in_another_encoding_is_refused_and_not_guessed(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "train.csv", "Emotion,Sentence\nFear,ok\nFear,sân\n".encode("cp1258"))
    with pytest.raises(DataError, match=r"train.csv:3: byte 0x.. is not UTF-8. Save the file as UTF-8."):
        read("vsmec", tmp_path)
    write(tmp_path / "train.csv", "Emotion,Sentence\nFear,sợ\n".encode("utf-16"))
    assert next(iter(read("vsmec", tmp_path).rows.values())).transcript == "sợ"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty. Its first line must name the columns"),
        (b"a,b\n1,2\n", "train.csv:1: there is no column `Sentence` or .* the columns are `a`, `b`"),
        (b"Emotion,Emotion\nFear,Fear\n", "train.csv:1: the column `Emotion` stands twice"),
        (b'Emotion,Sentence\nFear,"not closed\n', "train.csv:2: the line is not CSV: .*Check its quotes"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, read: Read, content: bytes, sentence: str) -> None:
    write(tmp_path / "train.csv", content)
    with pytest.raises(DataError, match=sentence):
        read("vsmec", tmp_path)


def test_a_workbook_that_is_none_is_refused(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "train_nor_811.xlsx", b"PK\x03\x04 cut short")
    with pytest.raises(DataError, match=r"train_nor_811.xlsx` cannot be read as a workbook: .*Save it anew."):
        read("vsmec", tmp_path)


def test_vlsp_of_2016(sample: Sample, read: Read) -> None:
    rows = read("vlsp", sample("vlsp")).rows
    comments = [(row.split, row.label, row.transcript) for row in rows.values() if row.corpus == "vlsp2016"]
    assert comments == [
        ("test", "positive", "Dùng tốt."),
        ("test", "negative", "Hay bị nóng."),
        ("train", "negative", "Pin quá yếu."),
        ("train", "negative", "Màn hình tối."),
        ("train", "neutral", "Giá bao nhiêu vậy?"),
        ("train", "neutral", "Máy này có hai màu."),
        ("train", "positive", "Máy chạy rất mượt."),
        ("train", "positive", "Đáng tiền, nên mua."),
    ]


def test_vlsp_of_2018_labels_a_review_where_its_aspects_agree(sample: Sample, read: Read) -> None:
    rows = read("vlsp", sample("vlsp")).rows
    agreed, mixed = rows["vlsp2018_hotel_train_00001"], rows["vlsp2018_hotel_train_00002"]
    assert (agreed.label, mixed.label) == ("positive", "mixed")
    assert mixed.metadata["aspects"][1] == {"aspect": "ROOMS#DESIGN&FEATURES", "polarity": "negative"}
    assert mixed.transcript == "Vị trí tốt nhưng phòng nhỏ."


def test_comments_without_lines_between_them_are_one_a_line(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "SA-training_neutral.txt", "một\nhai\nba\n")
    assert [row.transcript for row in read("vlsp", tmp_path).rows.values()] == ["một", "hai", "ba"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("test_raw_ANS.txt", "a\nPOS\nb\n", "test_raw_ANS.txt:3: the comment has no polarity."),
        ("test_raw_ANS.txt", "POS\na\nNEG\n", "test_raw_ANS.txt:1: `POS` follows no comment."),
        (
            "1-VLSP2018-SA-Hotel-train.txt",
            "#1\ntốt\n\n#2\nx\n{A#B, positive}\n",
            "1-VLSP2018-SA-Hotel-train.txt:1: the",
        ),
        (
            "1-VLSP2018-SA-Hotel-train.txt",
            "#1\n{A#B, positive}\n",
            "1-VLSP2018-SA-Hotel-train.txt:1: the review #1 has no te",
        ),
    ],
)
def test_a_wrong_file_of_vlsp_is_named(tmp_path: Path, faults: Faults, name: str, content: str, fault: str) -> None:
    write(tmp_path / name, content)
    (said,) = faults("vlsp", tmp_path)
    assert said.startswith(fault)


def test_sentiv(sample: Sample, read: Read) -> None:
    folder = sample("sentiv")
    rows = read("sentiv", folder).rows
    assert (rows["sentiv_a_001"].corpus, rows["sentiv_a_001"].transcript) == ("sentiv_speech", "sao lại thế")
    assert (rows["sentiv_a_001"].split, rows["sentiv_a_002"].split) == ("train", "test")
    assert (rows["sentiv_train_000001"].corpus, rows["sentiv_train_000001"].label) == ("sentiv_text", "disgust")
    assert rows["sentiv_train_000001"].split == ""  # its only file is no split
    assert set(read("sentiv", folder, part="text").rows) == {"sentiv_train_000000", "sentiv_train_000001"}


def test_the_speech_of_sentiv_may_lie_elsewhere(sample: Sample, read: Read, tmp_path: Path) -> None:
    folder = sample("sentiv")
    (folder / "voice-training" / "audio").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"holds no audio file, but `voice-training/label` labels some.*--set audio"):
        read("sentiv", folder)
    assert len(read("sentiv", folder, part="speech", audio=tmp_path / "elsewhere").rows) == 2


def test_columns_of_sentiv_that_are_called_otherwise_can_be_named(sample: Sample, read: Read) -> None:
    folder = sample("sentiv")
    write_workbook(folder / "text-training" / "train.xlsx", [("câu", "cảm xúc"), ("vui", "Enjoyment")])
    with pytest.raises(DataError, match=r"there is no column `text` or .*; the columns are `câu`, `cảm xúc`"):
        read("sentiv", folder, part="text")
    assert len(read("sentiv", folder, part="text", text_column="câu", label_column="cảm xúc").rows) == 1
