"""`measure_reliance`: a run under every change, and the files that it leaves.

Both stand in `RUN/evaluation/SPLIT`: `reliance.json`, written anew after each condition so that what has been computed
is kept, and `shares.jsonl`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import attrs
import numpy as np

from vietmer_core.assembly import part_seed
from vietmer_core.components import Modality
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.splits import open_split
from vietmer_core.evaluation.calibration import weights_of
from vietmer_core.evaluation.prediction_files import write_rows
from vietmer_core.features.filling import open_feature_cache, with_cache
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import CacheRecord
from vietmer_core.reliance.changes import Changed, Split
from vietmer_core.reliance.conditions import GROUPS, Condition, Levels, conditions_of, left_out
from vietmer_core.reliance.running import ChangedRuns
from vietmer_core.reliance.scoring import Comparison, scores_of
from vietmer_core.reliance.shares import share_rows, summarise_shares
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import check_split

VERSION: Final = 1
"""Of `reliance.json`: rises when a field changes its meaning or goes."""
SHARES: Final = "shares"
ALL_GROUPS: Final = (*GROUPS, SHARES)
DRAWS: Final = 5
SAME: Final = ("version", "split", "data", "weights", "seed", "draws", "noise", "temperature")
"""Fields of an earlier file that must be equal for its conditions to stand beside new ones."""


def reliance_file(split: str) -> str:
    """Name of the file in a run's folder."""
    return f"evaluation/{split}/reliance.json"


@attrs.frozen(kw_only=True)
class Plan:
    """What is measured.

    Attributes:
        groups: Of `ALL_GROUPS`. What an earlier call has left of other groups stays, if nothing else was different.
        levels: Of the curves.
        draws: Draws of what is shuffled and of wrong words.
        seed: Of every draw; None takes the run's own.
    """

    groups: tuple[str, ...] = ALL_GROUPS
    levels: Levels = attrs.field(factory=Levels)
    draws: int = DRAWS
    seed: int | None = None


def measure_reliance(
    run: TrainedRun,
    split: str,
    plan: Plan,
    *,
    cache: str | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
    report: Callable[[CacheRecord], None] = lambda _: None,
) -> dict[str, Any]:
    """Evaluate a run on a split under changes of what it reads and hears; what `reliance.json` holds.

    Args:
        run: A trained model.
        split: Name of a split of its spec.
        plan: What is measured.
        cache: Another folder of the feature cache, or `none`.
        on_batch: Told the number of utterances of each batch done.
        report: Told how far the feature cache is filled.

    Raises:
        RunError: if the spec of the run names no such split, or a file cannot be written.
        VietmerError: if the split cannot be read, or the noise is neither a colour nor a folder.
    """
    left = left_out(run.modalities)
    wanted = [group for group in GROUPS if group in plan.groups and group not in left]
    opened = _open(run, split, seed=plan.seed, cache=cache, report=report)
    conditions = conditions_of(wanted, levels=plan.levels, from_cache=Modality.AUDIO in opened.states)
    runs = ChangedRuns(run, opened, on_batch=on_batch)
    document = {
        **_settings(run, split, opened, plan),
        "temperature": None if run.calibration is None else run.calibration.temperature,
        "num_utterances": len(opened.manifest),
        "num_speakers": runs.before.num_clusters,
        "num_unknown_speakers": runs.before.num_unknown_speakers,
        "unchanged": scores_of(runs.before),
        "conditions": [],
        "left_out": [{"group": group, "reason": left[group]} for group in GROUPS if group in left],
        "shares": None,
    }
    _take_over(document, run.folder, groups=wanted)
    for condition in conditions:
        _put(document, condition, runs, draws=plan.draws)
        run.folder.write_json(reliance_file(split), document)
    _drop_earlier(document, measured={condition.name for condition in conditions}, groups=wanted)
    if SHARES in plan.groups:
        _measure_shares(document, run, runs)
    run.folder.write_json(reliance_file(split), document)
    return document


