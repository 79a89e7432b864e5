"""Which source a clip was cut from, read from its name, where the manifest does not say: by rules that are printed.

Corpora of clips cut from films, series and calls often keep the name of the source in the name of the clip:
`Angry_scvmc17-00.25.00.160-00.25.07.845-seg2`. Such names are read at four levels, each coarser than the one before. A
code such as RAVDESS's `03-01-05-01-02-01-12` looks like a name with counters, too, so nothing is read unless a tenth of
the names carry the mark of a cut: a time span, or a word such as `seg2`.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final, Literal

import attrs

Level = Literal["file", "recording", "episode", "show"]

LEVELS: Final[tuple[Level, ...]] = ("file", "recording", "episode", "show")

RULES: Final[Mapping[Level, str]] = MappingProxyType(
    {
        "file": "the name as written, up to its time span `-hh.mm.ss`",
        "recording": (
            "the name up to its time span `-hh.mm.ss`, or else without the number of the clip at its end; "
            "case, `copy of` and `AnyConv.com` do not count"
        ),
        "episode": (
            "as `recording`, whatever stands before the time span; punctuation, words that are labels, `Made with …` "
            "and a description of the speaker at the end do not count"
        ),
        "show": "as `episode`, without the numbers at its end and words there such as `tập` or `ep`",
    }
)
"""What is read from a name at each level."""

MIN_CUT_SHARE: Final = 0.1
"""Share of the names that must carry the mark of a cut before any source is read from names."""

_STRICT_SPAN: Final = re.compile(r"-\d\d\.\d\d\.\d\d")
_SPAN: Final = re.compile(r"[\s_.-]*\b\d\d[.:]\d\d[.:]\d\d.*$", re.DOTALL)
_SEGMENT: Final = re.compile(r"[\s_.-]+(?:seg|segment|clip|chunk|utt|part)[\s_-]?\d+(?:[\s_.\[(-].*)?$")
_PREFIX: Final = re.compile(r"^(?:copy of |anyconv\.com *)+")
_EDITOR: Final = re.compile(r"[\s‐-]*(?:made with|được tạo bằng)\b.*$")
_COPY_NUMBER: Final = re.compile(r"\s*\(\d*\)\s*$")
_CLIP_NUMBER: Final = re.compile(r"[\s.-]*\d+\s*$")
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+")
_SEXES: Final = frozenset({"nam", "nữ", "nu", "male", "female"})
_EPISODE_WORDS: Final = frozenset(
    {"t", "tap", "tập", "ep", "e", "episode", "s", "season", "phần", "phan", "part", "cut"}
)
_FORMATS: Final = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".webm", ".mp4"})


@attrs.frozen(kw_only=True)
class Source:
    """What a name says of its source; None at a level at which it says nothing.

    Attributes:
        names: The source at each of `LEVELS`.
        is_cut: Whether the name carries the mark of a cut.
    """

    names: tuple[str | None, ...]
    is_cut: bool


def stem_of(name: str) -> str:
    """A file name or an id without folders and the ending of an audio file."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.stem if path.suffix.lower() in _FORMATS else path.name


def folded(name: str) -> str:
    """A name without folder, ending, case and punctuation, words and numbers apart: `Copy_of 1.wav` → `copy of 1`."""
    return " ".join(_TOKEN.findall(unicodedata.normalize("NFC", stem_of(name)).casefold()))


def source_of(name: str, *, labels: Collection[str] = ()) -> Source:
    """Read a name at every level.

    Args:
        name: An utterance id or a file name.
        labels: Labels, each `folded`; words of the name that are labels say nothing of the source.
    """
    stem = unicodedata.normalize("NFC", stem_of(name))
    strict = _STRICT_SPAN.search(stem)
    plain = _PREFIX.sub("", " ".join(stem.casefold().replace("_", " ").split()))
    timed = _SPAN.sub("", plain)
    clipless = _SEGMENT.sub("", timed)
    episode = _episode(clipless, is_cut=clipless != plain, labels=labels)
    names = (
        stem[: strict.start()] if strict else None,
        _recording(plain),
        _named(episode),
        _named(_show(episode)),
    )
    return Source(names=names, is_cut=clipless != plain)


def _recording(plain: str) -> str | None:
    span = _STRICT_SPAN.search(plain)
    if span:
        return plain[: span.start()]
    segment = _SEGMENT.sub("", plain)
    if segment != plain:
        return segment
    return _named_text(_CLIP_NUMBER.sub("", _COPY_NUMBER.sub("", plain)))


def _episode(text: str, *, is_cut: bool, labels: Collection[str]) -> list[str]:
    words = [word for word in _TOKEN.findall(_EDITOR.sub("", text)) if word not in labels]
    if is_cut:
        return words
    for place, word in enumerate(words):
        if place and word in _SEXES and all(rest.isdigit() for rest in words[place + 1 :]):
            words = words[:place]
            break
    return words[:-1] if words and words[-1].isdigit() else words


def _show(words: list[str]) -> list[str]:
    end = len(words)
    while end and (words[end - 1].isdigit() or words[end - 1] in _EPISODE_WORDS):
        end -= 1
    return words[:end]


def _named(words: list[str]) -> str | None:
    """The source, or None where no word of two letters is left to name it."""
    return " ".join(words) if any(len(word) > 1 and not word.isdigit() for word in words) else None


def _named_text(text: str) -> str | None:
    return text if _named(_TOKEN.findall(text)) else None
