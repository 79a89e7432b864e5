"""How evenly grouped folds share the labels, and in what time: ours beside scikit-learn's StratifiedGroupKFold.

Run `python benchmarks/splits.py`. Each corpus is split into five folds with ten seeds by both; a row gives means over
the seeds. `divergence` is the mean Jensen–Shannon divergence of the labels of a fold from those of the corpus, in
millibits; `deviation` the largest difference of the share of a class, in points; `size` the largest difference of a
fold's share of the rows, in points; `holes` the pairs of fold and class in which the fold lacks the class although as
many groups hold it as there are folds. Our folds are not told to be even in size at the price of the labels, nor are
theirs. It imports no torch.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from vietmer_core.splitting.assignment import assign
from vietmer_core.splitting.balance import jensen_shannon

NUM_FOLDS: Final = 5
CLASSES: Final = np.array([0.35, 0.25, 0.15, 0.12, 0.08, 0.04, 0.01])


@attrs.frozen(kw_only=True, eq=False)
class Corpus:
    """A label and a group for every row, `(rows,)`."""

    name: str
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each label in each group, `(groups, classes)`."""
        counts = np.zeros((int(self.groups.max()) + 1, int(self.labels.max()) + 1), dtype=np.int64)
        np.add.at(counts, (self.groups, self.labels), 1)
        return counts


def make_corpus(name: str, *, num_groups: int, rows_per_group: float, spread: float, concentration: float) -> Corpus:
    """Groups of log-normal sizes, whose labels are drawn around those of the corpus: less alike, less concentrated."""
    generator = np.random.default_rng(num_groups)
    sizes = np.maximum(1, generator.lognormal(np.log(rows_per_group), spread, num_groups)).astype(np.int64)
    shares = generator.dirichlet(concentration * CLASSES, num_groups)  # (groups, classes)
    counts = np.stack([generator.multinomial(size, share) for size, share in zip(sizes, shares, strict=True)])
    groups, labels = np.nonzero(counts)
    amounts = counts[groups, labels]
    return Corpus(name=name, labels=np.repeat(labels, amounts), groups=np.repeat(groups, amounts))


def corpora() -> Iterator[Corpus]:
    yield make_corpus("12 speakers, skewed", num_groups=12, rows_per_group=80, spread=0.8, concentration=4)
    yield make_corpus("24 speakers, alike", num_groups=24, rows_per_group=60, spread=0.2, concentration=50)
    yield make_corpus("147 speakers, skewed", num_groups=147, rows_per_group=25, spread=1.0, concentration=4)
    yield make_corpus("95 sources of one label", num_groups=95, rows_per_group=2, spread=0.6, concentration=0.05)
    yield make_corpus("2,000 speakers, skewed", num_groups=2000, rows_per_group=10, spread=1.2, concentration=4)


def ours(corpus: Corpus, seed: int) -> NDArray[np.int64]:
    counts = corpus.counts
    columns = np.concatenate([counts.sum(axis=1, keepdims=True), counts], axis=1)
    shares = np.full(NUM_FOLDS, 1 / NUM_FOLDS)
    return assign(columns, shares, np.random.default_rng(seed), first_trains=False)[corpus.groups]


def theirs(corpus: Corpus, seed: int) -> NDArray[np.int64]:
    folds = np.empty(len(corpus.labels), dtype=np.int64)
    splitter = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(splitter.split(corpus.labels, corpus.labels, corpus.groups)):
        folds[test] = number
    return folds


def quality(corpus: Corpus, folds: NDArray[np.int64]) -> tuple[float, float, float, int]:
    """Divergence in millibits, deviation and size in points, holes that need not be."""
    classes = int(corpus.labels.max()) + 1
    held = np.zeros((NUM_FOLDS, classes))
    np.add.at(held, (folds, corpus.labels), 1)
    overall = held.sum(axis=0) / held.sum()
    within = held / np.maximum(held.sum(axis=1, keepdims=True), 1)
    divergence = float(np.mean([jensen_shannon(share, overall) for share in within]))
    size = float(np.abs(held.sum(axis=1) / held.sum() - 1 / NUM_FOLDS).max())
    possible = (corpus.counts > 0).sum(axis=0) >= NUM_FOLDS
    return (
        1000 * divergence,
        100 * float(np.abs(within - overall).max()),
        100 * size,
        int((held == 0)[:, possible].sum()),
    )


def measure(corpus: Corpus, split: Callable[[Corpus, int], NDArray[np.int64]], *, seeds: int) -> list[float]:
    begin = time.perf_counter()
    found = [split(corpus, seed) for seed in range(seeds)]
    seconds = (time.perf_counter() - begin) / seeds
    different = len({folds.tobytes() for folds in found})
    return [*np.mean([quality(corpus, folds) for folds in found], axis=0).tolist(), seconds, different]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    print(f"Python {sys.version.split()[0]}, {NUM_FOLDS} folds, means over {seeds} seeds\n")
    print("| corpus | rows | by | divergence, mbit | deviation | size | holes | s | different splits |")
    print("|---|--:|---|--:|--:|--:|--:|--:|--:|")
    for corpus in corpora():
        for name, split in (("VietMER", ours), ("StratifiedGroupKFold", theirs)):
            divergence, deviation, size, holes, seconds, different = measure(corpus, split, seeds=seeds)
            figures = f"{divergence:.2f} | {deviation:.1f} | {size:.1f} | {holes:.1f} | {seconds:.2f} | {different:.0f}"
            print(f"| {corpus.name} | {len(corpus.labels):,} | {name} | {figures} |")


if __name__ == "__main__":
    main()
