"""Audio that is heard twice: to the sample, or nearly. Torch-free."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from vietmer_core.audit.columns import AuditRows, groups_of
from vietmer_core.audit.finding import MAX_EXAMPLES, Finding
from vietmer_core.audit.listening import Heard
from vietmer_core.audit.matching import RULE, Match, near_copies
from vietmer_core.audit.phrases import counted

MAX_PAIRS_OF_GROUP: Final = 64
EXACT_RULE: Final = "BLAKE2b over the decoded samples of the segment; silent segments are left out"

Pair = tuple[int, int]


def copy_findings(rows: AuditRows, heard: Heard) -> Iterator[Finding]:
    """Copies across and within splits, and copies whose labels differ."""
    same = [pair for group in groups_of(heard.samples) for pair in _pairs(group.tolist())]
    matches = _spread(heard, near_copies(heard))
    near = list(matches)
    for place, name in enumerate(rows.names):
        yield from _copies(rows, same, (name,), ("repeated-audio", "the same samples", EXACT_RULE), matches)
        yield from _copies(rows, near, (name,), ("repeated-near-audio", "nearly the same audio", RULE), matches)
        for other in rows.names[place + 1 :]:
            yield from _copies(rows, same, (name, other), ("shared-audio", "the same samples", EXACT_RULE), matches)
            yield from _copies(rows, near, (name, other), ("shared-near-audio", "nearly the same audio", RULE), matches)
    yield from _conflicts(rows, same)


def _pairs(members: Sequence[int]) -> list[Pair]:
    """Every pair of a group; of a large one, each row with the first."""
    if len(members) * (len(members) - 1) // 2 <= MAX_PAIRS_OF_GROUP:
        return list(combinations(members, 2))
    return [(members[0], other) for other in members[1:]]


def _spread(heard: Heard, matches: Sequence[Match]) -> dict[Pair, Match]:
    """The matches by pairs of rows; what holds of a row holds of the rows with the same samples."""
    twins = {int(group[0]): group.tolist() for group in groups_of(heard.samples)}
    found: dict[Pair, Match] = {}
    for match in matches:
        for one in twins.get(match.first, [match.first]):
            for other in twins.get(match.second, [match.second]):
                found[min(one, other), max(one, other)] = match
    return dict(sorted(found.items()))


def _copies(
    rows: AuditRows,
    pairs: Sequence[Pair],
    splits: tuple[str, ...],
    kind: tuple[str, str, str],
    matches: dict[Pair, Match],
) -> Iterator[Finding]:
    code, what, rule = kind
    wanted = {rows.names.index(splits[0]), rows.names.index(splits[-1])}
    found = [pair for pair in pairs if {int(rows.split[row]) for row in pair} == wanted]
    if not found:
        return
    where = f"{splits[0]} and {splits[1]} hold" if len(splits) == 2 else f"{splits[0]} holds"
    twice = "in both" if len(splits) == 2 else "twice"
    rates = [matches[pair].bit_error_rate for pair in found if pair in matches and "near" in code]
    measured = f" (share of differing bits {min(rates):.3f} to {max(rates):.3f})" if rates else ""
    yield Finding(
        code=code,
        sentence=f"{where} {what} {twice}: {counted(len(found), 'pair')}{measured}.",
        splits=splits,
        count=len(found),
        total=int(np.isin(rows.split, list(wanted)).sum()),
        examples=tuple((rows.example(one), rows.example(other)) for one, other in found[:MAX_EXAMPLES]),
        rule=rule,
        pairs=tuple((rows.read(one).utterance_id, rows.read(other).utterance_id) for one, other in found),
    )


def _conflicts(rows: AuditRows, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Copies to the sample that carry different labels."""
    found = [
        (one, other)
        for one, other in pairs
        if rows.label[one] >= 0 and rows.label[other] >= 0 and rows.label[one] != rows.label[other]
    ]
    if found:
        examples = tuple((rows.example(one), rows.example(other)) for one, other in found[:MAX_EXAMPLES])
        first = [rows.label_names[int(rows.label[row])] for row in found[0]]
        yield Finding(
            code="conflicting-labels",
            sentence=(
                f"{counted(len(found), 'pair')} of rows with the same samples carry different labels, "
                f"such as `{first[0]}` and `{first[1]}`: one of each is wrong."
            ),
            splits=tuple(rows.names[code] for code in sorted({int(rows.split[row]) for pair in found for row in pair})),
            count=len(found),
            total=len(pairs),
            examples=examples,
            rule=EXACT_RULE,
        )
