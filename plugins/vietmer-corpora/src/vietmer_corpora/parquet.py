"""Parquet files as the hub writes them, audio in a column of `{bytes, path}`. Torch-free; pyarrow is imported late.

That is what `datasets` gives for `cast_column(…, Audio(decode=False))`: the bytes of the file as they were uploaded.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vietmer_core.data.importing import AudioBytes
from vietmer_core.errors import DataError
from vietmer_corpora.files import files_below

_ROWS_AT_ONCE: Final = 64
_SUFFIXES: Final = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"), (b"\xff\xfb", ".mp3"))
"""First bytes of audio files, and the suffix of each."""


def parquet_files(source: Path) -> list[Path]:
    """The parquet files of a source, sorted by path."""
    suffixes = frozenset({".parquet"})
    if source.is_file():
        return [source] if source.suffix.lower() in suffixes else []
    return list(files_below(source, suffixes))


def parquet_rows(file: Path, *, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a parquet file, each with its number from 1; a few are in memory at a time.

    Raises:
        DataError: where the file cannot be read, or lacks a column.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
        lacking = [name for name in needed if name not in table.schema_arrow.names]
        if lacking:
            has = ", ".join(f"`{name}`" for name in table.schema_arrow.names)
            raise DataError(f"{file}: there is no column `{lacking[0]}`; the columns are {has}.")
        number = 0
        for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"`{file}` cannot be read as parquet: {reason}. Fetch it anew.") from None


def audio_of(value: object) -> tuple[str, AudioBytes] | None:
    """Name (empty where there is none) and bytes of an audio cell; None where it holds no bytes."""
    if not isinstance(value, Mapping) or not value.get("bytes"):
        return None
    name, content = str(value.get("path") or ""), bytes(value["bytes"])
    suffix = next((suffix for mark, suffix in _SUFFIXES if content.startswith(mark)), Path(name).suffix.lower())
    return name, AudioBytes(suffix=suffix or ".wav", content=content)
