"""Cardinal numbers in Vietnamese words. Torch-free.

Written here rather than taken from num2words 0.5.14 (LGPL), whose Vietnamese is wrong where groups are empty (1,050 is
"một nghìn lẻ năm mươi", 10^15 a tenth of what it is) and rounds decimals to two digits that lose their zero (3.05 is
"ba phẩy năm").
"""

from typing import Final

DIGITS: Final = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
LARGEST: Final = 10**18 - 1
_THOUSANDS: Final = ("", " nghìn", " triệu")


def digits(number: str, /) -> str:
    """ASCII digits one by one: `090` is "không chín không"."""
    return " ".join(DIGITS[int(digit)] for digit in number)


def cardinal(number: int, /) -> str:
    """A number from 0 to `LARGEST` in words: 1005 is "một nghìn không trăm lẻ năm".

    Northern `nghìn`, and `lẻ` for an empty place of tens.

    Raises:
        ValueError: if the number is out of range.
    """
    if not 0 <= number <= LARGEST:
        raise ValueError(f"`number` must be from 0 to {LARGEST}, but is {number} instead.")
    if number == 0:
        return DIGITS[0]
    milliards, rest = divmod(number, 10**9)
    words = [f"{_below_milliard(milliards, full=False)} tỷ"] if milliards else []
    return " ".join([*words, *([_below_milliard(rest, full=bool(milliards))] if rest else [])])


def _below_milliard(number: int, *, full: bool) -> str:
    """1 to 999,999,999; `full` where larger groups stand before it. Empty groups are not said."""
    words: list[str] = []
    for power in (2, 1, 0):
        group = number // 1000**power % 1000
        if group:
            words.append(_group(group, full=full or bool(words)) + _THOUSANDS[power])
    return " ".join(words)


def _group(number: int, *, full: bool) -> str:
    """1 to 999; `full` says an empty place of hundreds too."""
    hundreds, rest = divmod(number, 100)
    words = [f"{DIGITS[hundreds]} trăm"] if hundreds or full else []
    return " ".join([*words, *([_tens(rest, full=bool(words))] if rest else [])])


def _tens(number: int, *, full: bool) -> str:
    tens, unit = divmod(number, 10)
    if tens == 0:
        return f"lẻ {DIGITS[unit]}" if full else DIGITS[unit]
    head = "mười" if tens == 1 else f"{DIGITS[tens]} mươi"
    if unit == 0:
        return head
    last = {1: "một" if tens == 1 else "mốt", 5: "lăm"}.get(unit, DIGITS[unit])
    return f"{head} {last}"
