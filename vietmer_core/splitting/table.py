"""`RowTable`: what a split must know of every row, in columns, whatever the order of the rows was. Torch-free."""

import json
import os
import re
from array import array
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.manifest import Manifest
from vietmer_core.data.names import name_key
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError
from vietmer_core.files import file_sha256
from vietmer_core.splitting.settings import CONTENT, SPEAKER, TRANSCRIPT, SplitSettings
from vietmer_core.text.normalise import normalise

CORPUS: Final = "corpus"
WAV_PATH: Final = "wav_path"
RECORDING_ID: Final = "recording_id"
CALL_ID: Final = "call_id"

_NAMES: Final = frozenset({SPEAKER, RECORDING_ID, CALL_ID, CORPUS})
"""Columns of names, of which case and spaces do not count."""

_NO_WORD: Final = re.compile(r"[\W_]+")


@attrs.frozen(kw_only=True, eq=False)
class Column:
    """One value of every row.

    Attributes:
        codes: `(rows,)` int64 position in `names`, -1 where the row has no value.
        names: Every value, in the order of first appearance.
    """

    codes: NDArray[np.int64]
    names: tuple[str, ...]

    @property
    def num_absent(self) -> int:
        """Rows without a value."""
        return int((self.codes < 0).sum())


@attrs.frozen(kw_only=True, eq=False)
class RowTable:
    """Every row of a corpus in the order of its `utterance_id`, so that the order of the manifest counts nowhere.

    Attributes:
        positions: `(rows,)` int64 position in the manifest.
        labels: The label; its names are sorted.
        speakers: The speaker; the ids that mean unknown count as absent.
        columns: What rows may share, by name: criteria, metadata fields and patterns as written.
        fields: Every metadata field that a row has, for messages.
    """

    positions: NDArray[np.int64]
    labels: Column
    speakers: Column
    columns: Mapping[str, Column]
    fields: frozenset[str]

    def __len__(self) -> int:
        return len(self.positions)


class _Coder:
    """Values as codes while they come; no value is kept twice.

    Args:
        key: Values of one key are one value, under the spelling that sorts first; None keeps every value apart.
    """

    def __init__(self, key: Callable[[str], str] | None = None) -> None:
        self._key: Final = key
        self._codes: Final[dict[str, int]] = {}
        self._names: Final[list[str]] = []
        self._column: Final = array("q")

    def add(self, value: str | None) -> None:
        if value is None:
            self._column.append(-1)
            return
        code = self._codes.setdefault(value if self._key is None else self._key(value), len(self._codes))
        if code == len(self._names):
            self._names.append(value)
        self._names[code] = min(self._names[code], value)
        self._column.append(code)

    def finish(self, order: NDArray[np.int64]) -> Column:
        """The column in another order of rows, its names in the order of first appearance there."""
        codes = np.array(self._column, dtype=np.int64)[order]  # (rows,)
        known = codes >= 0
        found, first = np.unique(codes[known], return_index=True)
        by_appearance = found[np.argsort(first)]
        recode = np.full(len(self._codes) + 1, -1, dtype=np.int64)  # its last entry is that of -1
        recode[by_appearance] = np.arange(len(by_appearance))
        return Column(codes=recode[codes], names=tuple(self._names[code] for code in by_appearance.tolist()))


def transcript_key(transcript: str | None) -> str | None:
    """What two transcripts of the same words share: normalised, without case, punctuation and symbols.

    A transcript without a letter or digit, such as one of emoji alone, stands for itself; a blank one shares nothing.
    """
    text = normalise(transcript or "")
    return _NO_WORD.sub(" ", text.casefold()).strip() or text or None


def _content_key(wav_path: str | None) -> str | None:
    if wav_path is None:
        return None
    try:
        return file_sha256(Path(wav_path))
    except OSError as error:
        raise DataError(f"audio file `{wav_path}` cannot be read: {error.strerror}. Check `wav_path`.") from None


def _field_key(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, float) and value.is_integer():  # as tables with gaps write whole numbers
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


class _Reader:
    """Takes the columns that the settings need from one row after another."""

    def __init__(self, settings: SplitSettings) -> None:
        self._settings: Final = settings
        wanted = [name for name in (TRANSCRIPT, CONTENT) if name in settings.disjoint]
        names = (SPEAKER, RECORDING_ID, CALL_ID, WAV_PATH, CORPUS, *settings.fields, *wanted)
        self._coders: Final = {name: _Coder(name_key if name in _NAMES else None) for name in names}
        self._unknown: Final = frozenset(map(name_key, settings.unknown_ids)) | {""}
        self._real_path: Final = lru_cache(2**16)(os.path.realpath)
        self._pattern_coders: Final = [(pattern, _Coder()) for pattern in settings.patterns]
        self._ids: Final[list[str]] = []
        self._fields: Final[set[str]] = set()

    def add(self, utterance: Utterance) -> None:
        self._ids.append(utterance.utterance_id)
        self._fields.update(utterance.metadata)
        for name, coder in self._coders.items():
            coder.add(self._value(name, utterance))
        for pattern, coder in self._pattern_coders:
            value = _field_key(_any_field(utterance, pattern.field))
            coder.add(None if value is None else pattern.key(value))

    def _value(self, name: str, utterance: Utterance) -> str | None:
        if name == SPEAKER:
            speaker = utterance.speaker_id
            return None if speaker is None or name_key(speaker) in self._unknown else speaker
        if name == WAV_PATH:
            return None if utterance.wav_path is None else self._real_path(utterance.wav_path)
        if name == TRANSCRIPT:
            return transcript_key(utterance.transcript)
        if name == CONTENT:
            return _content_key(utterance.wav_path)
        return _field_key(utterance.metadata.get(name))

    def finish(self, manifest: Manifest) -> RowTable:
        order = np.array(sorted(range(len(self._ids)), key=self._ids.__getitem__), dtype=np.int64)
        columns = {name: coder.finish(order) for name, coder in self._coders.items()}
        columns |= {str(pattern): coder.finish(order) for pattern, coder in self._pattern_coders}
        labels = manifest.sizes.labels[order].astype(np.int64)
        return RowTable(
            positions=order,
            labels=Column(codes=labels, names=manifest.label_names),
            speakers=columns[SPEAKER],
            columns=columns,
            fields=frozenset(self._fields),
        )


def _any_field(utterance: Utterance, field: str) -> Any:
    named = {"utterance_id": utterance.utterance_id, "speaker_id": utterance.speaker_id, WAV_PATH: utterance.wav_path}
    return named[field] if field in named else utterance.metadata.get(field)


def read_table(manifest: Manifest, settings: SplitSettings) -> RowTable:
    """Read every row once.

    Raises:
        DataError: where the manifest has changed, or a recording whose content counts cannot be read.
    """
    reader = _Reader(settings)
    for utterance in manifest:
        reader.add(utterance)
    return reader.finish(manifest)
