"""Chat and call-centre abbreviations written out, those only that have one meaning. Torch-free.

Left out for having several: `đk` (được, đăng ký, điều kiện), `kh` (không, khách hàng), `tk` (tài khoản, thằng kia),
`ck` (chồng, chuyển khoản), `mk` (mình, mật khẩu), `hn` (hôm nay, Hà Nội), `bh` (bây giờ, bảo hiểm), `bt` (bình
thường, bài tập), `kg` (kilogram), `m`, `t`, `e`, `a` and other single letters but `k`, `j` and `r`.
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ABBREVIATIONS_VERSION: Final = 1
"""Rises with every change of the table; recorded with a run."""

ABBREVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bjo": "bây giờ",
        "bgio": "bây giờ",
        "bgiờ": "bây giờ",
        "bik": "biết",
        "cskh": "chăm sóc khách hàng",
        "cty": "công ty",
        "cx": "cũng",
        "dc": "được",
        "đc": "được",
        "fb": "Facebook",
        "j": "gì",
        "k": "không",
        "ko": "không",
        "kô": "không",
        "k0": "không",
        "mn": "mọi người",
        "mng": "mọi người",
        "ng": "người",
        "ngta": "người ta",
        "ntn": "như thế nào",
        "r": "rồi",
        "sđt": "số điện thoại",
        "sdt": "số điện thoại",
        "stk": "số tài khoản",
        "tgian": "thời gian",
        "thik": "thích",
        "tp": "thành phố",
        "tphcm": "thành phố Hồ Chí Minh",
        "trc": "trước",
        "vn": "Việt Nam",
        "vs": "với",
        "wá": "quá",
    }
)
"""Small letters, NFC → words."""

_BEFORE: Final = r"(?<![\w@#./:'’&+-])"
_WORD: Final = re.compile(_BEFORE + r"(?:k0|[^\W\d_]+)(?![\w@#'’&+-]|[./:]\w)", re.IGNORECASE)
_CITY: Final = re.compile(_BEFORE + r"(tp)\.\s?(?=[^\W\d_])", re.IGNORECASE)
_NUMBER_BEFORE: Final = re.compile(r"\d\s\Z")
_SMALL_ONLY: Final = 1
"""Abbreviations of so many letters are read in small letters alone: `K` and `J` are names."""


def read_abbreviations(text: str, /) -> str:
    """An NFC text with the abbreviations of the table written out; reading again changes nothing.

    A word in capitals gives a capital first letter, `Ko` gives `Không`. `k` behind a number is left, being thousands.
    """
    return _WORD.sub(_full, _CITY.sub(r"\1 ", text))


def _full(match: re.Match[str]) -> str:
    word = match.group()
    short = unicodedata.normalize("NFC", word.lower())
    full = ABBREVIATIONS.get(short)
    if full is None or (len(short) <= _SMALL_ONLY and not word.islower()):
        return word
    if short == "k" and _NUMBER_BEFORE.search(match.string, max(0, match.start() - 2), match.start()):
        return word
    return full if word[0].islower() else full[0].upper() + full[1:]
