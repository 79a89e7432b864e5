"""Numbers as they are spoken: phone numbers, dates, times, money, percents, decimals, integers. Torch-free.

Vietnamese writes 1.000.000,5: dots between thousands, a decimal comma. What has no single reading stays as it is
written: numbers that touch letters (`4G`, `covid19`), addresses of the internet, versions (1.2.3). A number without
separators that is longer than nine digits or begins with a zero is read digit by digit, as account numbers are, but
not in a date (`ngày 05 tháng 04`).
"""

import re
from collections.abc import Callable
from functools import partial
from re import Match
from typing import Final

from vietmer_core.text.cardinals import DIGITS, cardinal, digits

_BEFORE: Final = r"(?<![\w.,:/@#+=&?-])"
_AFTER: Final = r"(?![\w@#]|[.,:/&=?-]\w)"
_NUMBER: Final = r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:,\d{3}){2,}|\d+[.,]\d+|\d+"
_PART_OF_DAY: Final = "(?:ngày|hôm|sáng|trưa|chiều|tối|đêm|mùng|mồng)"
_NOT_COUNTED: Final = "(?<!mỗi )(?<!một )(?<!mấy )(?<!hàng )(?<!hằng )(?<![0-9] )"
_COUNTS: Final = r"\s?(?:%|(?:k|tr|đ|₫|vnđ|vnd)\b)|\s+(?:phần|trăm|nghìn|ngàn|triệu|tỷ|tỉ|lần|đồng)\b"
"""What stands before `tháng 4`, or behind it, where that is four of something and not April."""
_UNITS: Final = {"k": "nghìn", "tr": "triệu", "đ": "đồng", "₫": "đồng", "vnd": "đồng", "vnđ": "đồng"}
_LONGEST_CARDINAL: Final = 9


def read_numbers(text: str, /) -> str:
    """A text with its numbers in words; what cannot be read is left. NFC in, NFC out."""
    for pattern, read in _READERS:
        text = pattern.sub(partial(_read, read=read), text)
    return text


def _read(match: Match[str], *, read: Callable[[Match[str]], str]) -> str:
    return read(match) or match.group()


def _whole(number: str) -> str:
    if len(number) > _LONGEST_CARDINAL or (number[0] == "0" and len(number) > 1):
        return digits(number)
    return cardinal(int(number))


def _number(written: str) -> str:
    """A number as `_NUMBER` finds it."""
    if written.isdigit():
        return _whole(written)
    if re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?", written):
        whole, _, fraction = written.replace(".", "").partition(",")
    elif re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3}){2,}|[1-9]\d{0,2},000", written):  # thousands as English writes them
        whole, fraction = written.replace(",", ""), ""
    else:
        whole, fraction = re.split("[.,]", written, maxsplit=1)
    if len(whole) > 18 or not fraction.isdigit():
        return cardinal(int(whole)) if len(whole) <= 18 and not fraction else ""
    return f"{cardinal(int(whole))} phẩy {_fraction(fraction)}"


def _fraction(fraction: str) -> str:
    return cardinal(int(fraction)) if len(fraction) <= 2 and fraction[0] != "0" else digits(fraction)


def _phone(match: Match[str]) -> str:
    number = re.sub(r"\D", "", match.group())
    plus = "cộng " if match.group()[0] == "+" else ""
    return plus + digits(number)


def _month(month: int) -> str:
    return "tư" if month == 4 else cardinal(month)


def _date(match: Match[str]) -> str:
    """Day and month, and the year where it is written; no reading for the 32nd or the 13th month."""
    day, month, year = int(match["day"]), int(match["month"]), match.groupdict().get("year")
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return ""
    said = match["said"] or ("" if match["part"] else "ngày ")
    spoken = f"{match['part'] or ''}{said}{cardinal(day)} tháng {_month(month)}"
    return f"{spoken} năm {cardinal(int(year))}" if year else spoken


def _month_of_year(match: Match[str]) -> str:
    month = int(match["month"])
    return f"{match['said']}{_month(month)} năm {cardinal(int(match['year']))}" if 1 <= month <= 12 else ""


