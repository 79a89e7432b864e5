"""Abbreviations written out."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.text.abbreviations import ABBREVIATIONS, read_abbreviations
from vietmer_core.text.syllables import VOWELS, is_syllable

WORDS = st.sampled_from([*ABBREVIATIONS, "Ko", "SĐT", "tp.", "100", "khách", ",", "K", "."])


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("ko biết j", "không biết gì"),
        ("Ko dc r", "Không được rồi"),
        ("sđt SĐT", "số điện thoại Số điện thoại"),
        ("vs mn ơi!", "với mọi người ơi!"),
        ("tp. Hồ Chí Minh, tp.Vinh", "thành phố Hồ Chí Minh, thành phố Vinh"),
        ("ntn ko.", "như thế nào không."),
        ("k0", "không"),
    ],
)
def test_abbreviations_are_written_out(written: str, full: str) -> None:
    assert read_abbreviations(written) == full


@pytest.mark.parametrize(
    "text", ["K và J", "100 k", "J.Smith", "a@ko.vn", "kok", "ko_biết", "đk kh tk ck", "http://ko", "ko-ko"]
)
def test_names_numbers_and_what_has_two_meanings_are_left(text: str) -> None:
    assert read_abbreviations(text) == text


@given(st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=16))
def test_writing_out_twice_is_writing_out_once(text: str) -> None:
    once = read_abbreviations(text)
    assert read_abbreviations(once) == once


def test_no_abbreviation_of_the_table_is_a_word_by_itself() -> None:
    words = [short for short in ABBREVIATIONS if is_syllable(unicodedata.normalize("NFC", short))]
    assert words == ["ko", "kô"]  # Vietnamese writes c before o and ô
    assert is_syllable("kho")  # the check sees words
    assert any(letter in VOWELS for letter in "ko")


def test_the_table_is_nfc_small_and_leads_nowhere() -> None:
    for short, full in ABBREVIATIONS.items():
        assert short == unicodedata.normalize("NFC", short.lower())
        assert unicodedata.is_normalized("NFC", full)
        assert read_abbreviations(full) == full
