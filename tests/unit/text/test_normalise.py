"""One way of writing the same transcript."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vietmer_core.text.normalise import normalise

VSMEC = Path(__file__).parents[4] / "shared" / "data" / "vsmec_text" / "train.jsonl"
PIECES = (
    "nhiê",
    "u",
    "hoa",
    "a",
    "e",
    "h",
    "quá",
    " ",
    "  ",
    "\u0300",
    "\u0301",
    "\u0323",
    "\u0302",
    "\u031b",
    "Ð",
    "_",
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("written", "uniform"),
    [
        ("nhiê \u0300 u", "nhiều"),
        ("thi \u0300 thâ \u0301 y y \u0301 thư \u0301 c", "thì thấy ý thức"),
        ("ma \u0300 ăn", "mà ăn"),  # one syllable, then another
        ("lă \u0301 mày", "lắ mày"),  # what follows is no part of the syllable
        ("nghê \u0300.", "nghề."),
        ("thi \u0301ch", "thích"),
        ("quá \u0301", "quá"),  # has its tone already
        ("anh \u0323 ,", "anh ,"),  # fits no vowel
        ("\u0301 a", "a"),
        ("NHIÊ \u0300 U", "NHIỀU"),
        ("va\u0301\u0302n", "vấn"),  # tone typed before the circumflex
        ("vấn", "vấn"),
        (unicodedata.normalize("NFD", "được thuở"), "được thuở"),
        ("ði Ðà Nẵng Ɖ", "đi Đà Nẵng Đ"),
        (" tôi\u00a0đi\t\n\u3000học ", "tôi đi học"),
        ("kh\u200bông\ufeff ☺\ufe0f", "không ☺"),
        ("a\x00b", "a b"),
        ("tôi \ud83d", "tôi \ufffd"),
        ("khách_hàng khoẻee Ａ ²", "khách_hàng khoẻee Ａ ²"),
        ("", ""),
        (" \u200b\n", ""),
    ],
)
def test_a_transcript_is_written_in_one_way(written: str, uniform: str) -> None:
    assert normalise(written) == unicodedata.normalize("NFC", uniform)


def is_uniform(subject: Callable[[str], str], text: str) -> None:
    once = subject(text)
    assert subject(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == " ".join(once.split())


@given(TEXTS)
@example("a \u0300\u0302")
@example("\u0301\u0301\u0302\u0301\u0302")
def test_the_result_is_nfc_and_stays_the_same(text: str) -> None:
    is_uniform(normalise, text)


@given(st.text(st.characters(), max_size=20))
def test_any_text_is_taken_lone_surrogates_included(text: str) -> None:
    normalise(text).encode("utf-8")


def only_composed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace(" \u0300 ", "\u0300").split())


def test_the_property_sees_a_mark_that_is_attached_after_composing() -> None:
    with pytest.raises(AssertionError):
        is_uniform(only_composed, "nhiê \u0300 u")


@pytest.mark.skipif(not VSMEC.is_file(), reason="the sentences of UIT-VSMEC are not beside the repository")
def test_no_detached_tone_mark_is_left_in_real_sentences() -> None:
    sentences = [json.loads(line)["transcript"] for line in VSMEC.read_text(encoding="utf-8").splitlines()]
    detached = [sentence for sentence in sentences if any("\u0300" <= letter <= "\u036f" for letter in sentence)]
    assert len(detached) > 20
    assert [s for s in detached if any("\u0300" <= letter <= "\u036f" for letter in normalise(s))] == []
    for sentence in detached:
        is_uniform(normalise, sentence)
