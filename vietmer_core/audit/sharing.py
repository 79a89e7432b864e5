"""What two splits share by their manifests: ids, speakers, recordings and sources. Torch-free."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, AuditRows
from vietmer_core.audit.finding import MAX_EXAMPLES, Example, Finding
from vietmer_core.audit.names import LEVELS, MIN_CUT_SHARE, RULES
from vietmer_core.audit.phrases import counted, share, stand

_NO_CORPUS: Final = "a row without `corpus` may be of any"
_BUT_FOR: Final = f"are equal but for case and spaces; {_NO_CORPUS}"
_GIVEN: Final = (
    ("shared-utterance", "utterance_id", "an utterance id", f"`corpus` and `utterance_id` are equal; {_NO_CORPUS}"),
    (
        "shared-speaker",
        "speaker",
        "a speaker",
        f"`corpus` and `speaker_id` {_BUT_FOR}; null and names that say unknown are left out",
    ),
    ("shared-recording", "recording_id", "a recording", f"`corpus` and `recording_id` {_BUT_FOR}"),
    ("shared-recording", "call_id", "a call", f"`corpus` and `call_id` {_BUT_FOR}"),
    ("shared-recording", "path", "an audio file", "the file that `wav_path` leads to, links followed"),
)


def shared_between(
    rows: AuditRows, key: str, pair: tuple[str, str], *, among: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """The rows of the later split whose digest stands in the earlier one, too; only rows of `among (rows,)`."""
    keys = rows.keys[key] if among is None else np.where(among, rows.keys[key], ABSENT)
    before, after = (rows.of_split(name) for name in pair)
    known = np.unique(keys[before & (keys != ABSENT)])
    return np.flatnonzero(after & (keys != ABSENT) & np.isin(keys, known))


def given(rows: AuditRows, *, false_speakers: bool) -> Iterator[Finding]:
    """What the fields of the manifests say is in two splits.

    Args:
        rows: The rows.
        false_speakers: Whether `speaker_id` names the clip, so that only rows of which it does not are compared.
    """
    for pair in rows.pairs_of_splits():
        for code, key, noun, rule in _GIVEN:
            among = ~rows.flags["false_speaker"] if key == "speaker" and false_speakers else None
            found = shared_between(rows, key, pair, among=among)
            if len(found):
                total = int(rows.of_split(pair[1]).sum())
                names = len(np.unique(rows.keys[key][found]))
                sentence = (
                    f"{share(len(found), total)} rows of {pair[1]} {stand(len(found), one='has', many='have')} {noun} "
                    f"that stands in {pair[0]}, too ({counted(names, noun.split(' ', 1)[1])})."
                )
                yield _finding(rows, code, key, pair, found, sentence=sentence, rule=rule)


def inferred(rows: AuditRows) -> Iterator[Finding]:
    """What the names of the clips say of their sources, at every level."""
    cut, total_rows = int(rows.flags["cut"].sum()), len(rows)
    why = (
        f"names are read, since {share(cut, total_rows)} carry the mark of a cut: a time span, or a word such as `seg` "
        f"with a number (at least {MIN_CUT_SHARE:.0%})"
    )
    for pair in rows.pairs_of_splits():
        for level in LEVELS:
            found = shared_between(rows, level, pair)
            if not len(found):
                continue
            total = int(rows.of_split(pair[1]).sum())
            names = len(np.unique(rows.keys[level][found]))
            verb = stand(len(found), one="shares its", many="share their")
            sentence = (
                f"{share(len(found), total)} rows of {pair[1]} {verb} source with {pair[0]} at the level `{level}` "
                f"({counted(names, 'source')}), inferred from the names: {RULES[level]}."
            )
            code = "shared-show" if level == "show" else "shared-source"
            yield _finding(rows, code, level, pair, found, sentence=sentence, rule=why)


def _finding(
    rows: AuditRows,
    code: str,
    key: str,
    pair: tuple[str, str],
    found: NDArray[np.int64],
    *,
    sentence: str,
    rule: str,
) -> Finding:
    """A finding with an example from each split for each of the first values."""
    keys = rows.keys[key]
    _, firsts = np.unique(keys[found], return_index=True)
    examples: list[tuple[Example, ...]] = []
    for row in found[np.sort(firsts)][:MAX_EXAMPLES].tolist():
        twin = int(np.flatnonzero(rows.of_split(pair[0]) & (keys == keys[row]))[0])
        examples.append((rows.example(twin), rows.example(row)))
    return Finding(
        code=code,
        sentence=sentence,
        splits=pair,
        count=len(found),
        total=int(rows.of_split(pair[1]).sum()),
        examples=tuple(examples),
        rule=rule,
    )
