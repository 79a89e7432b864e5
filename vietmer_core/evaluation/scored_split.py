"""All that is said of one split: scores, intervals, calibration, risk against coverage, subgroups. Torch-free."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from vietmer_core.evaluation.calibration import AbstainRule
from vietmer_core.evaluation.intervals import Interval, clustered_intervals
from vietmer_core.evaluation.metrics import Scores, score
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.reliability import ProbabilityScores, probability_scores
from vietmer_core.evaluation.risk_coverage import RiskCoverage, risk_at, risk_coverage
from vietmer_core.evaluation.subgroups import Subgroups, subgroups


@attrs.frozen(kw_only=True, eq=False)
class ScoredSplit:
    """The scores of one split.

    Attributes:
        scores: Headline, by class and confusion.
        intervals: Of `cluster_sums.METRICS`, by speaker.
        temperature: What the probabilities were scaled by; None where they are the model's own.
        calibration: How far they can be believed.
        uncalibrated: How far the model's own could be.
        curve: Risk against coverage.
        abstain: What the threshold chosen on validation does here: threshold, coverage, risk; None without one.
        subgroups: By field.
    """

    scores: Scores
    intervals: dict[str, Interval]
    temperature: float | None
    calibration: ProbabilityScores
    uncalibrated: ProbabilityScores
    curve: RiskCoverage
    abstain: dict[str, float | None] | None
    subgroups: dict[str, Subgroups]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            **self.scores.as_json(),
            "macro_f1_interval": self.intervals["macro_f1"].as_json(),
            "intervals": {metric: interval.as_json() for metric, interval in self.intervals.items()},
            "calibration": {
                "temperature": self.temperature,
                **self.calibration.as_json(),
                "uncalibrated": self.uncalibrated.as_json(),
            },
            "subgroups": {name: found.as_json() for name, found in self.subgroups.items()},
            "risk_coverage": self.curve.as_json(),
            "aurc": self.curve.aurc,
            "abstain": self.abstain,
        }


def score_outcomes(
    outcomes: Outcomes,
    *,
    seed: int,
    fields: Mapping[str, Sequence[str | None]] | None = None,
    uncalibrated: Outcomes | None = None,
    temperature: float | None = None,
    rule: AbstainRule | None = None,
) -> ScoredSplit:
    """Score a split.

    Args:
        outcomes: With the probabilities that are reported.
        seed: Of the intervals.
        fields: Name → the value of each utterance (`vietmer_core.evaluation.fields.row_fields`); no subgroups without.
        uncalibrated: With the model's own probabilities, where others are reported.
        temperature: What they were scaled by.
        rule: The threshold chosen on validation.
    """
    own = uncalibrated or outcomes
    abstain: dict[str, float | None] | None = None
    if rule is not None:
        coverage, risk = risk_at(outcomes.confidence, outcomes.hits, rule.threshold)
        abstain = {"threshold": rule.threshold, "coverage": coverage, "risk": risk}
    return ScoredSplit(
        scores=score(outcomes.probabilities, outcomes.truth, outcomes.labels),
        intervals=clustered_intervals(outcomes, seed=seed),
        temperature=temperature,
        calibration=probability_scores(outcomes.probabilities, outcomes.truth),
        uncalibrated=probability_scores(own.probabilities, own.truth),
        curve=risk_coverage(outcomes.confidence, outcomes.hits),
        abstain=abstain,
        subgroups=subgroups(outcomes, fields or {}, seed=seed),
    )
