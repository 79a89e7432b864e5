"""Sentences that are said again: across splits, within a split, in the whole corpus. Torch-free."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, AuditRows, groups_of
from vietmer_core.audit.finding import MAX_EXAMPLES, Finding
from vietmer_core.audit.phrases import counted, share, stand
from vietmer_core.audit.resembling import MIN_WORDS, RULE, near_sentences
from vietmer_core.audit.sharing import shared_between

MIN_ROWS_A_SENTENCE: Final = 10
"""Rows for each distinct sentence, on average, from which a corpus is said to speak few."""
MIN_BOUND_SHARE: Final = 0.5
"""Share of the rows of a sentence that must carry one label for the words to tell it."""

_SAME: Final = "the same words after NFC, without case and punctuation"
_LEAK_RULE: Final = (
    f"{_SAME}; {MIN_WORDS} words or more, at least half of its rows carry one label, and a row of the earlier split "
    "carries the same label, or one of the two has none"
)


def transcript_findings(rows: AuditRows) -> Iterator[Finding]:
    """Every finding on the words."""
    few = _few_sentences(rows)
    if few is not None:
        yield few
    bound = _bound(rows)
    for pair in rows.pairs_of_splits():
        yield from _shared(rows, pair, bound, is_read=few is not None)
    if few is not None:
        return
    near = near_sentences(rows)
    for pair in rows.pairs_of_splits():
        yield from _shared_near(rows, pair, near, bound)
    for name in rows.names:
        yield from _repeated(rows, name)
        yield from _repeated_near(rows, name, near)


def _few_sentences(rows: AuditRows) -> Finding | None:
    spoken = np.flatnonzero(rows.keys["transcript"] != ABSENT)
    sentences, firsts = np.unique(rows.keys["transcript"][spoken], return_index=True)
    if not len(sentences) or len(spoken) < MIN_ROWS_A_SENTENCE * max(2, len(sentences)):
        return None
    return Finding(
        code="few-sentences",
        sentence=(
            f"{counted(len(sentences), 'distinct sentence')} in {counted(len(spoken), 'row')}: the words tell little."
        ),
        splits=rows.names,
        count=len(sentences),
        total=len(spoken),
        examples=tuple((rows.example(row),) for row in np.sort(spoken[firsts])[:MAX_EXAMPLES].tolist()),
        rule=f"{_SAME}; {MIN_ROWS_A_SENTENCE} rows or more for each sentence",
    )


def _bound(rows: AuditRows) -> NDArray[np.bool_]:
    """For each row `(rows,)`, whether its sentence goes with a label: at least half of its labelled rows carry one."""
    labelled = np.flatnonzero((rows.label >= 0) & (rows.keys["transcript"] != ABSENT))
    pairs = np.stack([rows.keys["transcript"][labelled], rows.label[labelled].astype(np.int64)], axis=1)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    sentences, inverse = np.unique(kinds[:, 0], return_inverse=True)
    total, largest = np.bincount(inverse, weights=counts, minlength=len(sentences)), np.zeros(len(sentences))
    np.maximum.at(largest, inverse, counts)
    mixed = sentences[largest < MIN_BOUND_SHARE * total]
    return ~np.isin(rows.keys["transcript"], mixed)


def _shared(rows: AuditRows, pair: tuple[str, str], bound: NDArray[np.bool_], *, is_read: bool) -> Iterator[Finding]:
    keys = rows.keys["transcript"]
    found = shared_between(rows, "transcript", pair)
    if not len(found):
        return
    before = np.flatnonzero(rows.of_split(pair[0]) & np.isin(keys, keys[found]))
    agreeing = {(int(keys[row]), int(rows.label[row])) for row in before}
    unlabelled = {int(keys[row]) for row in before if rows.label[row] < 0}
    unread = np.array([bool(rows.label[row] >= 0) for row in before]).any()
    leaks = np.zeros(len(found), dtype=np.bool_)
    for place, row in enumerate(found.tolist()):
        key, label = int(keys[row]), int(rows.label[row])
        leaks[place] = label < 0 or key in unlabelled or (key, label) in agreeing
    leaks &= (rows.words[found] >= MIN_WORDS) & bound[found] & (unread or not is_read)
    for code, members, rule, why in (
        ("shared-transcript", found[leaks], _LEAK_RULE, "with the same label"),
        ("shared-phrase", found[~leaks], _SAME, "a short or read sentence, or with another label"),
    ):
        if len(members) and not (is_read and code == "shared-phrase"):
            total = int(rows.of_split(pair[1]).sum())
            verb = stand(len(members), one="says", many="say")
            sentence = f"{share(len(members), total)} rows of {pair[1]} {verb} what a row of {pair[0]} says, {why}."
            twins = [int(before[keys[before] == keys[row]][0]) for row in members[:MAX_EXAMPLES]]
            examples = list(zip(twins, members[:MAX_EXAMPLES].tolist(), strict=True))
            yield _finding(rows, code, pair, len(members), total, examples, sentence=sentence, rule=rule)


def _shared_near(
    rows: AuditRows, pair: tuple[str, str], near: list[tuple[int, int, float]], bound: NDArray[np.bool_]
) -> Iterator[Finding]:
    members = _rows_of_sentences(rows, near)
    before, after = (rows.names.index(name) for name in pair)
    hits: dict[int, int] = {}
    for first, second, _ in near:
        for one, other in ((first, second), (second, first)):
            for row in members[other]:
                if rows.split[row] != after or not bound[row] or row in hits:
                    continue
                twin = next(
                    (twin for twin in members[one] if rows.split[twin] == before and _agree(rows, twin, row)), None
                )
                if twin is not None:
                    hits[row] = twin
    if hits:
        total = int(rows.of_split(pair[1]).sum())
        verb = stand(len(hits), one="says", many="say")
        where = f"nearly what a row of {pair[0]} says, with the same label"
        sentence = f"{share(len(hits), total)} rows of {pair[1]} {verb} {where}."
        examples = [(hits[row], row) for row in sorted(hits)[:MAX_EXAMPLES]]
        yield _finding(rows, "shared-near-transcript", pair, len(hits), total, examples, sentence=sentence, rule=RULE)


def _rows_of_sentences(rows: AuditRows, near: list[tuple[int, int, float]]) -> dict[int, list[int]]:
    """All rows of each sentence that resembles another, by its first row."""
    firsts = {row for first, second, _ in near for row in (first, second)}
    keys = rows.keys["transcript"]
    found = {first: [first] for first in firsts}
    by_key = {int(keys[first]): first for first in firsts}
    for row in np.flatnonzero(np.isin(keys, list(by_key))).tolist():
        first = by_key[int(keys[row])]
        if row != first:
            found[first].append(row)
    return found


def _agree(rows: AuditRows, one: int, other: int) -> bool:
    return bool(rows.label[one] < 0 or rows.label[other] < 0 or rows.label[one] == rows.label[other])


def _repeated(rows: AuditRows, name: str) -> Iterator[Finding]:
    here = rows.of_split(name) & (rows.words >= MIN_WORDS)
    groups = groups_of(np.where(here, rows.keys["transcript"], ABSENT))
    if groups:
        count, total = sum(map(len, groups)), int(rows.of_split(name).sum())
        said = counted(len(groups), "sentence")
        sentence = f"{share(count, total)} rows of {name} say what another row of it says ({said})."
        examples = [(int(group[0]), int(group[1])) for group in groups[:MAX_EXAMPLES]]
        rule = f"{_SAME}; {MIN_WORDS} words or more"
        yield _finding(rows, "repeated-transcript", (name,), count, total, examples, sentence=sentence, rule=rule)


def _repeated_near(rows: AuditRows, name: str, near: list[tuple[int, int, float]]) -> Iterator[Finding]:
    code = rows.names.index(name)
    members = _rows_of_sentences(rows, near)
    pairs = [
        (one, other)
        for first, second, _ in near
        for one in members[first][:1]
        for other in members[second][:1]
        if rows.split[one] == code and rows.split[other] == code
    ]
    if pairs:
        total = int(rows.of_split(name).sum())
        sentence = f"{counted(len(pairs), 'pair')} of sentences of {name} are nearly the same."
        yield _finding(
            rows,
            "repeated-near-transcript",
            (name,),
            len(pairs),
            total,
            pairs[:MAX_EXAMPLES],
            sentence=sentence,
            rule=RULE,
        )


def _finding(
    rows: AuditRows,
    code: str,
    splits: tuple[str, ...],
    count: int,
    total: int,
    examples: list[tuple[int, int]],
    *,
    sentence: str,
    rule: str,
) -> Finding:
    shown = tuple((rows.example(one), rows.example(other)) for one, other in examples)
    return Finding(code=code, sentence=sentence, splits=splits, count=count, total=total, examples=shown, rule=rule)
