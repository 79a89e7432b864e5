"""Numbers as they are spoken."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.text.cardinals import DIGITS, LARGEST, cardinal, digits
from vietmer_core.text.numbers import read_numbers

VALUES = {word: digit for digit, word in enumerate(DIGITS)}
SCALES = {"nghìn": 10**3, "triệu": 10**6}


def value(words: str) -> int:
    """The number that words name, by a grammar of its own."""
    if " tỷ" in words:
        head, rest = words.split(" tỷ", 1)
        return value(head) * 10**9 + (value(rest.strip()) if rest else 0)
    total = group = 0
    for word in words.split():
        if word in SCALES:
            total, group = total + group * SCALES[word], 0
        elif word == "trăm":
            group *= 100
        elif word == "mươi":
            group = group // 10 * 10 + group % 10 * 10 if group < 10 else group - group % 10 + group % 10 * 10
        elif word == "mười":
            group += 10
        elif word != "lẻ":
            group += {"mốt": 1, "lăm": 5}.get(word, VALUES.get(word, -(10**20)))
    return total + group


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "không"),
        (10, "mười"),
        (11, "mười một"),
        (15, "mười lăm"),
        (21, "hai mươi mốt"),
        (24, "hai mươi bốn"),
        (25, "hai mươi lăm"),
        (105, "một trăm lẻ năm"),
        (110, "một trăm mười"),
        (1000, "một nghìn"),
        (1001, "một nghìn không trăm lẻ một"),
        (1050, "một nghìn không trăm năm mươi"),
        (10_000, "mười nghìn"),
        (100_005, "một trăm nghìn không trăm lẻ năm"),
        (2_000_100, "hai triệu một trăm"),
        (10**9 + 5, "một tỷ không trăm lẻ năm"),
        (10**15, "một triệu tỷ"),
    ],
)
def test_cardinals(number: int, words: str) -> None:
    assert cardinal(number) == words


@given(st.integers(0, LARGEST) | st.integers(0, 2_000))
def test_a_cardinal_names_its_number(number: int) -> None:
    assert value(cardinal(number)) == number


def test_the_reading_back_sees_a_wrong_group() -> None:
    assert value("một nghìn lẻ năm mươi") == 1050
    assert value("một trăm nghìn tỷ") != 10**15  # as num2words writes it
    assert value("mười năm") == 15  # spelling is held by the examples


@pytest.mark.parametrize("number", [-1, LARGEST + 1])
def test_a_cardinal_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"but is {number} instead"):
        cardinal(number)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("giá 100k", "giá một trăm nghìn"),
        ("100.000đ", "một trăm nghìn đồng"),
        ("100.000 VNĐ", "một trăm nghìn đồng"),
        ("1,250đ", "một nghìn hai trăm năm mươi đồng"),
        ("5tr", "năm triệu"),
        ("1,5tr", "một phẩy năm triệu"),
        ("1tr2", "một triệu hai"),
        ("1tr5", "một triệu rưỡi"),
        ("1tr250", "một triệu hai trăm năm mươi"),
        ("50%", "năm mươi phần trăm"),
        ("5-10%", "năm đến mười phần trăm"),
        ("3,5", "ba phẩy năm"),
        ("3,05", "ba phẩy không năm"),
        ("3,14", "ba phẩy mười bốn"),
        ("0.125", "không phẩy một hai năm"),
        ("1.000.000,5", "một triệu phẩy năm"),
        ("1,000,000", "một triệu"),
        ("20/11/2024", "ngày hai mươi tháng mười một năm hai nghìn không trăm hai mươi bốn"),
        ("ngày 5-4-2024", "ngày năm tháng tư năm hai nghìn không trăm hai mươi bốn"),
        ("sáng 20/11", "sáng hai mươi tháng mười một"),
        ("tháng 4/2024", "tháng tư năm hai nghìn không trăm hai mươi bốn"),
        ("tháng 4", "tháng tư"),
        ("mỗi tháng 4 triệu, lãi tháng 4%", "mỗi tháng bốn triệu, lãi tháng bốn phần trăm"),
        ("một tháng 4 lần, cả tháng 4 triệu", "một tháng bốn lần, cả tháng bốn triệu"),
        ("ngày 05 tháng 04 năm 2024", "ngày năm tháng tư năm hai nghìn không trăm hai mươi bốn"),
        ("mùng 02 tháng 01", "mùng hai tháng một"),
        ("0.123456789", f"không phẩy {digits('123456789')}"),
        ("9/10 điểm", "chín trên mười điểm"),
        ("10h", "mười giờ"),
        ("7g30", "bảy giờ ba mươi phút"),
        ("10:30:15", "mười giờ ba mươi phút mười lăm giây"),
        ("gọi 0901.234.567 nhé", "gọi không chín không một hai ba bốn năm sáu bảy nhé"),
        ("+84 901 234 567", "cộng tám bốn chín không một hai ba bốn năm sáu bảy"),
        ("1900 1234", "một chín không không một hai ba bốn"),
        ("tài khoản 12345678901", f"tài khoản {digits('12345678901')}"),
        ("007", "không không bảy"),
        ("-5 độ", "âm năm độ"),
        ("5, 6 và 7.", "năm, sáu và bảy."),
    ],
)
def test_numbers_are_read(written: str, spoken: str) -> None:
    assert read_numbers(written) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "4G 4g covid19 A4",
        "1.2.3",
        "a1@b2.vn",
        "http://x.vn/12",
        "x.vn/a?b=12",
        "25:00",
        "32/13/2024",
        "0.000.000-5%",
        "2-3 người",
        "1-0",
    ],
)
def test_what_has_no_single_reading_is_left(text: str) -> None:
    assert read_numbers(text) == text


@given(st.text(st.sampled_from("0123456789.,:/-%+ kđhgtr"), max_size=16) | st.text(max_size=16))
def test_reading_twice_is_reading_once_and_letters_stay(text: str) -> None:
    once = read_numbers(text)
    assert read_numbers(once) == once
    if not re.search("[0-9]", text):
        assert once == text
