"""From runs to systems: seeds of one system together, folds of one protocol joined. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import attrs
import numpy as np

from vietmer_core.comparison.folds import folds_of
from vietmer_core.comparison.systems import System
from vietmer_core.comparison.tested_runs import TestedRun, digest
from vietmer_core.errors import RunError


def systems_of(runs: Sequence[TestedRun], *, grouped: bool = True) -> list[System]:
    """The systems that runs belong to, in the order of their first runs.

    Runs are of one system where their specs differ in the name, the seed and what changes no result alone, and they
    were trained on the same data; or where they were trained and tested on different folds of one protocol.

    Args:
        runs: Of one split.
        grouped: Whether to look for seeds and folds; otherwise each run is a system of its own.

    Raises:
        RunError: if a seed stands twice, or folds are missing.
    """
    if not grouped:
        names = _names([[run] for run in runs])
        return [_system([attrs.evolve(run, protocol=None)], name=name) for run, name in zip(runs, names, strict=True)]
    groups: dict[tuple[str, ...], list[TestedRun]] = {}
    for run in runs:
        folds = folds_of(run.protocol)
        data = ("one", run.trained_on, run.data) if folds is None else ("folds", folds.name)
        groups.setdefault((digest(run.settings), *run.labels, *data), []).append(run)
    names = _names(list(groups.values()))
    return [_system(members, name=name) for members, name in zip(groups.values(), names, strict=True)]


def _names(groups: Sequence[Sequence[TestedRun]]) -> list[str]:
    """What tells the systems apart: the names of their specs, else the names of their first runs, else the paths."""
    specs = ["/".join(dict.fromkeys(run.name for run in group)) for group in groups]
    folders = [group[0].folder.path.name for group in groups]
    paths = [str(group[0].folder.path) for group in groups]
    return [
        next(name for name, all_names in options if all_names.count(name) == 1 or all_names is paths)
        for options in (
            ((specs[index], specs), (folders[index], folders), (paths[index], paths)) for index in range(len(groups))
        )
    ]


def _system(runs: Sequence[TestedRun], *, name: str) -> System:
    by_seed: dict[int, list[TestedRun]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run)
    parts = {seed: dict(_by_fold(members)) for seed, members in sorted(by_seed.items())}
    folds = _same_folds(parts, name=name)
    joined = [_joined([part[fold] for fold in folds], name=name, seed=seed) for seed, part in parts.items()]
    sizes = [len(next(iter(parts.values()))[fold].truth) for fold in folds]
    numbers = None if folds_of(runs[0].protocol) is None else np.repeat(np.arange(len(folds)), sizes)
    first = joined[0]
    for other in joined[1:]:
        if first.utterance_ids != other.utterance_ids or not np.array_equal(first.truth, other.truth):
            raise RunError(
                f"the runs of `{name}` with the seeds {first.seeds[0]} and {other.seeds[0]} tested other utterances or "
                "labels. Evaluate both on one split, or compare each run by itself with `--each`."
            )
    return System(
        name=name,
        labels=first.labels,
        utterance_ids=first.utterance_ids,
        speakers=first.speakers,
        truth=first.truth,
        probabilities=np.concatenate([one.probabilities for one in joined]),
        seeds=tuple(parts),
        folds=numbers,
        runs=tuple(str(run.folder.path) for part in parts.values() for run in part.values()),
    ).sorted_by_id()


def _by_fold(runs: Sequence[TestedRun]) -> Iterator[tuple[str, TestedRun]]:
    """Each run with the fingerprint of what it tested, which tells the folds apart."""
    seen: dict[str, TestedRun] = {}
    for run in runs:
        if run.data in seen:
            raise RunError(
                f"{seen[run.data].folder.path} and {run.folder.path} are runs of one spec with seed {run.seed}, tested "
                "on the same utterances. Give one of them, or compare each run by itself with `--each`."
            )
        seen[run.data] = run
        yield run.data, run


def _same_folds(parts: Mapping[int, Mapping[str, TestedRun]], *, name: str) -> list[str]:
    """The folds, all of them for every seed.

    Raises:
        RunError: if folds are missing.
    """
    run = next(run for part in parts.values() for run in part.values())
    found = sorted({fold for part in parts.values() for fold in part})
    protocol = folds_of(run.protocol)
    wanted = len(found) if protocol is None or protocol.count is None else protocol.count
    for seed, part in parts.items():
        if len(part) != wanted:
            raise RunError(
                f"of `{name}` with seed {seed} there are runs of {len(part)} folds, but `{run.protocol}` has {wanted}. "
                "Give one run of each fold, so that every utterance is tested, or compare each by itself with `--each`."
            )
        if sorted(part) != found:
            raise RunError(f"the seeds of `{name}` tested different folds. Give the same folds of every seed.")
    return found


def _joined(runs: Sequence[TestedRun], *, name: str, seed: int) -> System:
    """The predictions of one seed over all folds."""
    for one, other in combinations(runs, 2):
        if shared := set(one.utterance_ids) & set(other.utterance_ids):
            raise RunError(
                f"{one.folder.path} and {other.folder.path} are folds of one protocol, but both tested "
                f"`{min(shared)}`. Give runs of folds that were made together."
            )
    return System(
        name=name,
        labels=runs[0].labels,
        utterance_ids=tuple(utterance for run in runs for utterance in run.utterance_ids),
        speakers=tuple(speaker for run in runs for speaker in run.speakers),
        truth=np.concatenate([run.truth for run in runs]),
        probabilities=np.concatenate([run.probabilities for run in runs])[None],
        seeds=(seed,),
    )
