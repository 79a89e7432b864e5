"""Word segmentation: `khách hàng` → `khách_hàng`. Torch-free until a library is first used.

PhoBERT and ViDeBERTa were trained on words, not on syllables, so what joins the syllables is part of the model.
"""

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, final

import attrs

from vietmer_core.errors import PluginError
from vietmer_core.text.locks import ForkSafeLock
from vietmer_core.text.params import SegmenterName

_LOCK: Final = ForkSafeLock()
"""Held while a library works: pyvi's tagger holds the sentence that it works on, and threads take turns."""


@final
@attrs.frozen
class Segmenter:
    """Joins the syllables of a normalised transcript into words, by the library of its name.

    Every character that is not white space is kept, in order. Only letters are joined: underthesea's model also
    joins emoji to their neighbours (`🤣_sđt`), which would make an unknown word of a known one.

    underthesea is told not to normalise tokens: by itself it turns `hoà` into `hòa`, which PhoBERT does not know.
    """

    name: SegmenterName

    def __call__(self, text: str, /) -> str:
        """The words, `_` between the syllables of each, one space between words.

        Raises:
            PluginError: if the library is not installed.
        """
        if self.name == "none" or not text.strip():
            return " ".join(text.split())
        with _LOCK:
            return _loaded(self.name)(text)

    @property
    def library_version(self) -> str | None:
        """Version of the installed library; None for `none`, and where it is not installed. For provenance."""
        if self.name == "none":
            return None
        try:
            return version(self.name)
        except PackageNotFoundError:
            return None

    @property
    def provenance(self) -> str:
        """Name and version, such as `underthesea 9.5.0`."""
        return " ".join([self.name, *([found] if (found := self.library_version) else [])])

    def require_library(self) -> None:
        """Check, without importing it, that the library is installed.

        Raises:
            PluginError: if it is not.
        """
        if self.name != "none" and self.library_version is None:
            raise PluginError(
                f"`segmenter: {self.name}` must be installed to be used, but is not. Run `pip install {self.name}`, or "
                "set another `segmenter`."
            )


@lru_cache(maxsize=2)
def _loaded(name: SegmenterName) -> Callable[[str], str]:
    """The library's function, imported once in a process; called with the lock held."""
    Segmenter(name).require_library()
    return _underthesea() if name == "underthesea" else _pyvi()


def _underthesea() -> Callable[[str], str]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:  # its import gives the root logger a handler that prints every library's messages
        from underthesea.pipeline.word_tokenize import word_tokenize  # type: ignore[import-untyped]
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

    def segment(text: str) -> str:
        words: list[Any] = word_tokenize(text, use_token_normalize=False)  # syllables of a word apart by a space
        return " ".join(_joined(str(word).split()) for word in words)

    return segment


def _pyvi() -> Callable[[str], str]:
    from pyvi import ViTokenizer  # type: ignore[import-untyped]

    def segment(text: str) -> str:
        syllables: list[str] = ViTokenizer.ViTokenizer.sylabelize(text)[1]
        return " ".join(_joined(word) for word in _grouped(syllables, ViTokenizer.tokenize(text)))

    return segment


def _grouped(syllables: Sequence[str], segmented: str) -> list[list[str]]:
    """The syllables of each word; `segmented` is the syllables with `_` or a space after each."""
    words: list[list[str]] = [[]]
    position = 0
    for syllable in syllables:
        words[-1].append(syllable)
        position += len(syllable) + 1
        if segmented[position - 1 : position] == " ":
            words.append([])
    return words


def _joined(syllables: Sequence[str]) -> str:
    """`_` between letters, a space elsewhere; a syllable may hold a `_` of the transcript's own."""
    text = "".join(
        syllable + ("_" if _is_word(syllable) and _is_word(following) else " ")
        for syllable, following in zip(syllables, [*syllables[1:], ""], strict=True)
    )
    return text.strip()


def _is_word(piece: str) -> bool:
    return piece.replace("_", "").isalpha()
