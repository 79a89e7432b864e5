import json
import pickle
import unicodedata
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from vietmer_text_syllable.frontend import (
    FIELD_SIZES,
    FIELDS,
    MARK_BEGIN,
    MARK_CUT,
    NUM_SYLLABLES,
    PIECE_FIELD_SIZE,
    SyllableFrontend,
    pieces,
)
from vietmer_text_syllable.inventory import ONSETS, RHYMES, TONES
from vietmer_text_syllable.spelling import Syllable, compose, is_legal, parse, takes_tone

from vietmer_core.testing import transcripts

CORPUS = Path(__file__).parents[4] / "shared" / "data" / "vsmec_text" / "train.jsonl"

SENTENCES = (
    "Dạ em chào anh, em gọi từ trung tâm chăm sóc khách hàng ạ.",
    "Chị ơi, tổng đài hứa xử lý trong hai mươi bốn giờ mà đến giờ vẫn chưa thấy gì!",
    "Quý khách vui lòng giữ máy, nghiệp vụ viên sẽ kiểm tra ngay.",
    "Tôi đã yêu cầu hủy dịch vụ từ tuần trước rồi, sao cước vẫn trừ?",
    "Thôi được, cảm ơn em nhiều, chuyển khoản xong rồi nhé.",
    "Nguyễn Thị Khuyên ở quận Bình Thạnh, đường Xô Viết Nghệ Tĩnh, khuỷu tay bị ngã.",
)


def frontend_of(*, max_tokens: int = 64, max_bytes: int = 8, lowercase: bool = True) -> SyllableFrontend:
    return SyllableFrontend(max_tokens=max_tokens, max_bytes_per_word=max_bytes, lowercase=lowercase)


def rows_of(transcript: str, *, max_bytes: int = 8, lowercase: bool = True) -> list[list[int]]:
    rows: list[list[int]] = frontend_of(max_bytes=max_bytes, lowercase=lowercase)(transcript).tolist()
    return rows


def syllable_row(onset: str, rhyme: str, tone: str, case: int = 0) -> list[int]:
    return [1 + ONSETS.index(onset), 1 + RHYMES.index(rhyme), 1 + TONES.index(tone), 0, 0, case]


def byte_rows(text: str) -> list[list[int]]:
    return [
        [0, 0, 0, byte + 1, MARK_BEGIN if index == 0 else 0, 0] for index, byte in enumerate(text.encode())
    ]  # one row a byte


def test_syllables_bytes_and_punctuation() -> None:
    expected = [
        syllable_row("h", "oa", "huyền"),
        syllable_row("b", "inh", "huyền"),
        *byte_rows(","),
        *byte_rows("ok"),
        *byte_rows("4"),
        *byte_rows("g"),
        *byte_rows("!!"),
        *byte_rows("?"),
        *byte_rows("😡"),
    ]
    assert rows_of("Hòa  bình, OK\n4G!!? 😡") == expected


def test_a_long_word_keeps_its_head_and_says_that_it_is_cut() -> None:
    cut = [0, 0, 0, 0, MARK_CUT, 0]
    assert rows_of("facebook") == byte_rows("facebook")
    assert rows_of("facebooks") == [*byte_rows("facebook"), cut]
    assert rows_of("😡😡😡", max_bytes=4) == [*byte_rows("😡"), cut]


def test_case_is_a_field_where_capitals_are_kept() -> None:
    found = rows_of("không Không KHÔNG khÔng OK", lowercase=False)
    assert found[:4] == [syllable_row("kh", "ông", "ngang", case) for case in range(4)]
    assert found[4:] == byte_rows("OK")
    assert rows_of("không Không KHÔNG khÔng") == [syllable_row("kh", "ông", "ngang")] * 4


def test_eth_is_read_as_the_letter_it_was_typed_for() -> None:
    assert rows_of("Ðà ðà") == rows_of("Đà đà")


@pytest.mark.parametrize("lowercase", [True, False])
@given(transcript=transcripts())
@example(transcript="Ế ẁifi ö")
def test_the_normal_form_does_not_matter(lowercase: bool, transcript: str) -> None:
    frontend = frontend_of(lowercase=lowercase)
    composed, decomposed = (unicodedata.normalize(form, transcript) for form in ("NFC", "NFD"))
    assert torch.equal(frontend(composed), frontend(decomposed))


