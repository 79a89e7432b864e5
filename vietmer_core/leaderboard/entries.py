"""`Entry`: the runs of one system, as one line of a leaderboard. Torch-free."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np

from vietmer_core.comparison.comparing import SystemScores, scores_of
from vietmer_core.comparison.folds import folds_of
from vietmer_core.comparison.grouping import systems_of
from vietmer_core.comparison.systems import System
from vietmer_core.comparison.tested_runs import TestedRun, digest
from vietmer_core.errors import RunError
from vietmer_core.leaderboard.finding import METRICS, Result, Standing

WORST: tuple[Standing, ...] = ("leak", "not audited", "no protocol", "audited")


@attrs.frozen(kw_only=True)
class BoardKey:
    """What the entries of one table have in common.

    Attributes:
        standing: What is known of leaks and of the protocol.
        split: That was scored.
        protocol: How the corpus was split.
        labels: The label space, sorted.
        classes: Utterances of each of these labels.
        data: Fingerprints of what was tested, sorted: several where folds are joined.
    """

    standing: Standing
    split: str
    protocol: str | None
    labels: tuple[str, ...]
    classes: tuple[int, ...]
    data: tuple[str, ...]


@attrs.frozen(kw_only=True, eq=False)
class Entry:
    """One system.

    Attributes:
        key: Its table.
        name: As written there.
        model: Kinds of its parts.
        seeds: Of its runs.
        runs: Their paths.
        scores: Means over the runs, by metric.
        deviations: Standard deviations over the seeds; None of one.
        interval: Ends of that of the macro-F1.
        num_utterances: Scored.
        system: Its predictions; None where they are not there.
    """

    key: BoardKey
    name: str
    model: str
    seeds: tuple[int, ...]
    runs: tuple[str, ...]
    scores: Mapping[str, float]
    deviations: Mapping[str, float | None]
    interval: tuple[float, float] | None
    num_utterances: int
    system: System | None


def entries_of(results: Sequence[Result]) -> tuple[list[Entry], list[str]]:
    """The entries that results make, and a sentence on each that makes none."""
    entries: list[Entry] = []
    faults: list[str] = []
    for group in _grouped(results, faults):
        try:
            entries.append(_entry(group))
        except RunError as error:
            faults.append(str(error))
    return list(_told_apart(entries)), faults


def _told_apart(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Entries of one name in one table with the path of their first run behind it."""
    counts = Counter((entry.key, entry.name) for entry in entries)
    for entry in entries:
        several = counts[entry.key, entry.name] > 1
        yield attrs.evolve(entry, name=f"{entry.name} ({entry.runs[0]})") if several else entry


def _grouped(results: Sequence[Result], faults: list[str]) -> Iterator[list[Result]]:
    """Results of one system, in which each seed, and each fold of it, stands once."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        if result.tested is None:
            yield [result]
            continue
        groups.setdefault((result.split, *_system_key(result, result.tested)), []).append(result)
    for members in groups.values():
        for part in _of_one_corpus(members):
            yield from _waves(part, faults)


def _system_key(result: Result, run: TestedRun) -> tuple[object, ...]:
    """Equal in runs of one system, as `compare` groups them, of which the same is known; of folds the worst counts."""
    folds = folds_of(run.protocol)
    one = (result.standing, run.protocol, run.trained_on, run.data, result.classes)
    return (digest(run.settings), run.labels, *(one if folds is None else (folds.name,)))


def _of_one_corpus(members: Sequence[Result]) -> list[list[Result]]:
    """Folds of one protocol, those of each corpus by themselves: several corpora may have been split alike.

    Two results are of one corpus where their folds lie beside one another, or where both are of the same data.
    """
    if folds_of(members[0].protocol) is None:
        return [list(members)]
    corpora: list[list[Result]] = []
    for result in members:
        own, others = [result], []
        for corpus in corpora:
            if any(result.source == other.source or result.data == other.data for other in corpus):
                own = [*corpus, *own]
            else:
                others.append(corpus)
        corpora = [*others, own]
    return corpora


def _waves(members: Sequence[Result], faults: list[str]) -> Iterator[list[Result]]:
    """Runs that repeat a seed make an entry of their own; exact copies are left out."""
    waves: list[dict[tuple[int, str], Result]] = []
    for result in members:
        place = (result.seed, result.data)
        same = [wave[place] for wave in waves if place in wave]
        copy = next((other for other in same if _is_copy(result, other)), None)
        if copy is not None:
            faults.append(f"{result.path}: is a copy of {copy.path}, {result.split} split, and is left out.")
            continue
        if len(same) == len(waves):
            waves.append({})
        next(wave for wave in waves if place not in wave)[place] = result
    yield from (list(wave.values()) for wave in waves)


def _is_copy(one: Result, other: Result) -> bool:
    if one.tested is None or other.tested is None or one.tested.utterance_ids != other.tested.utterance_ids:
        return False
    return np.array_equal(one.tested.probabilities, other.tested.probabilities)


def _entry(results: Sequence[Result]) -> Entry:
    first = results[0]
    data = tuple(sorted({result.data for result in results}))
    standing = next(name for name in WORST if name in {result.standing for result in results})
    key = BoardKey(
        standing=standing,
        split=first.split,
        protocol=first.protocol,
        labels=first.labels,
        classes=first.classes,
        data=data,
    )
    runs = tuple(sorted(result.path for result in results))
    if first.tested is None:
        return Entry(
            key=key,
            name=_name(results),
            model=first.model,
            seeds=(first.seed,),
            runs=runs,
            scores=first.scores,
            deviations=dict.fromkeys(METRICS),
            interval=first.interval,
            num_utterances=first.num_utterances,
            system=None,
        )
    (system,) = systems_of([result.tested for result in results if result.tested is not None])
    system = _with_sorted_labels(attrs.evolve(system, name=" ".join(runs)))
    scores = scores_of(system)
    classes = tuple(np.bincount(system.truth, minlength=len(system.labels)).tolist())
    return Entry(
        key=attrs.evolve(key, classes=classes),
        name=_name(results),
        model=first.model,
        seeds=system.seeds,
        runs=runs,
        scores={metric: scores.scores[metric].mean for metric in METRICS},
        deviations={metric: scores.scores[metric].deviation for metric in METRICS},
        interval=_ends(scores),
        num_utterances=system.num_utterances,
        system=system,
    )


def _ends(scores: SystemScores) -> tuple[float, float] | None:
    interval = scores.scores["macro_f1"].interval
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


def _name(results: Sequence[Result]) -> str:
    """Names of the specs, or the matrix and the levels that all of the cells share."""
    names = ", ".join(dict.fromkeys(result.name for result in results))
    first, *others = [result.levels for result in results]
    shared = [f"{axis}={level}" for axis, level in first.items() if all(one.get(axis) == level for one in others)]
    return f"{names}: {', '.join(shared)}" if shared else names


def _with_sorted_labels(system: System) -> System:
    """The same with its label space in alphabetical order, so that two orders of one space can be compared."""
    order = sorted(range(len(system.labels)), key=system.labels.__getitem__)
    places = np.argsort(order)
    return attrs.evolve(
        system,
        labels=tuple(system.labels[index] for index in order),
        truth=places[system.truth],
        probabilities=system.probabilities[..., order],
    )
