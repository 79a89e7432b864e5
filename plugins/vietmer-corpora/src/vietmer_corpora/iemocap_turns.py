"""The evaluations and transcriptions of one IEMOCAP dialogue. Torch-free.

An evaluation file holds blocks such as

    [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
    C-E2:	Neutral;	()
    C-F1:	Neutral; Frustration;	(a remark)
    A-E3:	val 3; act 2; dom  2;	()

`C-E…` are the evaluators, `C-F1` and `C-M1` the actors' own opinion, which the label does not count and the soft label
neither. A transcription holds `Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.`
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from vietmer_core.data.importing import ImportLog
from vietmer_corpora.texts import read_text

CATEGORIES: Final[Mapping[str, str]] = {
    "anger": "angry",
    "happiness": "happy",
    "sadness": "sad",
    "neutral": "neutral",
    "neutral state": "neutral",
    "frustration": "frustrated",
    "excited": "excited",
    "fear": "fearful",
    "surprise": "surprised",
    "disgust": "disgusted",
    "other": "other",
}
"""What a rater ticks → the word of the README."""

_NUMBER: Final = r"-?\d+(?:\.\d+)?"
_TURN: Final = re.compile(
    rf"\[(?P<start>{_NUMBER}) - (?P<end>{_NUMBER})\]\t(?P<name>\S+)\t(?P<code>\S+)\t"
    rf"\[(?P<valence>{_NUMBER}), (?P<activation>{_NUMBER}), (?P<dominance>{_NUMBER})\]"
)
_VOTE: Final = re.compile(r"C-E\d+:\t(?P<categories>[^(]*)")
_WORDS: Final = re.compile(rf"(?P<name>\S+) \[{_NUMBER}-{_NUMBER}\]:(?P<words>.*)")


@attrs.frozen(kw_only=True)
class Turn:
    """One rated turn.

    Attributes:
        path: The evaluation file.
        line: Its line there.
        name: Such as `Ses01F_impro01_F000`.
        code: The label, three letters.
        start: s from the start of the dialogue.
        end: s, likewise.
        valence: Mean of the raters, 1 to 5.
        activation: Likewise.
        dominance: Likewise.
        votes: What each evaluator ticked, as labels.
    """

    path: Path
    line: int
    name: str
    code: str
    start: float
    end: float
    valence: float
    activation: float
    dominance: float
    votes: tuple[tuple[str, ...], ...]

    def shares(self) -> dict[str, float] | None:
        """Label → its share of all ticks; None where nobody ticked. The corpus's label has the most ticks."""
        ticks = Counter(label for vote in self.votes for label in vote)
        total = ticks.total()
        return {label: count / total for label, count in sorted(ticks.items())} if total else None


def read_turns(path: Path, log: ImportLog) -> Iterator[Turn]:
    """The turns of an evaluation file, in the order of the dialogue.

    Raises:
        DataError: where the file is not text.
    """
    lines = read_text(path, or_cp1252=True).splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("[")]
    found = []
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        match = _TURN.match(lines[start])
        if match is None:
            remedy = "A turn is `[6.2901 - 8.2357]`, its name, its label and `[2.5, 2.5, 2.5]`, apart by tabs."
            log.fault(path, start + 1, "the line is no rated turn.", remedy=remedy)
            continue
        votes = tuple(_votes(path, start, lines[start:stop], log))
        found.append(_turn(path, start + 1, match, votes))
    yield from sorted(found, key=lambda turn: (turn.start, turn.name))


def _turn(path: Path, line: int, match: re.Match[str], votes: tuple[tuple[str, ...], ...]) -> Turn:
    return Turn(
        path=path,
        line=line,
        name=match["name"],
        code=match["code"],
        start=float(match["start"]),
        end=float(match["end"]),
        valence=float(match["valence"]),
        activation=float(match["activation"]),
        dominance=float(match["dominance"]),
        votes=votes,
    )


def _votes(path: Path, start: int, lines: list[str], log: ImportLog) -> Iterator[tuple[str, ...]]:
    for offset, line in enumerate(lines):
        match = _VOTE.match(line)
        if match is None:
            continue
        ticked = [word.strip().lower() for word in match["categories"].split(";") if word.strip()]
        unknown = [word for word in ticked if word not in CATEGORIES]
        if unknown:
            log.fault(path, start + offset + 1, f"`{unknown[0]}` is no category of IEMOCAP.")
        else:
            yield tuple(dict.fromkeys(CATEGORIES[word] for word in ticked))


def read_transcripts(path: Path, log: ImportLog) -> dict[str, str]:
    """Turn → what is said in it; empty where the dialogue has no transcription.

    Lines of another form stand in some files, such as a breath without a turn; they are counted.
    """
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for line in read_text(path, or_cp1252=True).splitlines():
        match = _WORDS.match(line)
        if match is not None and match["words"].strip():
            found[match["name"]] = match["words"].strip()
        elif line.strip():
            log.note("lines of transcriptions name no turn with its times")
    return found
