"""What alone predicts the label: length, loudness, silence, the channel, the corpus, other metadata. Torch-free."""

from collections.abc import Iterator
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.audit.columns import ABSENT, AuditRows
from vietmer_core.audit.finding import Finding
from vietmer_core.audit.listening import Heard
from vietmer_core.audit.probe import NUM_EXCHANGES, NUM_FOLDS, ProbeScore, score_probe
from vietmer_core.audit.speakers import is_false

MAX_P_VALUE: Final = 0.01
MIN_GAIN: Final = 0.05
"""How much of the way from chance to perfect a probe must go to be a cue, besides its p-value."""
MAX_ROWS: Final = 20_000
"""Rows that a probe looks at; of more, they are drawn evenly."""
MIN_COVERAGE: Final = 0.5
"""Share of the labelled rows that must have the feature."""

_AUDIO: Final = (
    ("predictive-loudness", "loudness", ("loudness", "peak")),
    ("predictive-silence", "the share of silence", ("silence",)),
    ("predictive-channel", "the noise floor and the bandwidth", ("floor", "bandwidth")),
)


@attrs.frozen(kw_only=True)
class Probe:
    """A probe and what it reached.

    Attributes:
        code: Of the finding that it may become.
        what: What it looks at.
        features: The features.
        score: What it reached.
        grouped_by: What its folds keep together.
    """

    code: str
    what: str
    features: tuple[str, ...]
    score: ProbeScore
    grouped_by: str

    @property
    def is_cue(self) -> bool:
        """Whether it predicts the label better than chance, and by enough to matter."""
        gain = (self.score.balanced_accuracy - self.score.chance) / (1 - self.score.chance)
        return self.score.p_value <= MAX_P_VALUE and gain >= MIN_GAIN

    def finding(self, splits: tuple[str, ...]) -> Finding:
        """The probe as a finding."""
        score = self.score
        alias = "; it may be the label by another name" if score.balanced_accuracy > 0.99 else ""
        return Finding(
            code=self.code,
            sentence=(
                f"a probe of {self.what} alone reaches a balanced accuracy of {score.balanced_accuracy:.3f}, where "
                f"chance is {score.chance:.3f} (p = {score.p_value:.3f}, {score.num_rows:,} rows){alias}."
            ),
            splits=splits,
            count=score.num_rows,
            total=score.num_rows,
            rule=(
                f"naive Bayes over bins of {', '.join(self.features)}, {NUM_FOLDS} folds grouped by {self.grouped_by} "
                f"({score.num_groups:,} groups), {NUM_EXCHANGES} exchanges of the labels between groups; a cue from p "
                f"≤ {MAX_P_VALUE:g} and {MIN_GAIN:.0%} of the way from chance to 1"
            ),
            score=score.balanced_accuracy,
        )

    def as_json(self) -> dict[str, Any]:
        """The probe as plain JSON values."""
        return {
            "what": self.what,
            "features": list(self.features),
            "grouped_by": self.grouped_by,
            "is_cue": self.is_cue,
            **attrs.asdict(self.score),
        }


def run_probes(rows: AuditRows, heard: Heard | None) -> list[Probe]:
    """Every probe that the rows have the numbers for."""
    if len(np.unique(rows.label[rows.label >= 0])) < 2:
        return []
    groups, grouped_by = _groups(rows)
    probes = []
    for code, what, features, columns, categorical in _candidates(rows, heard):
        members = np.flatnonzero((rows.label >= 0) & ~np.isnan(columns).all(axis=1))
        if len(members) < MIN_COVERAGE * (rows.label >= 0).sum():
            continue
        if len(members) > MAX_ROWS:
            members = members[np.linspace(0, len(members) - 1, MAX_ROWS).astype(np.int64)]
        score = score_probe(
            columns[members], rows.label[members].astype(np.int64), groups=groups[members], categorical=categorical
        )
        if score is not None:
            probes.append(Probe(code=code, what=what, features=features, score=score, grouped_by=grouped_by))
    return probes


Candidate = tuple[str, str, tuple[str, ...], NDArray[np.float64], bool]


def _candidates(rows: AuditRows, heard: Heard | None) -> Iterator[Candidate]:
    """Code, words, names of the features, columns `(rows, features)` and whether they are codes."""
    seconds = np.where(rows.seconds > 0, rows.seconds.astype(np.float64), np.nan)
    words = np.where(rows.words > 0, rows.words.astype(np.float64), np.nan)
    yield "predictive-length", "the duration", ("duration",), seconds[:, None], False
    yield "predictive-length", "the number of words", ("words",), words[:, None], False
    if heard is not None:
        for code, what, names in _AUDIO:
            yield code, what, names, np.stack([heard.measures[name] for name in names], axis=1), False
    for name, column in rows.metadata.items():
        if len(np.unique(column[column >= 0])) < 2:
            continue
        known = np.where(column >= 0, column.astype(np.float64), np.nan)
        code = "predictive-corpus" if name == "corpus" else "predictive-metadata"
        yield code, f"the field `{name}`", (name,), known[:, None], True


def _groups(rows: AuditRows) -> tuple[NDArray[np.int64], str]:
    """What folds keep together: the speaker, or else the recording or the source; a row without one is alone."""
    options = [("speaker", "speaker")] if not is_false(rows) else []
    options += [("recording_id", "recording"), ("call_id", "call"), ("recording", "source inferred from the name")]
    for key, name in options:
        keys = rows.keys[key]
        known = keys != ABSENT
        if known.mean() >= MIN_COVERAGE and len(np.unique(keys[known])) >= NUM_FOLDS:
            return _numbered(keys), name
    paths = rows.keys["path"]
    if len(np.unique(paths[paths != ABSENT])) < (paths != ABSENT).sum():
        return _numbered(paths), "audio file"
    return np.arange(len(rows), dtype=np.int64), "row"


def _numbered(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each digest in the order of its first row; a row without one has its own."""
    _, firsts, codes = np.unique(keys, return_index=True, return_inverse=True)
    return np.where(keys != ABSENT, firsts[codes], np.arange(len(keys))).astype(np.int64)
