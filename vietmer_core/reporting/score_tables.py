"""The tables of scores: headline, by metric, by class, calibration, abstaining, subgroups. Torch-free."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vietmer_core.comparison.tables import TextTable
from vietmer_core.reporting.evidence import RunEvidence
from vietmer_core.reporting.report_table import ReportTable
from vietmer_core.reporting.wording import (
    METRIC_NAMES,
    difference_text,
    interval_text,
    protocol_of,
    standing,
    standings,
    three,
    verdict_of,
)

COVERAGES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
HEADLINE: Final = ("balanced_accuracy", "accuracy", "weighted_f1", "loss")
CALIBRATION_NAMES: Final = {
    "ece": "ECE",
    "adaptive_ece": "adaptive ECE",
    "classwise_ece": "classwise ECE",
    "brier": "Brier score",
    "nll": "loss, nats",
}


def headline_table(runs: Sequence[RunEvidence]) -> ReportTable:
    """Every run with its headline scores."""
    rows, records = [], []
    for run in runs:
        scores, interval = run.scores, run.scores["intervals"]["macro_f1"]
        ece = scores["calibration"]["ece"]
        figures = [three(scores[name]) for name in HEADLINE]
        count = str(interval["num_clusters"])
        cells = (run.title, three(scores["macro_f1"]), interval_text(interval), *figures, three(ece))
        rows.append((*cells, str(scores["num_utterances"]), count, verdict_of(run)))
        records.append(
            {
                "run": run.title,
                "split": run.split,
                "macro_f1": scores["macro_f1"],
                **{f"macro_f1_{end}": interval[end] for end in ("low", "high", "level", "num_clusters", "too_few")},
                **{name: scores[name] for name in HEADLINE},
                "ece": ece,
                "num_utterances": scores["num_utterances"],
                "protocol": protocol_of(run),
                "audit": verdict_of(run),
            }
        )
    metrics = ("UAR", "accuracy", "weighted F1", "loss", "ECE")
    return ReportTable(
        name="headline",
        table=TextTable(
            title=f"Scores on the {runs[0].split} split",
            columns=("run", "macro-F1", "95% interval", *metrics, "utterances", "speakers", "audit"),
            rows=tuple(rows),
        ),
        rows=records,
        note=standings(list(runs)),
    )


def score_tables(run: RunEvidence) -> list[ReportTable]:
    """The tables of one run."""
    found = [_metrics(run), _classes(run), _calibration(run), _abstaining(run)]
    return [*found, *([_subgroups(run), _gaps(run)] if run.scores["subgroups"] else [])]


def _metrics(run: RunEvidence) -> ReportTable:
    intervals = run.scores["intervals"]
    known = {
        **{name: run.scores[name] for name in (*HEADLINE, "macro_f1")},
        "brier": run.scores["calibration"]["brier"],
    }
    names = [name for name in METRIC_NAMES if name in intervals and name in known]
    return ReportTable(
        name="scores",
        table=TextTable(
            title=f"Scores on the {run.split} split",
            columns=("metric", "score", "95% interval", "speakers", "method"),
            rows=tuple(
                (
                    METRIC_NAMES[name],
                    three(known[name]),
                    interval_text(intervals[name]),
                    str(intervals[name]["num_clusters"]),
                    str(intervals[name]["method"]),
                )
                for name in names
            ),
        ),
        rows=[{"metric": name, "score": known[name], **intervals[name]} for name in names],
        of=run.title,
        note=standing(run),
    )


def _classes(run: RunEvidence) -> ReportTable:
    found: Mapping[str, Mapping[str, Any]] = run.scores["per_class"]
    rows = tuple(
        (label, *(three(part[name]) for name in ("precision", "recall", "f1")), str(part["support"]))
        for label, part in found.items()
    )
    return ReportTable(
        name="classes",
        table=TextTable(
            title=f"Scores by class on the {run.split} split",
            columns=("label", "precision", "recall", "F1", "utterances"),
            rows=rows,
        ),
        rows=[{"label": label, **part} for label, part in found.items()],
        of=run.title,
        note=standing(run),
    )


def _calibration(run: RunEvidence) -> ReportTable:
    found = run.scores["calibration"]
    own = found["uncalibrated"]
    calibrated = run.temperature is not None
    after = (f"temperature {three(run.temperature)}",) if calibrated else ()
    rows = tuple(
        (name, three(own[key]), *((three(found[key]),) if calibrated else ()))
        for key, name in CALIBRATION_NAMES.items()
    )
    return ReportTable(
        name="calibration",
        table=TextTable(
            title=f"How far the probabilities can be believed, {run.split} split",
            columns=("", "the model's own", *after),
            rows=rows,
        ),
        rows=[{"score": key, "own": own[key], "reported": found[key]} for key in CALIBRATION_NAMES],
        of=run.title,
        note=standing(run),
    )


def _abstaining(run: RunEvidence) -> ReportTable:
    points = run.scores["risk_coverage"]
    chosen = [next(point for point in points if point["coverage"] >= least - 1e-9) for least in COVERAGES]
    chosen = list({point["coverage"]: point for point in chosen}.values())
    rows = tuple((f"{point['coverage']:.1%}", f"{point['risk']:.1%}", three(point["threshold"])) for point in chosen)
    return ReportTable(
        name="abstaining",
        table=TextTable(
            title=f"Errors among the answers where the model may abstain, {run.split} split",
            columns=("answered", "of them wrong", "lowest confidence"),
            rows=rows,
        ),
        rows=chosen,
        of=run.title,
        note=standing(run),
    )


def _subgroups(run: RunEvidence) -> ReportTable:
    groups = [
        (field, value, group)
        for field, found in run.scores["subgroups"].items()
        for value, group in found["groups"].items()
    ]
    rows = tuple(
        (
            field,
            value,
            f"{group['num_utterances']}{' (few)' if group['is_small'] else ''}",
            str(group["num_clusters"]),
            three(group["macro_f1"]),
            interval_text(group["interval"]),
            three(group["balanced_accuracy"]),
            three(group["accuracy"]),
        )
        for field, value, group in groups
    )
    columns = ("field", "group", "utterances", "speakers", "macro-F1", "95% interval", "UAR", "accuracy")
    title = f"Scores by subgroup on the {run.split} split"
    figures = ("num_utterances", "num_clusters", "macro_f1", "balanced_accuracy", "accuracy", "is_small")
    return ReportTable(
        name="subgroups",
        table=TextTable(title=title, columns=columns, rows=rows, num_left=2),
        rows=[
            {
                "field": field,
                "group": value,
                **{name: group[name] for name in figures},
                **{f"macro_f1_{end}": group["interval"][end] for end in ("low", "high", "too_few")},
            }
            for field, value, group in groups
        ],
        of=run.title,
        note=standing(run),
    )


def _gaps(run: RunEvidence) -> ReportTable:
    rows: list[tuple[str, ...]] = []
    records: list[dict[str, Any]] = []
    for field, found in run.scores["subgroups"].items():
        details = found["gap_details"].get("macro_f1")
        if details is None:
            rows.append((field, "–", "–", "–", "none: fewer than two groups are large enough"))
            continue
        gap = found["gap"]["macro_f1"]
        rows.append((field, details["best"], details["worst"], three(gap), difference_text(details["interval"])))
        ends = {end: details["interval"][end] for end in ("low", "high", "too_few")}
        records.append({"field": field, "best": details["best"], "worst": details["worst"], "gap": gap, **ends})
    return ReportTable(
        name="gaps",
        table=TextTable(
            title=f"Gap in macro-F1 between the best and the worst served group, {run.split} split",
            columns=("field", "best", "worst", "gap", "95% interval"),
            rows=tuple(rows),
            num_left=3,
        ),
        rows=records,
        of=run.title,
        note=standing(run),
    )