def _settings(run: TrainedRun, split: str, opened: Split, plan: Plan) -> dict[str, Any]:
    return {
        "version": VERSION,
        "split": split,
        "data": split_fingerprint(opened.manifest, content=run.spec.data.fingerprint == "content"),
        "weights": weights_of(run.folder),
        "epoch": run.epoch,
        "labels": list(run.spec.labels),
        "modalities": sorted(modality.value for modality in run.modalities),
        "seed": opened.seed,
        "draws": plan.draws,
        "noise": plan.levels.noise,
    }


def _open(
    run: TrainedRun,
    split: str,
    *,
    seed: int | None,
    cache: str | None,
    report: Callable[[CacheRecord], None],
) -> Split:
    check_split(run.folder, run.spec, split)
    manifest = open_split(run.spec, split, run.catalogue)
    features = open_feature_cache(
        with_cache(run.spec, cache), run.catalogue, run.model, run.frontends, device=run.device, report=report
    )
    return Split.of(
        manifest,
        states={} if features is None else features.states_of(manifest, split),
        seed=part_seed(run.spec.seed, "reliance") % 2**32 if seed is None else seed,
        sampling_rate=0 if run.frontends.audio is None else run.frontends.audio.sampling_rate,
    )


def _take_over(document: dict[str, Any], folder: RunFolder, *, groups: Sequence[str]) -> None:
    """Keep what an earlier file holds; what is measured again takes its place one by one."""
    earlier = folder.read_json(reliance_file(document["split"]))
    if any(earlier.get(name) != document[name] for name in SAME):
        return
    document["conditions"], document["shares"] = earlier.get("conditions", []), earlier.get("shares")
    told = {entry["group"] for entry in document["left_out"]} | set(groups)
    document["left_out"].extend(entry for entry in earlier.get("left_out", []) if entry["group"] not in told)


def _drop_earlier(document: dict[str, Any], *, measured: Collection[str], groups: Sequence[str]) -> None:
    """Leave out what an earlier call measured of these groups at other levels."""
    kept = [entry for entry in document["conditions"] if entry["name"] in measured or entry["group"] not in groups]
    document["conditions"] = kept


def _put(document: dict[str, Any], condition: Condition, runs: ChangedRuns, *, draws: int) -> None:
    compared, made = runs.compare(condition, draws=draws)
    if compared is None:
        what = "has both modalities" if condition.group in ("removed", "shuffled") else f"has {condition.modality}"
        reason = f"{condition.title}: no utterance of the split {what}"
        reason += " and another to exchange with." if condition.group == "shuffled" else "."
        document["left_out"].append({"group": condition.group, "reason": reason})
        return
    others = [entry for entry in document["conditions"] if entry["name"] != condition.name]
    document["conditions"] = [*others, _entry(condition, compared, made)]
    document["conditions"].sort(key=lambda entry: GROUPS.index(entry["group"]))


def _entry(condition: Condition, compared: Comparison, made: Sequence[Changed]) -> dict[str, Any]:
    measured = {name: float(np.mean([changed.measured[name] for changed in made])) for name in made[0].measured}
    return {
        "name": condition.name,
        "group": condition.group,
        "title": condition.title,
        "modality": condition.modality.value,
        "level": condition.level,
        "draws": len(made),
        **compared.as_json(),
        "measured": measured,
    }


def _measure_shares(document: dict[str, Any], run: TrainedRun, runs: ChangedRuns) -> None:
    shares, attention, manifest = runs.shares(), runs.attention(), runs.split.manifest
    path = run.folder.evaluation_path(document["split"]) / "shares.jsonl"
    write_rows(path, share_rows(shares, manifest, run.spec.labels, attention))
    document["shares"] = summarise_shares(shares, manifest, runs.before, attention, seed=runs.split.seed % 2**32)
