"""Comparing run folders: the command `vietmer compare` without its printing. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.comparison.comparing import Comparison, compare_systems
from vietmer_core.comparison.grouping import systems_of
from vietmer_core.comparison.tested_runs import TestedRun, read_tested_run
from vietmer_core.comparison.wording import conclusion, notes_of
from vietmer_core.errors import AssemblyError, RunError
from vietmer_core.evaluation.cluster_sums import SHARES
from vietmer_core.training.resuming import differences
from vietmer_core.training.run_folder import require_distinct

MOST_NAMED: Final = 4
"""Fields named in a note."""
UNLIKE: Final = (
    "Calibrated probabilities stand beside others: the difference in {metric} is also that of calibrating. Run "
    "`vietmer calibrate` and `vietmer evaluate` on all of them, or evaluate all with `--uncalibrated`."
)
_ALIKE: Final = ({"calibrated"}, {"the model's own"}, {"not stated"})
TOO_GOOD: Final = {
    "train": "The models were trained on this split, so its scores say nothing of others; compare on the test split.",
    "valid": "This split chose the checkpoints, so its scores are too good; compare on the test split.",
}


@attrs.frozen(kw_only=True)
class RunComparison:
    """A comparison of runs, and what is known of their split.

    Attributes:
        comparison: The figures.
        split: The split compared on.
        data: Its fingerprints; several where there are folds.
        protocols: How the corpus was split, by system; None where the manifests do not say.
        audits: The verdict on leaks between the splits, by system: `clean`, `leak`, `not audited`.
        probabilities: Whose they are, by system: `calibrated`, `the model's own`, `both` or `not stated`.
        conclusions: A sentence a pair.
        notes: What a reader must know.
    """

    comparison: Comparison
    split: str
    data: tuple[str, ...]
    protocols: Mapping[str, str | None]
    audits: Mapping[str, str]
    probabilities: Mapping[str, str]
    conclusions: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        facts = {name: value for name, value in attrs.asdict(self).items() if name != "comparison"}
        return {"version": 1, **facts, **self.comparison.as_json()}


def compare_runs(
    paths: Sequence[Path],
    *,
    split: str = "test",
    base: str | None = None,
    metric: str = "macro_f1",
    grouped: bool = True,
    seed: int = 0,
) -> RunComparison:
    """Compare runs that were evaluated on the same split.

    Args:
        paths: Run folders.
        split: The split.
        base: A system, or a run folder of one, that each of the others is compared with; every pair where None.
        metric: The one that is tested.
        grouped: Whether runs that differ in the seed alone are one system, and folds are joined.
        seed: Of draws and swaps.

    Raises:
        AssemblyError: if a run is given twice, or the base is none of them.
        RunError: if a run cannot be used, or the runs tested different utterances or labels.
    """
    require_distinct(paths)
    runs = [read_tested_run(path, split=split) for path in paths]
    systems = systems_of(runs, grouped=grouped)
    members = {system.name: [run for run in runs if str(run.folder.path) in system.runs] for system in systems}
    named = base if base is None or base in members else _system_of(Path(base), members)
    comparison = compare_systems(systems, base=named, metric=metric, seed=seed)
    notes = [TOO_GOOD[split]] if split in TOO_GOOD else []
    probabilities = {name: _probabilities(group) for name, group in members.items()}
    if metric not in SHARES and {*probabilities.values()} not in _ALIKE:
        notes.append(UNLIKE.format(metric=metric))
    return RunComparison(
        comparison=comparison,
        split=split,
        data=tuple(dict.fromkeys(run.data for run in runs)),
        protocols={name: _protocol(group) for name, group in members.items()},
        audits={name: _audit(group) for name, group in members.items()},
        probabilities=probabilities,
        conclusions=tuple(conclusion(pair, comparison) for pair in comparison.pairs),
        notes=(*notes, *_fingerprint_notes(members), *_notes_on_names(members), *notes_of(comparison)),
    )


def _system_of(path: Path, members: Mapping[str, Sequence[TestedRun]]) -> str:
    for name, group in members.items():
        if any(run.folder.path.resolve() == path.resolve() for run in group):
            return name
    named = ", ".join(members)
    raise AssemblyError(f"the base must be a run that is compared or one of {named}, but is `{path}` instead.")


def _protocol(runs: Sequence[TestedRun]) -> str | None:
    """The protocol of a system's runs, equal in all folds."""
    return "; ".join(dict.fromkeys(run.protocol for run in runs if run.protocol is not None)) or None


def _audit(runs: Sequence[TestedRun]) -> str:
    """The worst verdict of a system's runs."""
    verdicts = {run.audit or "not audited" for run in runs}
    return next(verdict for verdict in ("leak", "not audited", "clean", *verdicts) if verdict in verdicts)


def _probabilities(runs: Sequence[TestedRun]) -> str:
    """Whose the probabilities of a system's runs are."""
    known = {run.is_calibrated for run in runs}
    if len(known) > 1:
        return "both"
    return {True: "calibrated", False: "the model's own", None: "not stated"}[known.pop()]


def _notes_on_names(members: Mapping[str, Sequence[TestedRun]]) -> Iterator[str]:
    """Why runs of one name are several systems: the fields of their specs, or the data, in which they differ."""
    for (one, mine), (other, theirs) in combinations(members.items(), 2):
        if mine[0].name != theirs[0].name:
            continue
        changes = list(differences(mine[0].settings, theirs[0].settings))
        told = [f"`{field}`" for field in changes[:MOST_NAMED]]
        told += [f"{len(changes) - MOST_NAMED} more fields"] if len(changes) > MOST_NAMED else []
        if not changes and mine[0].trained_on != theirs[0].trained_on:
            told = ["the data that they were trained on"]
        if told:
            yield f"`{one}` and `{other}` are two systems, since they differ in {', '.join(told)}."


def _fingerprint_notes(members: Mapping[str, Sequence[TestedRun]]) -> Iterator[str]:
    """Refuse test sets whose bytes differ; where fingerprints cannot be compared, say so.

    Raises:
        RunError: if the same utterances have other audio, times or transcripts.
    """
    noted = False
    for (one, mine), (other, theirs) in combinations(members.items(), 2):
        if {run.hashes_audio for run in mine} != {run.hashes_audio for run in theirs}:
            if not noted:
                yield "Not all runs fingerprint the bytes of the audio, so that these were not compared."
            noted = True
        elif {run.data for run in mine} != {run.data for run in theirs}:
            raise RunError(
                f"`{one}` and `{other}` tested utterances of the same names, but their manifests or recordings differ "
                "(fingerprints in scores.json). Evaluate both on one split."
            )