def _time(match: Match[str]) -> str:
    """A time of the day or a duration in hours: 10h, 10h30, 10:30, 10:30:15."""
    parts = match.groupdict()
    hour, second = parts["hour"], parts.get("second")
    minute = parts.get("minute") or parts.get("minutes")
    if int(hour) > 24 or int(minute or 0) > 59 or int(second or 0) > 59:
        return ""
    words = f"{cardinal(int(hour))} giờ"
    words += f" {cardinal(int(minute))} phút" if minute and (int(minute) or second) else ""
    return words + (f" {cardinal(int(second))} giây" if second else "")


def _money(match: Match[str]) -> str:
    number = match["number"]
    if match["unit"].lower() not in {"k", "tr"}:  # after đồng no decimals: 1,000đ is a thousand
        number = re.sub(r",(?=\d{3}$)", ".", number) if number[0] != "0" else number
    spoken = _number(number)
    return f"{spoken} {_UNITS[match['unit'].lower()]}" if spoken else ""


def _millions_and(match: Match[str]) -> str:
    """`1tr2` is "một triệu hai", `1tr5` is "một triệu rưỡi", `1tr250` is "một triệu hai trăm năm mươi"."""
    rest = match["rest"]
    if rest[0] == "0":
        return ""
    spoken = "rưỡi" if rest == "5" else DIGITS[int(rest)] if len(rest) == 1 else cardinal(int(rest))
    return f"{_whole(match['number'])} triệu {spoken}"


def _percent(match: Match[str]) -> str:
    spoken = [_number(written) for written in (match["first"], match["number"]) if written]
    return f"{' đến '.join(spoken)} phần trăm" if all(spoken) else ""


def _ratio(match: Match[str]) -> str:
    return f"{_whole(match['first'])} trên {_whole(match['second'])}"


def _plain(match: Match[str]) -> str:
    spoken = _number(match["number"])
    return f"{'âm ' if match['minus'] else ''}{spoken}" if spoken else ""


def _compiled(body: str) -> re.Pattern[str]:
    return re.compile(_BEFORE + body.replace(r"\d", "[0-9]") + _AFTER, re.IGNORECASE)


_READERS: Final[tuple[tuple[re.Pattern[str], Callable[[Match[str]], str]], ...]] = (
    (_compiled(r"(?!0\.\d{9})(?:\+84|0)(?:[ .-]?\d){9,10}"), _phone),
    (_compiled(r"1[89]00(?:[ .-]?\d){4,6}"), _phone),
    (
        _compiled(
            rf"(?P<part>{_PART_OF_DAY}\s+)?(?P<said>ngày\s+)?"
            r"(?P<day>\d{1,2})(?P<sep>[/.-])(?P<month>\d{1,2})(?P=sep)(?P<year>\d{4})"
        ),
        _date,
    ),
    (
        _compiled(rf"(?P<part>{_PART_OF_DAY}\s+)(?P<said>ngày\s+)?(?P<day>\d{{1,2}})/(?P<month>\d{{1,2}})"),
        _date,
    ),
    (_compiled(r"(?P<said>tháng\s+)(?P<month>\d{1,2})[/-](?P<year>\d{4})"), _month_of_year),
    (_compiled(r"(?P<said>tháng\s+)0(?P<month>[1-9])"), lambda match: match["said"] + _month(int(match["month"]))),
    (_compiled(rf"{_NOT_COUNTED}(?P<said>tháng\s+)(?P<month>4)(?!{_COUNTS})"), lambda match: f"{match['said']}tư"),
    (_compiled(r"(?P<said>(?:ngày|mùng|mồng)\s+)0(?P<day>[1-9])"), lambda match: match["said"] + _whole(match["day"])),
    (_compiled(r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"), _time),
    (_compiled(r"(?P<hour>\d{1,2})(?:h(?P<minute>\d{2})?|g(?P<minutes>\d{2}))(?:p|ph)?"), _time),
    (_compiled(r"(?P<number>\d{1,3})tr(?P<rest>\d|\d{3})"), _millions_and),
    (_compiled(rf"(?P<number>{_NUMBER})\s?(?P<unit>k|tr|đ|₫|vnđ|vnd)"), _money),
    (_compiled(rf"(?:(?P<first>{_NUMBER})\s?-\s?)?(?P<number>{_NUMBER})\s?%"), _percent),
    (_compiled(r"(?P<first>\d{1,4})/(?P<second>\d{1,4})"), _ratio),
    (_compiled(rf"(?P<minus>-(?=\d))?(?P<number>{_NUMBER})"), _plain),
)
"""Tried in this order; a number that one has read holds no digits for the next."""
