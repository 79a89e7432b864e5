"""MELD: `train_sent_emo.csv`, `dev_sent_emo.csv`, `test_sent_emo.csv`, and a clip for each utterance. Torch-free.

Poria et al., MELD: A multimodal multi-party dataset for emotion recognition in conversations, ACL 2019. The tables have
the columns `Sr No.`, `Utterance`, `Speaker`, `Emotion`, `Sentiment`, `Dialogue_ID`, `Utterance_ID`, `Season`,
`Episode`, `StartTime`, `EndTime` (declare-lab/MELD, `data/MELD`); some copies hold Windows-1252 punctuation read as
Latin-1, which is mended. `MELD.Raw.tar.gz` holds the clips as `dia0_utt0.mp4` in `train_splits`,
`dev_splits_complete` and `output_repeated_splits_test`. Dialogue numbers begin anew in each split. The splits of the
authors share speakers and episodes; the episode is the `recording_id`, so that an audit sees it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

import attrs

from vietmer_core.data.importing import ImportedRow, ImportLog
from vietmer_core.errors import DataError
from vietmer_corpora.files import AUDIO_SUFFIXES, files_below, require_folder
from vietmer_corpora.splits import split_of
from vietmer_corpora.tables import Table, TableRow, read_table
from vietmer_corpora.texts import unmangle

EMOTIONS: Final = frozenset({"anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"})
_TABLES: Final = re.compile(r"(train|dev|test)_sent_emo")
_CLIP: Final = re.compile(r"dia(\d+)_utt(\d+)")
_TIME: Final = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})")
_VIDEO: Final = frozenset({".mp4"})

Clips = Mapping[tuple[str, str], Path]
"""Split and `dia0_utt0` → the file."""


@final
@attrs.frozen(kw_only=True)
class MeldImporter:
    """`importer: meld`.

    Attributes:
        text_only: Whether rows are written without audio.
    """

    text_only: bool = False

    def rows(self, source: Path, /, *, log: ImportLog) -> Iterator[ImportedRow]:
        """One row for each utterance, in the splits of the authors.

        Raises:
            DataError: where no table is found, one lacks a column, or the clips are video alone.
        """
        require_folder(source, "the one that holds `train_sent_emo.csv`")
        tables = [path for path in files_below(source, frozenset({".csv"})) if _TABLES.fullmatch(path.stem)]
        if not tables:
            raise DataError(f"`{source}` holds no `train_sent_emo.csv`, `dev_sent_emo.csv` or `test_sent_emo.csv`.")
        clips = {} if self.text_only else _clips(source)
        for path in tables:
            yield from self._table(source, read_table(path, log=log, or_cp1252=True), clips, log)

    def _table(self, source: Path, table: Table, clips: Clips, log: ImportLog) -> Iterator[ImportedRow]:
        split = split_of(table.path.stem)
        names = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
        columns = {name: table.column(f"the {name.replace('_ID', '').lower()}", [name]) for name in names}
        for row in table.rows:
            values = {name: row.cells[column] for name, column in columns.items()}
            label = values["Emotion"].lower()
            if label not in EMOTIONS:
                message = f"must be one of {', '.join(sorted(EMOTIONS))}, but is `{values['Emotion']}`."
                log.fault(row.path, row.line, message, field=columns["Emotion"])
                continue
            if not (values["Dialogue_ID"].isdecimal() and values["Utterance_ID"].isdecimal()):
                log.fault(row.path, row.line, "`Dialogue_ID` and `Utterance_ID` must be whole numbers.")
                continue
            clip = f"dia{values['Dialogue_ID']}_utt{values['Utterance_ID']}"
            speaker = unmangle(values["Speaker"])
            yield ImportedRow(
                utterance_id=f"meld_{split}_{clip}",
                speaker_id=f"meld_{speaker}" if speaker else None,
                audio=None if self.text_only else clips.get((split, clip), source / split / f"{clip}.wav"),
                transcript=unmangle(values["Utterance"]) or None,
                label=label,
                corpus="meld",
                place=row.place,
                split=split,
                metadata=_metadata(row, values, split),
            )


def _clips(source: Path) -> Clips:
    """The clips of every split.

    Raises:
        DataError: where there is none that can be read.
    """
    found = {}
    for path in files_below(source, AUDIO_SUFFIXES):
        split = next((name for part in path.relative_to(source).parts[:-1] if (name := split_of(part))), "")
        if _CLIP.fullmatch(path.stem) and split:
            found[split, path.stem] = path
    if found:
        return found
    video = next(files_below(source, _VIDEO), None)
    alone = "Or import the text alone with `--set text_only=true`."
    if video is not None:
        make = '`for clip in */*.mp4; do ffmpeg -i "$clip" -vn -ac 1 -ar 16000 "${clip%.mp4}.wav"; done`'
        raise DataError(
            f"the clips, such as `{video}`, are video, which is not read. Make sound of them: {make}. {alone}"
        )
    where = "`train_splits/dia0_utt0.wav`"
    raise DataError(f"`{source}` holds no clip, such as {where}. Put the clips there. {alone}")


def _metadata(row: TableRow, values: Mapping[str, str], split: str) -> dict[str, Any]:
    cells = {name.casefold(): text for name, text in row.cells.items()}
    season, episode = cells.get("season", ""), cells.get("episode", "")
    known = (
        {"recording_id": f"meld_s{int(season):02d}e{int(episode):02d}"}
        if season.isdecimal() and episode.isdecimal()
        else {}
    )
    times = {"episode_start": _seconds(cells.get("starttime", "")), "episode_end": _seconds(cells.get("endtime", ""))}
    return {
        **known,
        "call_id": f"meld_{split}_dia{values['Dialogue_ID']}",
        "turn_index": int(values["Utterance_ID"]),
        "sentiment": values["Sentiment"].lower(),
        **{name: value for name, value in times.items() if value is not None},
    }


def _seconds(text: str) -> float | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds, fraction = match.groups()
    return round(int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}"), 3)
