"""Samples of corpora of sentences. Torch-free."""

from pathlib import Path
from typing import Final

from vietmer_corpora.samples.files import tone_bytes, write, write_workbook

_VSMEC: Final = {
    "train_nor_811": ((188, "Other", "cho mình xin bài nhạc với ạ"), (166, "Disgust", "kinh quá đi")),
    "valid_nor_811": ((188, "Sadness", "bị từ chối rồi"),),
    "test_nor_811": ((4, "Enjoyment", "lại là lào cai , tự hào quê mình quá :))"),),
}
_REVIEWS: Final = (
    "#1\nPhòng sạch, nhân viên thân thiện.\n{ROOMS#CLEANLINESS, positive}, {SERVICE#GENERAL, positive}\n\n"
    "#2\nVị trí tốt nhưng phòng nhỏ.\n{LOCATION#GENERAL, positive}, {ROOMS#DESIGN&FEATURES, negative}\n"
)


def write_vsmec(folder: Path) -> None:
    """UIT-VSMEC: the three workbooks."""
    for name, rows in _VSMEC.items():
        write_workbook(folder / f"{name}.xlsx", [("", "Emotion", "Sentence"), *rows])


def write_vlsp(folder: Path) -> None:
    """VLSP: the files of 2016, and the hotels of 2018."""
    training = folder / "SA2016-training_data"
    write(training / "SA-training_positive.txt", "\ufeffMáy chạy rất mượt.\n\nĐáng tiền,\nnên mua.\n\n")
    write(training / "SA-training_negative.txt", "Pin quá yếu.\n\nMàn hình tối.\n\n")
    write(training / "SA-training_neutral.txt", "Giá bao nhiêu vậy?\n\nMáy này có hai màu.\n\n")
    write(folder / "SA2016-TestData-Ans" / "test_raw_ANS.txt", "Dùng tốt.\nPOS\nHay bị nóng.\nNEG\n")
    write(folder / "VLSP2018" / "1-VLSP2018-SA-Hotel-train (7-3-2018).txt", "\ufeff" + _REVIEWS)


def write_sentiv(folder: Path) -> None:
    """SentiV: the text, and speech with its labels and transcripts."""
    rows = [("text", "label"), ("vui quá trời", "Enjoyment"), ("ghê thật", "Disgust")]
    write_workbook(folder / "text-training" / "train.xlsx", rows)
    voice = folder / "voice-training"
    write(voice / "label" / "train.csv", "file_name,label\na_001.wav,Anger\n")
    write(voice / "label" / "test.csv", "file_name,label\na_002.wav,Sadness\n")
    write(voice / "label-text" / "transcripts.csv", "file_name,text\na_001.wav,sao lại thế\n")
    for number in (1, 2):
        write(voice / "audio" / f"a_00{number}.wav", tone_bytes(hertz=200 + number))
