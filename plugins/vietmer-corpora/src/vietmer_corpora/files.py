"""Finding the files of a corpus, in an order that depends on their names alone. Torch-free."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vietmer_core.errors import DataError

AUDIO_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"})
"""What libsndfile reads."""


def is_hidden(path: Path) -> bool:
    """Whether a file is none of the corpus: hidden, or a companion that macOS writes (`._name`)."""
    return path.name.startswith(".") or "__MACOSX" in path.parts


def files_below(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """The files of a folder and its subfolders that have one of the suffixes, sorted by path."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file()]
    yield from sorted((path for path in found if not is_hidden(path)), key=lambda path: path.as_posix())


def named_audio(source: Path, name: re.Pattern[str], *, example: str) -> list[Path]:
    """The audio files of a corpus whose names tell everything: all of them, where any is named so.

    Raises:
        DataError: where no file is named as those of the corpus.
    """
    files = list(files_below(source, AUDIO_SUFFIXES))
    if not any(name.fullmatch(file.stem) for file in files):
        found = (
            f"none of the {len(files):,} audio files of `{source}` is named"
            if files
            else f"`{source}` holds no file named"
        )
        raise DataError(f"{found} as those of the corpus, such as `{example}`. Name its folder.")
    return files


def require_folder(source: Path, what: str) -> None:
    """Refuse a source that is no folder.

    Raises:
        DataError: with what the folder should be.
    """
    if not source.is_dir():
        raise DataError(f"`{source}` must be a folder, {what}, but is none.")
