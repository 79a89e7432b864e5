"""Where the audio of an imported row is to be found from its manifest: referred to, copied, linked or written."""

import os
import shutil
from pathlib import Path
from typing import Final, Literal

from vietmer_core.data.importing import AudioBytes, ImportedRow
from vietmer_core.errors import DataError
from vietmer_core.files import write_atomically

AudioMode = Literal["refer", "copy", "link"]
"""`refer`: a path to where the file is; `copy`: a copy beside the manifest; `link`: a symbolic link beside it."""

FOLDER: Final = "audio"
_OUTSIDE: Final = ".."


def absolute(path: Path) -> Path:
    """A path from the root, links in it kept as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # `resolve` would follow links


def place_audio(row: ImportedRow, *, source: Path, folder: Path, mode: AudioMode) -> Path:
    """The file that a row's audio is in, after it was copied, linked or written where that was asked for.

    Args:
        row: A row with audio.
        source: The corpus.
        folder: Folder of the manifest.
        mode: What becomes of files; bytes are always written.

    Raises:
        RunError: if the disk is full or the folder cannot be written.
        DataError: if a link cannot be made.
    """
    if isinstance(row.audio, AudioBytes):
        target = folder / FOLDER / f"{row.utterance_id}{row.audio.suffix}"
        if not _holds(target, row.audio.content):
            write_atomically(target, row.audio.content)
        return target
    assert row.audio is not None
    file = absolute(row.audio)
    if mode == "refer":
        return file
    target = folder / FOLDER / _below(file, source)
    if mode == "copy":
        if not _is_copy(target, file):
            write_atomically(target, file.read_bytes())
            shutil.copystat(file, target)
        return target
    _link(target, file)
    return target


def written_path(file: Path, folder: Path) -> str:
    """`wav_path` as the manifest in `folder` writes it: relative, with `/`."""
    return Path(os.path.relpath(absolute(file), absolute(folder))).as_posix()


def _below(file: Path, source: Path) -> Path:
    """The path of a file below the corpus, or its name alone where it lies elsewhere."""
    root = absolute(source if source.is_dir() else source.parent)
    relative = Path(os.path.relpath(file, root))
    return Path(file.name) if relative.parts[0] == _OUTSIDE else relative


def _holds(target: Path, content: bytes) -> bool:
    return target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content


def _is_copy(target: Path, file: Path) -> bool:
    if not target.is_file() or target.is_symlink():
        return False
    found, wanted = target.stat(), file.stat()
    return (found.st_size, found.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns)


def _link(target: Path, file: Path) -> None:
    if target.is_symlink() and target.readlink() == file:
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        temporary.symlink_to(file)
        temporary.replace(target)
    except OSError as error:
        raise DataError(
            f"{target}: no link to `{file}` can be made: {error.strerror or error}. Copy the audio instead."
        ) from None
