"""VNEMOS: `<Emotion>/<clip>.wav`, the label in the folder's name. Torch-free.

Nguyen et al., VNEMOS: Vietnamese speech emotion inference using deep neural networks, ICDV 2024; 250 clips of films and
shows, five emotions. The layout is that which the public preparation of it reads (taptanhcoder/MER,
`scripts/tranfer_data.ipynb`: every `data/VNEMOS/**/*.wav`, label from the first folder, lower-case). The corpus has no
transcripts; those that exist come from speech recognition. A text file beside a clip is read, and so are JSONL files of
`utterance_id` or `source_wav_path` with `transcript`, as that preparation writes them (spaces of a name become `_`).

The name of a clip tells its source and its span there: `angry_vndc1-00.20.10.506-00.20.16.834-seg6`. What stands before
the span, without `Copy of` and `AnyConv.com__`, is the recording; it is inferred. Nothing tells the speaker.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.files import AUDIO_SUFFIXES, files_below, require_folder
from vietmer_corpora.texts import read_text

EMOTIONS: Final = frozenset({"angry", "fear", "happiness", "happy", "neutral", "sad", "sadness"})
_SPAN: Final = re.compile(r"-\d\d\.\d\d\.\d\d[.,]\d{1,3}-")
_COPIES: Final = re.compile(r"^(?:copy[ _]of[ _]|anyconv\.com__)+", re.IGNORECASE)


@final
@attrs.frozen(kw_only=True)
class VnemosImporter:
    """`importer: vnemos`."""

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each clip.

        Raises:
            DataError: where no clip is found, or a file of transcripts cannot be read.
        """
        require_folder(source, "the one that holds a folder for each emotion")
        files = list(files_below(source, AUDIO_SUFFIXES))
        if not files:
            raise DataError(f"`{source}` holds no audio file. It must hold a folder for each emotion.")
        transcripts = _transcripts(source)
        for file in files:
            folder = file.relative_to(source).parts[0].strip().lower()
            if file.parent == source or folder not in EMOTIONS:
                remedy = f"A clip stands in the folder of its emotion: {', '.join(sorted(EMOTIONS))}."
                log.fault(file, 0, "the clip stands in no folder that names an emotion.", remedy=remedy)
                continue
            transcript = _transcript(file, transcripts)
            if transcript is None:
                log.note("rows have no transcript")
            yield ImportedRow(
                utterance_id=f"vnemos_{_key(file.stem)}",
                speaker_id=None,
                audio=file,
                transcript=transcript,
                label=folder,
                corpus="vnemos",
                place=str(file),
                metadata={"recording_id": f"vnemos_{recording_of(file.stem)}", "recording_id_inferred": True},
            )


def recording_of(stem: str) -> str:
    """The source of a clip, from its name: what stands before the first time, without marks of copies."""
    return _key(_COPIES.sub("", _SPAN.split(stem, maxsplit=1)[0]))


def _key(stem: str) -> str:
    return re.sub(r"\s+", "_", stem)


def _transcript(file: Path, transcripts: dict[str, str]) -> str | None:
    beside = file.with_suffix(".txt")
    if beside.is_file():
        return " ".join(read_text(beside).split()) or None
    return transcripts.get(_key(file.stem))


def _transcripts(source: Path) -> dict[str, str]:
    """The transcripts of every JSONL file, by the name of the clip."""
    found: dict[str, str] = {}
    for path in files_below(source, frozenset({".jsonl"})):
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            if line.strip():
                row = _row_of(path, number, line)
                name = str(row.get("source_wav_path") or row.get("wav_path") or row.get("utterance_id") or "")
                if row.get("transcript"):
                    found[_key(Path(name).stem if name.lower().endswith(".wav") else name)] = str(row["transcript"])
    return found


def _row_of(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}.") from None
    if not isinstance(row, dict):
        raise DataError(f"{path}:{number}: must hold a JSON object.")
    return row
