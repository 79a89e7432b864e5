"""IEMOCAP: `Session1/dialog/EmoEvaluation`, `…/transcriptions` and `Session1/sentences/wav`. Torch-free.

Busso et al., IEMOCAP: interactive emotional dyadic motion capture database, Language Resources and Evaluation 42(4),
2008, and the README of the release. A turn is named `Ses01F_impro01_M003`: session, who wears the markers, scene, who
speaks. So the speaker is the session and the letter of the *turn*; S3PRL and nkululeko take `Ses01F`, under which both
speakers of a dialogue stand.

Labels are the README's words; merging happy with excited, or leaving classes out, is a label map's doing (`iemocap4`).
A turn on which the raters did not agree (`xxx`) has no label and is left out, unless `disagreed` keeps it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.files import is_hidden, require_folder
from vietmer_corpora.iemocap_turns import Turn, read_transcripts, read_turns

EMOTIONS: Final[Mapping[str, str]] = {
    "ang": "angry",
    "hap": "happy",
    "sad": "sad",
    "neu": "neutral",
    "fru": "frustrated",
    "exc": "excited",
    "fea": "fearful",
    "sur": "surprised",
    "dis": "disgusted",
    "oth": "other",
}
DISAGREED: Final = "xxx"
_TURN_NAME: Final = re.compile(r"(?P<dialog>Ses(?P<session>0[1-5])[FM]_(?P<kind>impro|script)\w*)_(?P<speaker>[FM])\w+")


@final
@attrs.frozen(kw_only=True)
class IemocapImporter:
    """`importer: iemocap`.

    Attributes:
        disagreed: Whether turns on which the raters did not agree are kept, with their soft label and no label.
    """

    disagreed: bool = False

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each rated turn.

        Raises:
            DataError: where no session with its evaluations is found.
        """
        require_folder(source, "that of the sessions `Session1` … `Session5`")
        sessions = sorted([*source.glob("Session[1-5]"), *source.glob("*/Session[1-5]")])
        files = [
            file
            for session in sessions
            for file in sorted((session / "dialog" / "EmoEvaluation").glob("*.txt"))
            if not is_hidden(file)
        ]
        if not files:
            raise DataError(
                f"`{source}` holds no `Session1/dialog/EmoEvaluation/*.txt`. Name the folder of the release."
            )
        for file in files:
            session = file.parents[2]
            transcripts = read_transcripts(session / "dialog" / "transcriptions" / file.name, log)
            for index, turn in enumerate(read_turns(file, log)):
                row = self._row(session, turn, index, transcripts.get(turn.name), log)
                if row is not None:
                    yield row

    def _row(self, session: Path, turn: Turn, index: int, transcript: str | None, log: ImportLog) -> ImportedRow | None:
        match = _TURN_NAME.fullmatch(turn.name)
        if match is None or turn.code not in {*EMOTIONS, DISAGREED}:
            what = "name of a turn" if match is None else "label"
            found = turn.name if match is None else turn.code
            log.fault(turn.path, turn.line, f"`{found}` is no {what} of IEMOCAP.")
            return None
        if turn.code == DISAGREED and not self.disagreed:
            log.skip("turns on which the raters did not agree (keep them with `--set disagreed=true`)")
            return None
        label = EMOTIONS.get(turn.code)
        soft = turn.shares()
        if soft is not None and label is not None and soft.get(label, 0.0) < max(soft.values()) - 1e-9:
            log.note("rows have no soft label, since their label is not what most raters chose")
            soft = None
        if transcript is None:
            log.note("rows have no transcript")
        return ImportedRow(
            utterance_id=f"iemocap_{turn.name}",
            speaker_id=f"iemocap_{match['session']}{match['speaker']}",
            audio=session / "sentences" / "wav" / match["dialog"] / f"{turn.name}.wav",
            transcript=transcript,
            label=label,
            soft_label=soft,
            corpus="iemocap",
            place=f"{turn.path}:{turn.line}",
            metadata=_metadata(match, turn, index),
        )


def _metadata(match: re.Match[str], turn: Turn, index: int) -> dict[str, Any]:
    return {
        "recording_id": f"iemocap_{match['dialog']}",
        "gender": "female" if match["speaker"] == "F" else "male",
        "call_id": f"iemocap_{match['dialog']}",
        "turn_index": index,
        "session": int(match["session"]),
        "scenario": "improvised" if match["kind"] == "impro" else "scripted",
        "dialog_start": turn.start,
        "dialog_end": turn.end,
        "valence": turn.valence,
        "activation": turn.activation,
        "dominance": turn.dominance,
        "num_raters": len(turn.votes),
    }
