"""From the rows of an importer to manifests: every row checked, audio found, files written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.data.audio import audio_info
from vietmer_core.data.import_audio import AudioMode, absolute, place_audio, written_path
from vietmer_core.data.import_summary import ImportSummary, summarise_manifest
from vietmer_core.data.importing import ImportedRow, Importer, ImportLog
from vietmer_core.data.labels import RowRules
from vietmer_core.data.rows import find_faults
from vietmer_core.data.utterance import REQUIRED_FIELDS
from vietmer_core.errors import DataError
from vietmer_core.files import check_writable, write_atomically

SPLITS: Final = ("train", "valid", "test")
UNSPLIT: Final = "all"
LABEL_FIELD: Final = "emotion"
SOFT_LABEL_FIELD: Final = "emotion_probs"
MISSING_AUDIO: Final = "rows whose audio file is not there"

_RULES: Final = RowRules(
    label_field=LABEL_FIELD, soft_label_field=SOFT_LABEL_FIELD, label_map={}, labels=None, require_labels=False
)


@attrs.frozen(kw_only=True)
class ImportSettings:
    """How a corpus is imported.

    Attributes:
        licence: Of the data; written into each row.
        audio: What becomes of audio files.
        skip_missing: Whether a row whose audio file is not there is left out and counted; else it is a fault.
        overwrite: Whether manifests that are there already are written anew.
    """

    licence: str
    audio: AudioMode = "refer"
    skip_missing: bool = False
    overwrite: bool = False


def import_corpus(importer: Importer, source: Path, folder: Path, settings: ImportSettings) -> ImportSummary:
    """Write the manifests of a corpus into a folder: one for each split it is published in, or `all.jsonl`.

    No manifest is written where any row is at fault.

    Args:
        importer: Reads the corpus.
        source: The corpus.
        folder: Where the manifests go; `wav_path` is relative to it.
        settings: How.

    Raises:
        DataProblemsError: with every fault, each with its file and line.
        DataError: if the source holds nothing that the importer knows, or a manifest is there already.
        RunError: if the folder cannot be written.
    """
    if not source.exists():
        raise DataError(f"`{source}` does not exist. Name the folder or file of the corpus.")
    _refuse_existing(folder, settings)
    log = ImportLog()
    collector = _Collector(absolute(source), folder, settings, log)
    for row in importer.rows(source, log=log):
        collector.add(row)
    log.raise_any(source)
    if not collector.rows:
        left_out = "; ".join(f"{count} {reason}" for reason, count in log.skipped.items())
        raise DataError(f"`{source}` gives no row{f': left out are {left_out}' if left_out else ''}. Check the path.")
    manifests = []
    for name in (*SPLITS, UNSPLIT):
        if name in collector.rows:
            path = folder / f"{name}.jsonl"
            rows = collector.rows[name]
            content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            write_atomically(path, content.encode())
            manifests.append(summarise_manifest(path, rows, collector.seconds[name]))
    return ImportSummary(
        manifests=manifests, skipped=dict(log.skipped), notes=dict(log.notes), licence=settings.licence
    )


def _refuse_existing(folder: Path, settings: ImportSettings) -> None:
    for name in (*SPLITS, UNSPLIT):
        path = folder / f"{name}.jsonl"
        if path.exists() and not settings.overwrite:
            raise DataError(f"`{path}` is there already. Name another folder, or write it anew with `--overwrite`.")
        check_writable(path)


class _Collector:
    """The rows of each manifest as they will be written, and the faults of those that cannot be."""

    def __init__(self, source: Path, folder: Path, settings: ImportSettings, log: ImportLog) -> None:
        self.rows: Final[dict[str, list[dict[str, Any]]]] = {}
        self.seconds: Final[dict[str, list[float]]] = {}
        self._source = source
        self._folder = folder
        self._settings = settings
        self._log = log
        self._places: Final[dict[str, str]] = {}

    def add(self, row: ImportedRow) -> None:
        """Take a row, unless it is at fault or its audio is missing and may be."""
        if row.utterance_id in self._places:
            place = self._places[row.utterance_id]
            self._fault(row, f"the id `{row.utterance_id}` already stands at {place}.", field="utterance_id")
            return
        self._places[row.utterance_id] = row.place
        if isinstance(row.audio, Path) and not row.audio.is_file():
            if self._settings.skip_missing:
                self._log.skip(MISSING_AUDIO)
            else:
                remedy = "Fetch it, or leave such rows out with `--skip-missing`."
                self._fault(row, f"the audio file `{row.audio}` does not exist.", remedy=remedy)
            return
        fields = self._fields(row, wav_path=None if row.audio is None else "audio")
        faults = find_faults(fields, _RULES)
        for fault in faults:
            self._fault(row, fault.message, remedy=fault.remedy, field=fault.field)
        if not faults:
            self._keep(row)

    def _keep(self, row: ImportedRow) -> None:
        wav_path, seconds = None, 0.0
        if row.audio is not None:
            file = place_audio(row, source=self._source, folder=self._folder, mode=self._settings.audio)
            try:
                duration = audio_info(file).duration
            except DataError as error:
                self._fault(row, str(error))
                return
            wav_path = written_path(file, self._folder)
            seconds = (duration if row.end is None else row.end) - (row.start or 0.0)
        name = row.split or UNSPLIT
        self.rows.setdefault(name, []).append(self._fields(row, wav_path=wav_path))
        self.seconds.setdefault(name, []).append(seconds)

    def _fields(self, row: ImportedRow, *, wav_path: str | None) -> dict[str, Any]:
        metadata: dict[str, Any] = {"corpus": row.corpus, **row.metadata}
        metadata.setdefault("licence", self._settings.licence)
        if row.split:
            metadata.setdefault("split_protocol", f"as published by {row.corpus}")
        soft: Mapping[str, Any] = {} if row.soft_label is None else {SOFT_LABEL_FIELD: dict(row.soft_label)}
        values = (row.utterance_id, row.speaker_id, wav_path, row.start, row.end, row.transcript)
        return {**dict(zip(REQUIRED_FIELDS, values, strict=True)), LABEL_FIELD: row.label, **soft, **metadata}

    def _fault(self, row: ImportedRow, message: str, *, remedy: str = "", field: str = "") -> None:
        self._log.fault(row.place, 0, message, remedy=remedy, field=field)
