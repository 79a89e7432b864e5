"""Reading every row of every split once, into `AuditRows`. Torch-free."""

import os
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, AuditRows, digest
from vietmer_core.audit.names import LEVELS, MIN_CUT_SHARE, folded, source_of
from vietmer_core.audit.wording import NUM_HASHES, normalised, signature
from vietmer_core.data.manifest import Manifest
from vietmer_core.data.names import name_key
from vietmer_core.data.utterance import Utterance

MAX_VALUES: Final = 50
"""Distinct values of a metadata field beyond which it is taken for an id or a measure, and left out."""

_KEYS: Final = ("utterance_id", "speaker", "recording_id", "call_id", "path", "transcript", *LEVELS)
_FLAGS: Final = ("cut", "false_speaker", "named_unknown")
_NOT_METADATA: Final = frozenset({"recording_id", "call_id", "turn_index", "licence", "split_protocol"})
_UNKNOWN: Final = frozenset({"unknown", "unk", "none", "null", "nan", "anonymous"})
_UNKNOWN_NAMES: Final = frozenset({"", "n a", "không rõ", "khong ro"})
_NOT_AVAILABLE: Final = frozenset({"NA", "N/A", "n/a"})
"""As tables write what is missing; `Na` and `na` are a name."""
_WITHIN_CORPUS: Final = ("utterance_id", "speaker", "recording_id", "call_id")
"""Keys that mean something within one corpus only."""


def says_unknown(speaker_id: str) -> bool:
    """Whether a speaker's name says that the speaker is not known, such as `visec_unknown`, or is blank."""
    name = folded(speaker_id)
    return speaker_id.strip() in _NOT_AVAILABLE or name in _UNKNOWN_NAMES or name.split(" ")[-1] in _UNKNOWN


def scan(manifests: Mapping[str, Manifest]) -> AuditRows:
    """Read every row once.

    Args:
        manifests: Open splits by name.

    Raises:
        DataError: where a file has changed since it was opened.
    """
    label_names = tuple(sorted({name for manifest in manifests.values() for name in manifest.label_names}))
    reader = _Reader(labels=frozenset(folded(name) for name in label_names))
    for manifest in manifests.values():
        for utterance in manifest:
            reader.add(utterance)
    return reader.rows(manifests, label_names)


class _Reader:
    """Growing columns of all splits, one row after another."""

    def __init__(self, *, labels: frozenset[str]) -> None:
        self._labels = labels
        self._ids: list[str] = []
        self._keys = {name: array("q") for name in _KEYS}
        self._bare = {name: array("q") for name in _WITHIN_CORPUS}
        self._has_corpus = array("b")
        self._flags = {name: array("b") for name in _FLAGS}
        self._signatures = array("I")
        self._metadata = _Metadata()
        self._path_digest = lru_cache(2**16)(lambda path: digest(os.path.realpath(path)))

    def add(self, utterance: Utterance) -> None:
        metadata, text = utterance.metadata, normalised(utterance.transcript)
        source = source_of(self._name(utterance), labels=self._labels)
        given, call = _text(metadata.get("recording_id")), _text(metadata.get("call_id"))
        speaker = utterance.speaker_id
        unknown = speaker is not None and says_unknown(speaker)
        self._ids.append(utterance.utterance_id)
        corpus = name_key(str(metadata.get("corpus") or ""))
        names = (utterance.utterance_id, None if unknown else _key(speaker), _key(given), _key(call))
        for key, name in zip(_WITHIN_CORPUS, names, strict=True):
            self._bare[key].append(digest(name))
        self._has_corpus.append(bool(corpus))
        keys: dict[str, int] = {
            **{
                key: digest(None if name is None else f"{corpus}\0{name}")
                for key, name in zip(_WITHIN_CORPUS, names, strict=True)
            },
            "path": ABSENT if utterance.wav_path is None else self._path_digest(utterance.wav_path),
            "transcript": digest(text or None),
            **{level: digest(None if given else name) for level, name in zip(LEVELS, source.names, strict=True)},
        }
        for name, value in keys.items():
            self._keys[name].append(value)
        self._flags["cut"].append(source.is_cut)
        self._flags["false_speaker"].append(speaker is not None and not unknown and _is_name(speaker, utterance))
        self._flags["named_unknown"].append(unknown)
        self._signatures.extend(signature(text).tolist())
        self._metadata.add(metadata)

    def _name(self, utterance: Utterance) -> str:
        """The id, or the name of the file where only that carries the mark of a cut."""
        if utterance.wav_path is None or source_of(utterance.utterance_id).is_cut:
            return utterance.utterance_id
        return utterance.wav_path if source_of(utterance.wav_path).is_cut else utterance.utterance_id

    def rows(self, manifests: Mapping[str, Manifest], label_names: tuple[str, ...]) -> AuditRows:
        opened = tuple(manifests.values())
        sizes = [len(manifest) for manifest in opened]
        split = np.repeat(np.arange(len(opened), dtype=np.int8), sizes)  # (rows,)
        position = np.concatenate([np.arange(size, dtype=np.int64) for size in sizes])
        ids = self._ids
        order = np.array(sorted(range(len(ids)), key=lambda row: (split[row], ids[row])), dtype=np.int64)
        keys = {name: np.array(values, dtype=np.int64)[order] for name, values in self._keys.items()}
        has_corpus = np.array(self._has_corpus, dtype=np.bool_)[order]
        for name, values in self._bare.items():
            keys[name] = _adopted(keys[name], np.array(values, dtype=np.int64)[order], has_corpus=has_corpus)
        flags = {name: np.array(values, dtype=np.bool_)[order] for name, values in self._flags.items()}
        if flags["cut"].mean() < MIN_CUT_SHARE:
            keys.update({level: np.full(len(ids), ABSENT, dtype=np.int64) for level in LEVELS})
        labels = np.concatenate([_labels(manifest, label_names) for manifest in opened])
        return AuditRows(
            names=tuple(manifests),
            manifests=opened,
            split=split[order],
            position=position[order],
            label=labels[order],
            label_names=label_names,
            keys=keys,
            seconds=np.concatenate([manifest.sizes.audio_seconds for manifest in opened])[order],
            words=np.concatenate([manifest.sizes.text_words for manifest in opened])[order],
            signatures=np.array(self._signatures, dtype=np.uint32).reshape(-1, NUM_HASHES)[order],
            metadata={name: column[order] for name, column in self._metadata.columns(len(ids)).items()},
            flags=flags,
        )


