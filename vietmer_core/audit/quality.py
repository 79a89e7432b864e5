"""Classes and recordings as they are: imbalance, silence, clipping, speech that is cut. Torch-free."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import AuditRows
from vietmer_core.audit.finding import MAX_EXAMPLES, Finding
from vietmer_core.audit.listening import Heard
from vietmer_core.audit.measures import EDGE_DECIBELS, SILENCE_DECIBELS
from vietmer_core.audit.phrases import counted, in_splits, share, stand

MIN_IMBALANCE: Final = 3.0
"""Rows of the largest class for each row of the smallest, from which the classes are called unequal."""
MIN_CLIPPED: Final = 0.001


def class_findings(rows: AuditRows) -> Iterator[Finding]:
    """Unequal and missing classes."""
    if len(rows.label_names) < 2:
        return
    counts = {
        name: np.bincount(rows.label[rows.of_split(name) & (rows.label >= 0)], minlength=len(rows.label_names))
        for name in rows.names
    }
    for name, found in counts.items():
        present = found[found > 0]
        if len(present) > 1 and present.max() >= MIN_IMBALANCE * present.min():
            large, small = int(found.argmax()), int(np.where(found > 0, found, found.max() + 1).argmin())
            ratio = found[large] / found[small]
            yield Finding(
                code="class-imbalance",
                sentence=(
                    f"{name}: `{rows.label_names[large]}` has {found[large]:,} rows, `{rows.label_names[small]}` "
                    f"{found[small]:,}: {ratio:.1f} times as many."
                ),
                splits=(name,),
                count=int(found[small]),
                total=int(found.sum()),
                rule=f"the largest class has at least {MIN_IMBALANCE:g} times the rows of the smallest",
                score=float(ratio),
            )
    yield from _missing(rows, counts)


def _missing(rows: AuditRows, counts: dict[str, NDArray[np.int64]]) -> Iterator[Finding]:
    anywhere = sum(counts.values()) > 0
    for name, found in counts.items():
        absent = [rows.label_names[code] for code in np.flatnonzero(anywhere & (found == 0))]
        if absent and found.any():
            listed = ", ".join(f"`{label}`" for label in absent)
            yield Finding(
                code="missing-class",
                sentence=f"{name} has no row of {counted(len(absent), 'class')} of the other splits: {listed}.",
                splits=(name,),
                count=len(absent),
                total=len(rows.label_names),
                rule="labels after the label maps",
            )


def audio_findings(rows: AuditRows, heard: Heard) -> Iterator[Finding]:
    """Undecodable, silent, clipped and cut recordings."""
    decoded = int(heard.decoded.sum())
    if heard.faults:
        failed = np.array(sorted(heard.faults), dtype=np.int64)
        first = heard.faults[int(failed[0])]
        sentence = f"{counted(len(failed), 'row')} cannot be decoded, so their audio was not compared: {first}"
        yield _finding(rows, "undecodable-audio", failed, decoded + len(failed), sentence, "see `vietmer data check`")
    if not decoded:
        return
    silent = np.flatnonzero(heard.silent)
    verb = stand(len(silent), one="is", many="are")
    sentence = (
        f"{share(len(silent), decoded)} recordings {verb} silent: every sample is equal, and training refuses them."
    )
    yield from _where(rows, "silent-audio", silent, decoded, sentence, "every sample of the segment is equal")
    clipped = np.flatnonzero(np.nan_to_num(heard.measures["clipped"]) >= MIN_CLIPPED)
    rule = f"at least {MIN_CLIPPED:.1%} of the samples stand in plateaus of three or more at the peak"
    sentence = f"{share(len(clipped), decoded)} recordings {stand(len(clipped), one='is', many='are')} clipped."
    yield from _where(rows, "clipped-audio", clipped, decoded, sentence, rule)
    starts, ends = (np.nan_to_num(heard.measures[name]) > 0 for name in ("cut_start", "cut_end"))
    cut = np.flatnonzero(starts | ends)
    rule = (
        f"the first or the last 40 ms are within {EDGE_DECIBELS:g} dB of the level that 95 % of the frames stay below"
    )
    sentence = (
        f"in {share(len(cut), decoded)} recordings speech is loud from the first sample ({int(starts.sum()):,}) or up "
        f"to the last ({int(ends.sum()):,}), so words may be cut."
    )
    yield from _where(rows, "truncated-speech", cut, decoded, sentence, rule)


SILENCE_RULE: Final = f"frames {SILENCE_DECIBELS:g} dB below the level that 95 % of the frames stay below"


def _where(
    rows: AuditRows, code: str, members: NDArray[np.int64], total: int, sentence: str, rule: str
) -> Sequence[Finding]:
    return [_finding(rows, code, members, total, sentence, rule)] if len(members) else []


def _finding(rows: AuditRows, code: str, members: NDArray[np.int64], total: int, sentence: str, rule: str) -> Finding:
    splits = tuple(rows.names[number] for number in np.unique(rows.split[members]))
    return Finding(
        code=code,
        sentence=sentence if len(rows.names) == 1 else f"{in_splits(splits)}: {sentence}",
        splits=splits,
        count=len(members),
        total=total,
        examples=tuple((rows.example(row),) for row in members[:MAX_EXAMPLES].tolist()),
        rule=rule,
    )
