"""Calibrating a trained run on its validation split."""

from collections.abc import Callable

import attrs

from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.errors import RunError
from vietmer_core.evaluation.calibration import (
    AbstainRule,
    BeforeOrAfter,
    Calibration,
    weights_of,
    write_calibration,
)
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.reliability import ProbabilityScores, probability_scores
from vietmer_core.evaluation.risk_coverage import risk_coverage
from vietmer_core.evaluation.temperature import fit_temperature, with_temperature
from vietmer_core.inference.evaluating import outcomes_of, predict_of_split
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import CacheRecord


@attrs.frozen(kw_only=True, eq=False)
class Calibrated:
    """What was found, and the validation split before and after."""

    calibration: Calibration
    before: ProbabilityScores
    after: ProbabilityScores


def calibrate_run(
    run: TrainedRun,
    *,
    max_risk: float | None = None,
    coverage: float | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
    report: Callable[[CacheRecord], None] = lambda _: None,
    cache: str | None = None,
) -> Calibrated:
    """Fit the temperature of a run's best weights on its validation split and write `calibration.json`.

    Args:
        run: Loaded with `uncalibrated=True`.
        max_risk: The largest share of answers that may be wrong; chooses the threshold for abstaining.
        coverage: The share of utterances to be answered; chooses it instead.
        on_batch: Told the number of utterances of each batch done.
        report: Told what is filled into the feature cache.
        cache: Another folder for it, or `none`.

    Raises:
        RunError: if no temperature or no threshold fits, or the file cannot be written; a calibration that was there
            stays.
        VietmerError: if the split cannot be read.
        ValueError: if the run was loaded with a calibration, or both a risk and a coverage are given.
    """
    if run.calibration is not None or (max_risk is not None and coverage is not None):
        raise ValueError("`run` must be loaded with `uncalibrated=True`, and one of `max_risk` and `coverage` be None.")
    manifest, found = predict_of_split(run, "valid", on_batch=on_batch, report=report, cache=cache)
    outcomes = outcomes_of(found, manifest, run.spec.labels)
    try:
        temperature = fit_temperature(outcomes.probabilities, outcomes.truth)
    except RunError as error:
        raise RunError(f"{run.folder.path}: {error}") from None
    scaled = outcomes.with_probabilities(with_temperature(outcomes.probabilities, temperature))
    before, after = (probability_scores(part.probabilities, part.truth) for part in (outcomes, scaled))
    calibration = Calibration(
        temperature=temperature,
        data=split_fingerprint(manifest, content=run.spec.data.fingerprint == "content"),
        epoch=run.epoch,
        weights=weights_of(run.folder),
        num_utterances=len(outcomes),
        before=_kept(before),
        after=_kept(after),
        abstain=abstain_rule(scaled, max_risk=max_risk, coverage=coverage),
    )
    write_calibration(run.folder, calibration)
    return Calibrated(calibration=calibration, before=before, after=after)


def abstain_rule(outcomes: Outcomes, *, max_risk: float | None, coverage: float | None) -> AbstainRule | None:
    """The threshold that meets a risk or a coverage on these outcomes; None where neither is asked for.

    Raises:
        RunError: if no threshold brings the risk down so far.
    """
    if max_risk is None and coverage is None:
        return None
    curve = risk_coverage(outcomes.confidence, outcomes.hits)
    if max_risk is not None:
        point = curve.at_risk(max_risk)
    else:
        assert coverage is not None
        point = curve.at_coverage(coverage)
    return AbstainRule(
        threshold=point.threshold,
        max_risk=max_risk,
        coverage_wanted=coverage,
        coverage=point.coverage,
        risk=point.risk,
        num_kept=int((outcomes.confidence >= point.threshold).sum()),
    )


def _kept(scores: ProbabilityScores) -> BeforeOrAfter:
    return BeforeOrAfter(nll=scores.nll, ece=scores.ece, brier=scores.brier)
