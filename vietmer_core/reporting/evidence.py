"""What the folder of a run holds for a report. Torch-free; neither the model nor its plugins are needed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import yaml

from vietmer_core.errors import RunError
from vietmer_core.training.run_folder import RunFolder, require_distinct

SCORED: Final = (
    *("labels", "per_class", "confusion", "macro_f1", "balanced_accuracy", "accuracy", "weighted_f1", "loss"),
    *("intervals", "calibration", "subgroups", "risk_coverage", "aurc", "abstain", "protocol", "audit"),
)
"""Fields of `scores.json` that a report needs."""
RELIANCE_VERSION: Final = 1
_MOST_IN_SLUG: Final = 60


@attrs.frozen(kw_only=True, eq=False)
class RunEvidence:
    """All that is reported of one run on one split.

    Attributes:
        folder: Of the run.
        title: What it is called, distinct among the runs of a report.
        slug: The same for names of files.
        split: The split.
        resolved: The resolved spec as plain values.
        provenance: Versions, seed, hardware, fingerprints.
        status: How far it went and how it ended.
        epochs: Its records of epochs.
        scores: `scores.json` of the split.
        reliance: `reliance.json` of the split, or None.
        reliance_fault: Why that is None though the file is there; else empty.
        calibration: `calibration.json`, or empty.
    """

    folder: RunFolder
    title: str
    slug: str
    split: str
    resolved: Mapping[str, Any]
    provenance: Mapping[str, Any]
    status: Mapping[str, Any]
    epochs: tuple[Mapping[str, Any], ...]
    scores: Mapping[str, Any]
    reliance: Mapping[str, Any] | None
    reliance_fault: str
    calibration: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.folder.path.resolve().name

    @property
    def labels(self) -> list[str]:
        """The label space."""
        return list(self.scores["labels"])

    @property
    def temperature(self) -> float | None:
        """What the reported probabilities were scaled by; None where they are the model's own."""
        found = self.scores["calibration"]["temperature"]
        return None if found is None else float(found)


def resolved_spec(folder: RunFolder) -> dict[str, Any]:
    """The resolved spec of a run as plain values.

    Raises:
        RunError: if it cannot be read.
    """
    try:
        found = yaml.safe_load(folder.spec_path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunError(f"{folder.spec_path}: cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise RunError(f"{folder.spec_path}: must hold a mapping, but holds {type(found).__name__} instead.")
    return found


def default_split(folder: RunFolder) -> str:
    """`test` where the spec of a run names one, else `valid`.

    Raises:
        RunError: if the spec cannot be read.
    """
    return "test" if (resolved_spec(folder).get("data") or {}).get("test") else "valid"


def what_is_missing(folder: RunFolder, split: str) -> str | None:
    """Why the scores of a split cannot be reported as they are; None where they can."""
    path = folder.evaluation_path(split) / "scores.json"
    if not path.exists():
        return f"it has no scores of the {split} split"
    try:
        scores = folder.read_json(f"evaluation/{split}/scores.json")
    except RunError:
        return f"{path} is damaged"
    if missing := [name for name in SCORED if name not in scores]:
        return f"{path} was written by an earlier version and lacks `{missing[0]}`"
    if scores.get("epoch") != folder.read_status().get("best_epoch"):
        return f"{path} is of other weights than the best ones now"
    return None if folder.predictions_path(split).is_file() else f"it has no predictions of the {split} split"


def read_evidence(paths: Sequence[Path], *, split: str) -> list[RunEvidence]:
    """Read runs that were evaluated on a split.

    Raises:
        AssemblyError: if one is given twice.
        RunError: if one holds no run, was not evaluated, or holds a damaged file.
    """
    folders = [RunFolder.open(path) for path in paths]
    require_distinct(paths)
    for folder in folders:
        if (reason := what_is_missing(folder, split)) is not None:
            raise RunError(f"{folder.path}: {reason}. Run `vietmer evaluate {folder.path} --split {split}`.")
    specs = [resolved_spec(folder) for folder in folders]
    titles = _titles(folders, specs)
    slugs = _slugs(titles)
    return [
        _read(folder, spec, title=title, slug=slug, split=split)
        for folder, spec, title, slug in zip(folders, specs, titles, slugs, strict=True)
    ]


def _read(folder: RunFolder, spec: dict[str, Any], *, title: str, slug: str, split: str) -> RunEvidence:
    scores = folder.read_json(f"evaluation/{split}/scores.json")
    reliance, fault = _reliance(folder, scores, split=split)
    return RunEvidence(
        folder=folder,
        title=title,
        slug=slug,
        split=split,
        resolved=spec,
        provenance=folder.read_json("provenance.json"),
        status=folder.read_status(),
        epochs=tuple(record for record in folder.records() if record["record"] == "epoch"),
        scores=scores,
        reliance=reliance,
        reliance_fault=fault,
        calibration=folder.read_json("calibration.json"),
    )


def _reliance(folder: RunFolder, scores: Mapping[str, Any], *, split: str) -> tuple[dict[str, Any] | None, str]:
    name = f"evaluation/{split}/reliance.json"
    if not (folder.path / name).exists():
        return None, ""
    try:
        found = folder.read_json(name)
    except RunError as error:
        return None, str(error)
    if found.get("version") != RELIANCE_VERSION:
        return None, f"{name} is of another version of VietMER."
    for field, what in (("data", "other utterances"), ("epoch", "other weights")):
        if found.get(field) != scores.get(field):
            return None, f"{name} was measured with {what} than the scores."
    temperature = scores["calibration"]["temperature"]
    if found.get("temperature") != temperature:
        return None, f"{name} was measured before the run was calibrated, or after it without the temperature."
    return found, ""


def _titles(folders: Sequence[RunFolder], specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The name of each spec; with its seed where several share it, and with its folder where that is not enough."""
    names = [str(spec.get("name")) for spec in specs]
    seeded = [f"{name}, seed {spec.get('seed')}" for name, spec in zip(names, specs, strict=True)]
    titles = [seed if names.count(name) > 1 else name for name, seed in zip(names, seeded, strict=True)]
    own = [folder.path.resolve().name for folder in folders]
    longer = [f"{title} ({name})" for title, name in zip(titles, own, strict=True)]
    titles = [long if titles.count(title) > 1 else title for title, long in zip(titles, longer, strict=True)]
    return [title if titles.count(title) == 1 else str(folders[row].path) for row, title in enumerate(titles)]


def _slugs(titles: Sequence[str]) -> list[str]:
    """Titles as parts of file names, distinct."""
    plain = [re.sub(r"[^\w.-]+", "-", title).strip("-.")[:_MOST_IN_SLUG] or "run" for title in titles]
    return [f"{slug}-{row + 1}" if plain.count(slug) > 1 else slug for row, slug in enumerate(plain)]