class _Metadata:
    """Codes of the values of each field, while they are few."""

    def __init__(self) -> None:
        self._num_rows = 0
        self._codes: dict[str, dict[str, int]] = {}
        self._columns: dict[str, array[int]] = {}
        self._dropped: set[str] = set()

    def add(self, metadata: Mapping[str, Any]) -> None:
        for name, value in metadata.items():
            if name in self._dropped or name in _NOT_METADATA or type(value) not in {str, int, bool}:
                continue
            column = self._columns.setdefault(name, array("i"))
            codes = self._codes.setdefault(name, {})
            code = codes.setdefault(str(value), len(codes))
            if len(codes) > MAX_VALUES:
                self._dropped.add(name)
                del self._columns[name], self._codes[name]
                continue
            column.extend([-1] * (self._num_rows - len(column)))
            column.append(code)
        self._num_rows += 1

    def columns(self, num_rows: int) -> dict[str, NDArray[np.int32]]:
        """A column `(rows,)` for each field, its codes in the order of the values."""
        found = {}
        for name in sorted(self._columns):
            column = np.full(num_rows, -1, dtype=np.int32)
            column[: len(self._columns[name])] = self._columns[name]
            values = sorted(self._codes[name], key=self._codes[name].__getitem__)
            rank = np.array([*np.argsort(np.argsort(values)), -1], dtype=np.int32)
            found[name] = rank[column]
        return found


def _text(value: object) -> str | None:
    """A name; a number is one, and a whole number with a point, as tables with gaps write it, is that number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if type(value) in {str, int, float} and str(value).strip() else None


def _key(name: str | None) -> str | None:
    return None if name is None else name_key(name)


def _adopted(keys: NDArray[np.int64], bare: NDArray[np.int64], *, has_corpus: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The keys `(rows,)`, where a row that names no corpus takes that of the first row of its name that names one.

    Args:
        keys: Digests of corpus and name.
        bare: Digests of the name alone.
        has_corpus: Whether the row names its corpus.
    """
    known = bare != ABSENT
    (alone,), (named,) = np.nonzero(known & ~has_corpus), np.nonzero(known & has_corpus)
    if not len(alone) or not len(named):
        return keys
    names, firsts = np.unique(bare[named], return_index=True)
    place = np.minimum(np.searchsorted(names, bare[alone]), len(names) - 1)
    met = names[place] == bare[alone]
    adopted = keys.copy()
    adopted[alone[met]] = keys[named[firsts[place[met]]]]
    return adopted


def _is_name(speaker: str, utterance: Utterance) -> bool:
    """Whether a speaker's name is the id or the file name of the row."""
    name = folded(speaker)
    return name == folded(utterance.utterance_id) or (
        utterance.wav_path is not None and name == folded(utterance.wav_path)
    )


def _labels(manifest: Manifest, names: Sequence[str]) -> NDArray[np.int32]:
    codes = {name: code for code, name in enumerate(names)}
    recode = np.array([*(codes[name] for name in manifest.label_names), -1], dtype=np.int32)
    found: NDArray[np.int32] = recode[manifest.sizes.labels]
    return found
