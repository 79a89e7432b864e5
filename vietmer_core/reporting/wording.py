"""How a report writes figures, intervals and what a score rests on. Torch-free."""

from collections.abc import Mapping
from typing import Any, Final

from vietmer_core.comparison.wording import signed
from vietmer_core.evaluation.intervals import FEW_CLUSTERS, FEWEST_CLUSTERS
from vietmer_core.reporting.evidence import RunEvidence

METRIC_NAMES: Final = {
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy (UAR)",
    "accuracy": "accuracy (WA)",
    "weighted_f1": "weighted F1",
    "loss": "loss, nats",
    "brier": "Brier score",
}
"""Metrics in the order of the tables."""


def three(value: float | None) -> str:
    """A figure with three digits; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def interval_text(interval: Mapping[str, Any]) -> str:
    """The ends of an interval of `scores.json`, marked where too few speakers stand behind it."""
    if interval["low"] is None:
        return "none: one speaker"
    few = " (too few speakers)" if interval["too_few"] else ""
    return f"{interval['low']:.3f} to {interval['high']:.3f}{few}"


def difference_text(interval: Mapping[str, Any]) -> str:
    """The ends of the interval of a difference, marked where too few speakers stand behind it."""
    if interval["low"] is None:
        return "none: one speaker"
    few = " (too few speakers)" if interval["too_few"] else ""
    return f"{signed(interval['low'])} to {signed(interval['high'])}{few}"


def speakers(count: int) -> str:
    """A number of speakers."""
    return "1 speaker" if count == 1 else f"{count} speakers"


def interval_note(run: RunEvidence) -> str:
    """What the intervals of a run are, in a sentence or two."""
    interval = run.scores["intervals"]["macro_f1"]
    count = int(interval["num_clusters"])
    text = f"Intervals are {interval['level']:.0%}, by speaker: {speakers(count)}."
    if count == 1:
        return f"{text} One speaker says nothing of others, so there is no interval."
    if count < FEWEST_CLUSTERS:
        text += " These are too few: the intervals tell little."
    elif count < FEW_CLUSTERS:
        text += " These are few: the intervals are widened for it (jackknife, Student's t)."
    unknown = run.scores.get("num_unknown_speakers", 0)
    if unknown:
        text += f" {unknown} utterances have no speaker; each counts as one, so the intervals are too narrow."
    return text


def protocol_of(run: RunEvidence) -> str:
    """How the splits were made."""
    return str(run.scores["protocol"] or "not stated in the manifests")


def verdict_of(run: RunEvidence) -> str:
    """Whether the splits leak."""
    return str(run.scores["audit"]["verdict"])


def standing(run: RunEvidence) -> str:
    """Split protocol and audit verdict: what stands beside every score."""
    chosen = " This split chose the checkpoint: its scores are too good." if run.split == "valid" else ""
    return f"Split protocol: {protocol_of(run)}. Audit: {verdict_of(run)}.{chosen}"


def standings(runs: list[RunEvidence]) -> str:
    """The same for several runs; once where all share it."""
    found: dict[str, list[str]] = {}
    for run in runs:
        found.setdefault(standing(run), []).append(run.title)
    if len(found) == 1:
        return next(iter(found))
    return " ".join(f"{'; '.join(titles)}: {text}" for text, titles in found.items())


def calibration_text(run: RunEvidence) -> str:
    """Whether the probabilities are calibrated, and how far they can be believed."""
    found = run.scores["calibration"]
    if run.temperature is None:
        how = "The probabilities are the model's own, not calibrated"
        unused = ", though the run has a calibration" if run.calibration else ""
        return f"{how}{unused}; ECE {three(found['ece'])}. `vietmer calibrate` fits a temperature on validation."
    own = found["uncalibrated"]
    return (
        f"The probabilities are calibrated with a temperature of {run.temperature:.3f}, fitted on the validation "
        f"split: ECE {three(own['ece'])} before, {three(found['ece'])} after; loss {three(own['nll'])} before, "
        f"{three(found['nll'])} after."
    )


def abstain_text(run: RunEvidence) -> str:
    """What the threshold does, where the run has one."""
    rule = run.scores["abstain"]
    if rule is None:
        return (
            "The run has no threshold for abstaining; `vietmer calibrate` with `--max-risk` or `--coverage` sets one."
        )
    wrong = "nothing is answered" if rule["risk"] is None else f"{rule['risk']:.1%} of the answers are wrong"
    return (
        f"Below a confidence of {three(rule['threshold'])}, chosen on validation, the model abstains: it answers "
        f"{rule['coverage']:.1%}, and {wrong}."
    )


def shortened(text: str, most: int = 22) -> str:
    """A name for a figure, cut in the middle where it is long."""
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - most // 3 - 1]}…{plain[-(most // 3) :]}"