@given(transcript=transcripts() | st.text(st.characters(), max_size=12))
def test_ids_stay_within_their_columns(transcript: str) -> None:
    ids = frontend_of()(transcript)
    assert ids.dtype == torch.int64
    assert ids.shape[1:] == (len(FIELDS),)
    assert (ids >= 0).all()
    assert (ids < torch.tensor(FIELD_SIZES)).all()
    assert ids.any(dim=1).all()  # no row says nothing


@given(transcript=transcripts())
def test_no_character_is_lost(transcript: str) -> None:
    expected = "".join(unicodedata.normalize("NFC", transcript).translate({0xD0: "Đ", 0xF0: "đ"}).split())
    assert "".join("".join(pieces(transcript, lowercase=False)).split()) == expected


def test_lone_surrogates_are_bytes_too() -> None:
    assert [row[3] - 1 for row in rows_of("\ud83d")] == [0xED, 0xA0, 0xBD]


@pytest.mark.parametrize("transcript", ["", "   ", "\n\t\u00a0"])
def test_nothing_said_gives_no_tokens(transcript: str) -> None:
    assert frontend_of()(transcript).shape == (0, len(FIELDS))
    assert frontend_of().tokens_cut(transcript) == 0


@pytest.mark.parametrize(("max_tokens", "kept"), [(2, [0, 6]), (5, [0, 1, 2, 5, 6]), (6, [0, 1, 2, 4, 5, 6])])
def test_a_long_transcript_keeps_head_and_tail(max_tokens: int, kept: list[int]) -> None:
    transcript = "một hai ba bốn năm sáu bảy"
    every = rows_of(transcript)
    frontend = frontend_of(max_tokens=max_tokens)
    assert frontend(transcript).tolist() == [every[index] for index in kept]
    assert frontend.tokens_cut(transcript) == 7 - max_tokens


def test_a_transcript_that_fits_is_whole() -> None:
    frontend = frontend_of(max_tokens=7)
    assert len(frontend("một hai ba bốn năm sáu bảy")) == 7
    assert frontend.tokens_cut("một hai ba bốn năm sáu bảy") == 0


def test_pickle() -> None:
    frontend = frontend_of(max_tokens=9)
    assert pickle.loads(pickle.dumps(frontend)) == frontend  # noqa: S301  # our own bytes


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_word_of_a_call_is_a_syllable(sentence: str) -> None:
    words = [piece for piece in pieces(sentence, lowercase=True) if piece.isalpha()]
    assert [word for word in words if parse(word) is None] == []


@pytest.mark.skipif(not CORPUS.is_file(), reason="UIT-VSMEC is not in `../shared/data`")
def test_most_words_of_a_real_corpus_are_syllables() -> None:
    """0.9613 on UIT-VSMEC, whose rest is chat spelling."""
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    transcripts_of_corpus = [json.loads(line)["transcript"] or "" for line in lines if line.strip()]
    words = [piece for text in transcripts_of_corpus for piece in pieces(text, lowercase=True) if piece.isalpha()]
    assert sum(parse(word) is not None for word in words) / len(words) > 0.95


def pieces_of(transcript: str, *, max_tokens: int = 64) -> list[int]:
    frontend = SyllableFrontend(max_tokens=max_tokens, max_bytes_per_word=8, lowercase=True, whole=True)
    ids = frontend(transcript)
    assert ids.shape[1] == len(FIELDS) + 1
    return [int(piece) for piece in ids[:, -1]]


@given(st.text())
def test_the_column_of_whole_pieces_changes_no_other(transcript: str) -> None:
    frontend = SyllableFrontend(max_tokens=64, max_bytes_per_word=8, lowercase=True, whole=True)
    assert torch.equal(frontend(transcript)[:, :-1], frontend_of()(transcript))
    assert all(0 <= piece < PIECE_FIELD_SIZE for piece in pieces_of(transcript))


def test_each_syllable_has_an_id_of_its_own() -> None:
    legal = [
        compose(Syllable(onset, rhyme, tone))
        for onset in ONSETS
        for rhyme in RHYMES
        for tone in TONES
        if is_legal(onset, rhyme) and takes_tone(rhyme, tone)
    ]
    found = {piece for syllable in legal for piece in pieces_of(syllable)}
    assert len(found) == len(legal)
    assert all(0 < piece <= NUM_SYLLABLES for piece in found)


def test_of_another_piece_the_first_byte_has_its_id() -> None:
    first, *rest = pieces_of("😡")
    assert first > NUM_SYLLABLES
    assert rest == [0, 0, 0]
    assert pieces_of("ghét 😡 ghét")[1] == first
    assert pieces_of("😢")[0] != first
