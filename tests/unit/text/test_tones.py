"""Tone marks where a style puts them."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.text.params import TONE_STYLES, ToneStyle
from vietmer_core.text.syllables import TONE_MARKS
from vietmer_core.text.tones import place_tones

LETTERS = st.sampled_from("aăâeêioôơuưyqgkhntcđQGUYOA_ " + TONE_MARKS)
TEXTS = (st.text(LETTERS, max_size=14) | st.text(max_size=14)).map(lambda text: unicodedata.normalize("NFC", text))
Place = Callable[[str, ToneStyle], str]


def place(text: str, style: ToneStyle) -> str:
    return place_tones(text, style=style)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hòa", "hoà"),
        ("khỏe", "khoẻ"),
        ("thúy", "thuý"),
        ("ủy ban", "uỷ ban"),
        ("Hòa Bình", "Hoà Bình"),
        ("HÒA", "HOÀ"),
        ("hÒa", "hOà"),  # a letter keeps its case
        ("Thúy_Kiều sức_khỏe", "Thuý_Kiều sức_khoẻ"),
        ("ngòe", "ngoè"),
    ],
)
def test_open_oa_oe_and_uy_differ(old: str, new: str) -> None:
    assert [place(written, style) for written in (old, new) for style in TONE_STYLES] == [old, new, old, old, new, new]


@pytest.mark.parametrize(
    "text",
    [
        *("quý quả quốc quỳnh quyển quỷ Quý", "gì già giữ giếng giụi GIÀ", "hoàn toàn thoát khoảnh hoạch thuyền"),
        *("hoài ngoáy khuỷu ngoẹo", "của mía lửa chìa đứa", "huế thuở tuần khuê", "huýt uỳnh xoóng", "ý yểu yếm"),
        *("café José Zoé", "khoẻee", "hoà\u0323", "ố là la 🤣"),
    ],
)
def test_both_styles_agree_on_all_else(text: str) -> None:
    if text not in {"hoà\u0323", "khoẻee"}:
        assert place(text, "old") == place(text, "new")
    for style in TONE_STYLES:
        assert place(text, style) == text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("qúa", "quá"),
        ("qúy", "quý"),
        ("hòan", "hoàn"),
        ("tóan", "toán"),
        ("đựơc", "được"),
        ("gìa", "già"),
        ("baì", "bài"),
    ],
)
def test_a_misplaced_mark_is_put_right_unless_kept(wrong: str, right: str) -> None:
    assert place(wrong, "old") == place(wrong, "new") == right
    assert place(wrong, "keep") == wrong


def holds(subject: Place, text: str) -> None:
    old, new = subject(text, "old"), subject(text, "new")
    assert subject(text, "keep") == text
    assert (subject(old, "old"), subject(new, "new")) == (old, new)  # idempotent
    for placed in (old, new):
        assert unicodedata.is_normalized("NFC", placed)
        assert sorted(unicodedata.normalize("NFD", placed)) == sorted(unicodedata.normalize("NFD", text))
    assert subject(new, "old") == old
    assert subject(old, "new") == new


@given(TEXTS)
def test_styles_go_round_and_nothing_but_marks_moves(text: str) -> None:
    holds(place, text)


def by_replacing(text: str, style: ToneStyle) -> str:
    """As tables do it that know no syllables."""
    pairs = [("oà", "òa"), ("uý", "úy")]
    for new, old in pairs if style == "old" else [pair[::-1] for pair in pairs] if style == "new" else []:
        text = text.replace(new, old)
    return text


def test_replacing_letters_is_seen() -> None:
    assert by_replacing("hoàn quý", "old") == "hòan qúy"
    assert place("hoàn quý", "old") != by_replacing("hoàn quý", "old")
    with pytest.raises(AssertionError):
        holds(lambda text, style: text.upper() if style == "old" else text, "hòa")
    with pytest.raises(AssertionError):
        holds(lambda text, style: text if style == "new" else place(text, style), "hoà")
    with pytest.raises(AssertionError):
        holds(lambda text, style: unicodedata.normalize("NFD", place(text, style)), "hoà")
