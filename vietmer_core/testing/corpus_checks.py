"""Checks of corpora: the manifest opens and every row can be used."""

import json
from pathlib import Path
from typing import Any

import soundfile

from vietmer_core.data.utterance import REQUIRED_FIELDS
from vietmer_core.testing.candidates import Candidate
from vietmer_core.testing.failures import ConformanceError


def _fail(check: str, candidate: Candidate, message: str) -> ConformanceError:
    return ConformanceError(f"check `{check}`, component `{candidate.name}`: {message}")


def _manifest(check: str, candidate: Candidate) -> tuple[Path, list[dict[str, Any]]]:
    path = candidate.component.build(candidate.params)
    if not isinstance(path, Path) or not path.is_file():
        raise _fail(check, candidate, f"`build` must return the path of a manifest, but returns {path!r} instead.")
    return path, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def corpus_manifest(candidate: Candidate) -> None:
    """The manifest is JSONL, has rows, every row has the required fields and an id of its own."""
    path, rows = _manifest("corpus_manifest", candidate)
    if not rows:
        raise _fail("corpus_manifest", candidate, f"{path.name} has no row.")
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        lacking = [field for field in REQUIRED_FIELDS if field not in row]
        if lacking:
            raise _fail("corpus_manifest", candidate, f"{path.name}:{number} lacks {', '.join(lacking)}.")
        if row["utterance_id"] in seen:
            raise _fail("corpus_manifest", candidate, f"{path.name}:{number} repeats id {row['utterance_id']!r}.")
        seen.add(row["utterance_id"])


def corpus_audio(candidate: Candidate) -> None:
    """Every recording opens and holds the segment that its row names; a row has audio or a transcript."""
    path, rows = _manifest("corpus_audio", candidate)
    seconds: dict[str, float] = {}
    for number, row in enumerate(rows, start=1):
        place, wav_path = f"{path.name}:{number}", row["wav_path"]
        if wav_path is None:
            if not (row["transcript"] or "").strip():
                raise _fail("corpus_audio", candidate, f"{place} has neither audio nor a transcript.")
            continue
        if wav_path not in seconds:
            recording = path.parent / wav_path
            if not recording.is_file():
                raise _fail("corpus_audio", candidate, f"{place}: {wav_path} is not a file beside the manifest.")
            seconds[wav_path] = soundfile.info(recording).duration
        start, end = row["start"] or 0.0, seconds[wav_path] if row["end"] is None else row["end"]
        if not 0 <= start < end <= seconds[wav_path] + 1e-3:
            found = f"{start} s to {end} s of {seconds[wav_path]:.3f} s"
            raise _fail("corpus_audio", candidate, f"{place} must name a segment of {wav_path}, but names {found}.")


def corpus_licence(candidate: Candidate) -> None:
    """The licence of the data is stated."""
    if not candidate.component.data_licence:
        raise _fail("corpus_licence", candidate, "`Component.data_licence` must name the licence of the data.")
