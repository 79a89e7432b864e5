"""Segmenters by name. underthesea is slow to import: few tests use it."""

import logging
import pickle
import sys
import unicodedata
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vietmer_core.errors import PluginError
from vietmer_core.text import segmenters
from vietmer_core.text.normalise import normalise
from vietmer_core.text.params import SEGMENTER_NAMES, SegmenterName
from vietmer_core.text.segmenters import Segmenter

WORDS = st.sampled_from(
    [
        "khách",
        "hàng",
        "khách_hàng",
        "hoà",
        "bình",
        "🤣",
        "_",
        "a__b",
        ":))",
        "0901.234.567",
        "x@y.vn",
        "50%",
        "Hà",
        "Nội",
    ]
)
TEXTS = (st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=16)).map(normalise)


def library(name: SegmenterName) -> Segmenter:
    if name != "none":
        pytest.importorskip(name, reason=f"{name} is not installed")
    return Segmenter(name)


def letters(text: str) -> str:
    """What must stay: all but white space and joins."""
    return "".join(text.replace("_", " ").split())


@pytest.mark.parametrize("name", ["underthesea", "pyvi"])
def test_syllables_become_words_and_tone_marks_stay(name: SegmenterName) -> None:
    segment = library(name)
    assert segment("khách hàng rất hài lòng") == "khách_hàng rất hài_lòng"
    assert "Hoà_bình" in segment("Hoà bình là tốt")  # underthesea alone would write Hòa_bình


def test_underthesea_by_itself_would_move_tone_marks() -> None:
    library("underthesea")
    from underthesea import word_tokenize  # type: ignore[import-untyped]

    assert word_tokenize("hoà bình", format="text") != Segmenter("underthesea")("hoà bình") == "hoà_bình"


@pytest.mark.parametrize("name", ["underthesea", "pyvi"])
def test_only_letters_are_joined(name: SegmenterName) -> None:
    words = library(name)("🤣 🤣 sđt 0901.234.567 quận 1 :)) khách_hàng a__b").split()
    assert [word for word in words if "_" in word.strip("_")] == ["khách_hàng", "a__b"]


def test_underthesea_alone_joins_what_is_no_word() -> None:
    library("underthesea")
    from underthesea import word_tokenize

    assert "🤣_sđt" in word_tokenize("🤣 🤣 sđt 0901.234.567", format="text")  # the test before would see it


@pytest.mark.parametrize("name", SEGMENTER_NAMES)
@given(text=TEXTS)
def test_every_character_is_kept_in_order(name: SegmenterName, text: str) -> None:
    segmented = library(name)(text)
    assert letters(segmented) == letters(text)
    assert segmented == " ".join(segmented.split())
    assert unicodedata.is_normalized("NFC", segmented)


def test_none_leaves_words_as_they_are() -> None:
    assert Segmenter("none")(" khách_hàng  rất hài lòng ") == "khách_hàng rất hài lòng"
    assert Segmenter("none").provenance == "none"


def test_provenance_names_the_version() -> None:
    segment = library("pyvi")
    assert segment.provenance == f"pyvi {version('pyvi')}"
    assert pickle.loads(pickle.dumps(segment)) == segment  # noqa: S301  # our own bytes


LOUD = """
import logging
logging.getLogger().addHandler(logging.StreamHandler())
logging.getLogger().setLevel(logging.DEBUG)
def word_tokenize(text, **options):
    return text.split()
"""


def test_the_root_logger_is_as_it_was_after_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "underthesea" / "pipeline"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "word_tokenize.py").write_text(LOUD, encoding="utf-8")
    for name in [name for name in sys.modules if name.split(".")[0] == "underthesea"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    assert segmenters._underthesea()("khách hàng") == "khách hàng"  # the stand-in, which joins nothing
    assert (root.handlers[:], root.level) == before
    for name in [name for name in sys.modules if name.split(".")[0] == "underthesea"]:
        del sys.modules[name]


def test_a_library_that_is_not_installed_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(segmenters, "version", absent)
    with pytest.raises(PluginError, match=r"`segmenter: pyvi` must be installed.*pip install pyvi"):
        Segmenter("pyvi").require_library()
    Segmenter("none").require_library()
