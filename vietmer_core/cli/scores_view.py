"""How `vietmer evaluate` prints scores."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.table import Table

    from vietmer_core.evaluation.intervals import Interval
    from vietmer_core.evaluation.metrics import Scores
    from vietmer_core.evaluation.subgroups import Group, Subgroups
    from vietmer_core.inference.evaluating import Evaluation

TOO_GOOD: Final = {
    "train": "The model was trained on this split, so its scores say nothing of others; report the test split.",
    "valid": "This split chose the checkpoint, so its scores are too good; report the test split.",
}
HEADLINE: Final = ("macro_f1", "balanced_accuracy", "accuracy", "weighted_f1", "loss")


def show_evaluation(console: "Console", evaluation: "Evaluation") -> None:
    """Print the headline scores with protocol and audit, tables by class and subgroup, and the confusion matrix."""
    _show_split(console, evaluation)
    _show_headline(console, evaluation)
    _show_calibration(console, evaluation)
    _show_changes(console, evaluation)
    console.print(_class_table(evaluation.scores), _confusion_table(evaluation.scores))
    _show_subgroups(console, evaluation.scored.subgroups)


def _show_split(console: "Console", evaluation: "Evaluation") -> None:
    speakers = _counted(evaluation.macro_f1_interval.num_clusters, "speaker")
    console.print(f"{evaluation.split} split, {evaluation.scores.num_utterances} utterances, {speakers}")
    if evaluation.split in TOO_GOOD:
        console.print(TOO_GOOD[evaluation.split], soft_wrap=True)
    show_standing(console, evaluation)


def show_standing(console: "Console", evaluation: "Evaluation") -> None:
    """Print how the split was made and whether the splits leak."""
    audit = evaluation.audit
    reason = f": {audit['reason']}" if "reason" in audit else ""
    lines = [
        f"  protocol: {evaluation.protocol or 'not stated in the manifests'}",
        f"  audit: {audit['verdict']}{reason}",
    ]
    for kind, sentences in (("leak", audit["leaks"]), ("cue", audit["cues"])):
        lines += [f"    {kind}: {sentence}" for sentence in sentences]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _show_headline(console: "Console", evaluation: "Evaluation") -> None:
    intervals = evaluation.scored.intervals
    for name in HEADLINE:
        value = evaluation.scores.summary[name]
        console.print(f"  {name:<18} {value:.3f}  {_interval_note(intervals[name])}", markup=False, soft_wrap=True)
    if unknown := evaluation.num_unknown_speakers:
        note = f"  {unknown} utterances have no speaker; each counts as one: the intervals are too narrow."
        console.print(note, soft_wrap=True)


def _interval_note(interval: "Interval") -> str:
    if interval.method == "none":
        return "no interval: one speaker says nothing of others"
    few = f": too few speakers ({interval.num_clusters})" if interval.too_few else ""
    return f"{interval.level:.0%} interval by speaker {interval}{few}"


def _show_calibration(console: "Console", evaluation: "Evaluation") -> None:
    scored = evaluation.scored
    found = scored.calibration
    how = "not calibrated" if scored.temperature is None else f"calibrated, temperature {scored.temperature:.3f}"
    console.print(
        f"  probabilities: {how}; ECE {found.ece:.3f}, Brier {found.brier:.3f}", highlight=False, soft_wrap=True
    )
    if scored.temperature is not None:
        own = scored.uncalibrated
        note = f"    without: ECE {own.ece:.3f}, Brier {own.brier:.3f}, loss {own.nll:.3f}"
        console.print(note, highlight=False, soft_wrap=True)
    if scored.abstain is not None:
        risk = scored.abstain["risk"]
        wrong = "nothing is answered" if risk is None else f"{risk:.1%} of the answers are wrong"
        note = f"  below a confidence of {scored.abstain['threshold']:.3f} the model abstains: it answers "
        console.print(f"{note}{scored.abstain['coverage']:.1%}; {wrong}.", highlight=False, soft_wrap=True)


def _show_changes(console: "Console", evaluation: "Evaluation") -> None:
    """What was cut from, or added to, what the encoders read."""
    if cut := evaluation.predictions.tokens_cut:
        note = f"  {len(cut)} transcripts were too long for the text encoder; {sum(cut.values())} tokens were left out."
        console.print(note, soft_wrap=True)
    if added := evaluation.predictions.samples_added:
        note = f"  the audio of {len(added)} utterances was too short for the audio encoder; {sum(added.values())} "
        console.print(f"{note}samples of silence were added.", soft_wrap=True)


def _class_table(scores: "Scores") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table("label", title="by class", title_justify="left")
    for heading in ("precision", "recall", "F1", "utterances"):
        table.add_column(heading, justify="right")
    for index, label in enumerate(scores.labels):
        figures = [f"{values[index]:.3f}" for values in (scores.precision, scores.recall, scores.f1)]
        table.add_row(escape(label), *figures, str(scores.support[index]))
    return table


def _confusion_table(scores: "Scores") -> "Table":
    """Counts, true label in rows; the columns carry the numbers of the rows, so that many labels fit."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("true", title="confusion: predicted label in columns", title_justify="left")
    for index in range(len(scores.labels)):
        table.add_column(str(index + 1), justify="right")
    for index, label in enumerate(scores.labels):
        table.add_row(f"{index + 1} {escape(label)}", *(str(count) for count in scores.confusion[index]))
    return table


def _show_subgroups(console: "Console", found: "Mapping[str, Subgroups]") -> None:
    """One table of every group of every field, and the gaps below it."""
    from rich.markup import escape
    from rich.table import Table

    if not found:
        return
    table = Table("by subgroup", title_justify="left")
    for heading in ("utterances", "speakers", "macro-F1", "95% interval", "UAR"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, groups in found.items():
        table.add_section()
        table.add_row(escape(name), style="bold")
        for value, group in groups.groups.items():
            table.add_row(*_group_cells(value, group))
    console.print(table)
    console.print("(few): fewer than 30 utterances, left out of the gaps, or fewer than 4 speakers.", soft_wrap=True)
    for name, groups in found.items():
        console.print(f"  {name}: {_gap_note(groups)}", markup=False, highlight=False, soft_wrap=True)


def _gap_note(found: "Subgroups") -> str:
    gap = found.gaps.get("macro_f1")
    if gap is None:
        return "no gap, since fewer than two groups are large enough"
    few = "" if not gap.interval.too_few else "; too few speakers"
    if gap.interval.method == "none":
        return f"gap {gap.value:.3f} in macro-F1, {gap.best} over {gap.worst}; too few speakers for an interval"
    return f"gap {gap.value:.3f} in macro-F1, {gap.best} over {gap.worst}, 95% interval {gap.interval}{few}"


def _group_cells(value: str, group: "Group") -> list[str]:
    from rich.markup import escape

    few = " (few)" if group.is_small else ""
    interval = "none" if group.interval.method == "none" else f"{group.interval.low:.3f}–{group.interval.high:.3f}"
    return [
        f"  {escape(value)}",
        f"{group.num_utterances}{few}",
        f"{group.num_clusters}{' (few)' if group.interval.too_few else ''}",
        f"{group.scores['macro_f1']:.3f}",
        interval,
        f"{group.scores['balanced_accuracy']:.3f}",
    ]


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"
