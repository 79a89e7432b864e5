"""The tables of what a run is made of and what it leans on. Torch-free."""

from collections.abc import Mapping
from typing import Any

from vietmer_core.comparison.tables import TextTable
from vietmer_core.comparison.wording import signed
from vietmer_core.reporting.data_facts import DataFacts
from vietmer_core.reporting.evidence import RunEvidence
from vietmer_core.reporting.report_table import ReportTable
from vietmer_core.reporting.wording import difference_text, standing, three


def components_table(run: RunEvidence) -> ReportTable:
    """The parts of the model, where each comes from, and the licences of code and weights."""
    parts = [part for part in run.provenance.get("components", []) if part["used"]]
    fields = ("role", "kind", "distribution", "version", "licence", "weights_licence")
    return ReportTable(
        name="components",
        table=TextTable(
            title="Parts of the model",
            columns=("role", "kind", "distribution", "version", "licence", "licence of the weights"),
            rows=tuple(tuple(str(part[field] or "–") for field in fields) for part in parts),
            num_left=6,
        ),
        rows=[{field: part[field] for field in fields} for part in parts],
        of=run.title,
    )


def data_table(run: RunEvidence, facts: DataFacts) -> ReportTable:
    """What the splits hold, beside the fingerprints of what was used."""
    used = {**run.provenance.get("data", {}), run.split: run.scores.get("data")}
    rows: list[tuple[str, ...]] = []
    records: list[dict[str, Any]] = []
    for split in dict.fromkeys((*facts.statistics, *used)):
        found = facts.statistics.get(split)
        record: dict[str, Any] = {"split": split, "fingerprint": used.get(split)}
        for name in ("utterances", "speakers", "unknown_speakers", "hours"):
            record[name] = None
        if found is not None:
            record |= {"utterances": found.num_utterances, "speakers": len(found.speakers)}
            record |= {"unknown_speakers": found.num_unknown_speaker, "hours": found.seconds.total / 3600}
        records.append(record)
        rows.append((split, (record["fingerprint"] or "–")[:16], *_sizes(record)))
    return ReportTable(
        name="data",
        table=TextTable(
            title="Data",
            columns=("split", "fingerprint", "utterances", "speakers", "hours"),
            rows=tuple(rows),
            num_left=2,
        ),
        rows=records,
        of=run.title,
    )


def _sizes(record: Mapping[str, Any]) -> tuple[str, str, str]:
    if record["utterances"] is None:
        return "–", "–", "–"
    unknown = f" + {record['unknown_speakers']} utterances unknown" if record["unknown_speakers"] else ""
    return str(record["utterances"]), f"{record['speakers']}{unknown}", f"{record['hours']:.2f}"


def labels_table(run: RunEvidence, facts: DataFacts) -> ReportTable | None:
    """How often each label occurs in each split; None where no split could be read."""
    if not facts.statistics:
        return None
    counts = {split: found.classes for split, found in facts.statistics.items()}
    names = list(dict.fromkeys((*run.labels, *(label for found in counts.values() for label in found))))
    records: list[dict[str, Any]] = [
        {"label": label, **{split: found.get(label, 0) for split, found in counts.items()}} for label in names
    ]
    return ReportTable(
        name="labels",
        table=TextTable(
            title="Utterances of each label",
            columns=("label", *counts),
            rows=tuple(tuple(str(value) for value in record.values()) for record in records),
        ),
        rows=records,
        of=run.title,
    )


def reliance_table(run: RunEvidence) -> ReportTable | None:
    """Macro-F1 under every change that was measured; None where none was."""
    if run.reliance is None or not run.reliance["conditions"]:
        return None
    found: list[Mapping[str, Any]] = run.reliance["conditions"]
    rows = tuple(
        (
            str(entry["title"]),
            str(entry["num_utterances"]),
            three(entry["unchanged"]["macro_f1"]),
            three(entry["scores"]["macro_f1"]),
            signed(entry["difference"]["macro_f1"]),
            difference_text(entry["intervals"]["macro_f1"]),
            f"{entry['kept']:.1%}",
        )
        for entry in found
    )
    return ReportTable(
        name="reliance",
        table=TextTable(
            title=f"Macro-F1 with one modality removed, exchanged or damaged, {run.split} split",
            columns=("change", "utterances", "unchanged", "changed", "difference", "95% interval", "predictions kept"),
            rows=rows,
        ),
        rows=[
            {
                **{name: entry[name] for name in ("name", "group", "title", "modality", "level", "num_utterances")},
                "unchanged_macro_f1": entry["unchanged"]["macro_f1"],
                "macro_f1": entry["scores"]["macro_f1"],
                "difference": entry["difference"]["macro_f1"],
                **{end: entry["intervals"]["macro_f1"][end] for end in ("low", "high", "too_few")},
                "kept": entry["kept"],
                "wer": entry["measured"].get("wer"),
            }
            for entry in found
        ],
        of=run.title,
        note=standing(run),
    )


def shares_table(run: RunEvidence) -> ReportTable | None:
    """The share of each modality in the predictions, by subgroup; None where it was not measured."""
    shares = None if run.reliance is None else run.reliance.get("shares")
    if shares is None:
        return None
    rows = [("all", "", shares["mean"])]
    rows += [(field, value, found) for field, groups in shares["by"].items() for value, found in groups.items()]
    known = [(field, value, found) for field, value, found in rows if found["share"]["text"] is not None]
    if not known:
        return None
    return ReportTable(
        name="shares",
        table=TextTable(
            title=f"Share of each modality in the prediction (Shapley values), {run.split} split",
            columns=("field", "group", "utterances", "text", "audio"),
            rows=tuple(
                (
                    field,
                    value,
                    str(found["num_utterances"]),
                    *(f"{found['share'][name]:.1%}" for name in ("text", "audio")),
                )
                for field, value, found in known
            ),
            num_left=2,
        ),
        rows=[
            {
                "field": field,
                "group": value,
                "num_utterances": found["num_utterances"],
                **{f"share_{name}": found["share"][name] for name in ("text", "audio")},
            }
            for field, value, found in known
        ],
        of=run.title,
        note=standing(run),
    )
