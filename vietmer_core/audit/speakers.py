"""Whether `speaker_id` is what it says, and whether a speaker or a source gives the label away. Torch-free."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, AuditRows
from vietmer_core.audit.finding import MAX_EXAMPLES, Finding
from vietmer_core.audit.names import RULES, Level
from vietmer_core.audit.phrases import in_splits, share

MIN_FALSE_SHARE: Final = 0.9
"""Share of the named speakers that must be the name of their clip for the field to be called false."""
MIN_ROWS: Final = 10
"""Rows below which nothing is said of how speakers and sources are spread."""
MIN_ONE_LABEL_SHARE: Final = 0.9
MAX_EXPECTED_SHARE: Final = 0.5
"""Share of one-label groups among those of several rows, found and expected by chance, that make a cue."""

_SOURCE_LEVEL: Final[Level] = "recording"


def is_false(rows: AuditRows) -> bool:
    """Whether the field `speaker_id` holds the name of the clip."""
    named = int((rows.keys["speaker"] != ABSENT).sum())
    return named >= 2 and int(rows.flags["false_speaker"].sum()) >= MIN_FALSE_SHARE * named


def speaker_findings(rows: AuditRows) -> Iterator[Finding]:
    """What is wrong with the field `speaker_id`."""
    speakers, total = rows.keys["speaker"], len(rows)
    named = np.flatnonzero(speakers != ABSENT)
    false = np.flatnonzero(rows.flags["false_speaker"])
    if is_false(rows):
        sentence = (
            f"in {share(len(false), total)} rows `speaker_id` is the name of the clip, so the speakers are unknown and "
            "whether one stands in two splits cannot be checked."
        )
        rule = f"`speaker_id` is `utterance_id` or the file name but for punctuation, in {MIN_FALSE_SHARE:.0%} or more"
        yield _finding(rows, "false-speaker", false, sentence=sentence, rule=rule)
    elif len(named) >= MIN_ROWS and len(np.unique(speakers[named])) == len(named):
        sentence = f"each of {len(named):,} rows has a speaker of its own, so shared speakers cannot be found."
        yield _finding(
            rows, "speaker-per-row", named, sentence=sentence, rule=f"{MIN_ROWS} rows or more, no speaker twice"
        )
    unknown = np.flatnonzero(speakers == ABSENT)
    if len(unknown):
        says = int(rows.flags["named_unknown"].sum())
        by_name = f", {says:,} of them by a name such as `unknown`" if says else ""
        sentence = (
            f"{share(len(unknown), total)} rows have no known speaker{by_name}; their speakers cannot be compared."
        )
        yield _finding(rows, "unknown-speaker", unknown, sentence=sentence, rule="`speaker_id` is null or says unknown")


def one_label_findings(rows: AuditRows) -> Iterator[Finding]:
    """Whether speakers or sources carry one label each."""
    if not is_false(rows):
        yield from _one_label(rows, "one-label-speaker", "speaker", "speaker", "the field `speaker_id`")
    if (rows.keys["recording_id"] != ABSENT).any():
        yield from _one_label(rows, "one-label-source", "recording_id", "recording", "the field `recording_id`")
    else:
        rule = f"the source of each row, inferred: {RULES[_SOURCE_LEVEL]}; a row whose name says none counts as one"
        yield from _one_label(rows, "one-label-source", _SOURCE_LEVEL, "source", rule)


def _one_label(rows: AuditRows, code: str, key: str, noun: str, rule: str) -> Iterator[Finding]:
    labelled = np.flatnonzero(rows.label >= 0)
    keys = rows.keys[key][labelled]
    if len(labelled) < MIN_ROWS or not (keys != ABSENT).any():
        return
    _, group = np.unique(keys[keys != ABSENT], return_inverse=True)
    labels = rows.label[labelled][keys != ABSENT]
    pure, expected, several = _purity(group, labels)
    alone = int((keys == ABSENT).sum()) if code == "one-label-source" else 0
    if several.sum() < 2 or pure[several].mean() < MIN_ONE_LABEL_SHARE or expected > MAX_EXPECTED_SHARE:
        return
    count, total = int(pure.sum()) + alone, len(pure) + alone
    repeated = share(int(pure[several].sum()), int(several.sum()))
    sentence = (
        f"{share(count, total)} {noun}s carry one label only; of those with several rows {repeated}, "
        f"where chance would have {expected:.0%}: the {noun} tells the label."
    )
    members = labelled[rows.keys[key][labelled] != ABSENT]
    yield _finding(rows, code, members, sentence=sentence, rule=rule, count=count, total=total)


def _purity(group: NDArray[np.int64], labels: NDArray[np.int32]) -> tuple[NDArray[np.bool_], float, NDArray[np.bool_]]:
    """Which groups carry one label, the share of the larger ones expected to, and which have several rows."""
    sizes = np.bincount(group)
    pairs = np.unique(np.stack([group, labels], axis=1), axis=0)
    pure = np.bincount(pairs[:, 0], minlength=len(sizes)) == 1
    several = sizes > 1
    shares = np.bincount(labels) / len(labels)  # (labels,)
    chances = (shares[None, :] ** sizes[several, None]).sum(axis=1)  # (groups of several rows,)
    return pure, float(chances.mean()) if several.any() else 1.0, several


def _finding(
    rows: AuditRows,
    code: str,
    members: NDArray[np.int64],
    *,
    sentence: str,
    rule: str,
    count: int | None = None,
    total: int | None = None,
) -> Finding:
    splits = tuple(rows.names[number] for number in np.unique(rows.split[members]))
    return Finding(
        code=code,
        sentence=sentence if len(rows.names) == 1 else f"{in_splits(splits)}: {sentence}",
        splits=splits,
        count=len(members) if count is None else count,
        total=len(rows) if total is None else total,
        examples=tuple((rows.example(row),) for row in members[:MAX_EXAMPLES].tolist()),
        rule=rule,
    )
