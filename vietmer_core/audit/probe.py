"""A probe: how well a few numbers alone predict the label, by cross-validation over groups. Torch-free.

Each number is put into at most `MAX_BINS` bins of equal frequency and the classes are weighed alike (naive Bayes with
equal priors), so the score to beat is 1 / classes in balanced accuracy, whatever the sizes of the classes. Bins are cut
from the numbers alone; counts come from the other folds.
"""

from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

MAX_BINS: Final = 12
NUM_FOLDS: Final = 5
NUM_EXCHANGES: Final = 199
SMOOTHING: Final = 1.0


@attrs.frozen(kw_only=True)
class ProbeScore:
    """What a probe reached.

    Attributes:
        balanced_accuracy: Mean recall of the classes over all held-out folds.
        chance: 1 / classes.
        p_value: Share of exchanges of the labels between groups that reach as much, (1 + those) / (1 + all) (Phipson
            and Smyth 2010).
        num_rows: Rows.
        num_groups: Groups that the folds keep together.
    """

    balanced_accuracy: float
    chance: float
    p_value: float
    num_rows: int
    num_groups: int


def score_probe(
    features: NDArray[np.float64],
    labels: NDArray[np.int64],
    *,
    groups: NDArray[np.int64],
    categorical: bool = False,
    seed: int = 0,
) -> ProbeScore | None:
    """The score of features `(rows, features)`, or None where there are too few rows or groups for the folds.

    Args:
        features: Numbers; NaN is a value of its own.
        labels: `(rows,)` classes from 0; one of fewer rows than folds is left out.
        groups: `(rows,)` what must not stand on both sides of a fold, such as the speaker, as numbers.
        categorical: Whether the numbers are codes, to be taken as they are.
        seed: Of the permutations.
    """
    keep = np.isin(labels, np.flatnonzero(np.bincount(labels) >= NUM_FOLDS)) if len(labels) else labels.astype(bool)
    classes, truth = np.unique(labels[keep], return_inverse=True)
    _, group = np.unique(groups[keep], return_inverse=True)
    num_groups = int(group.max(initial=-1)) + 1
    if len(classes) < 2 or num_groups < NUM_FOLDS:
        return None
    folds = _folds(group, truth)
    cells = _cells(features[keep], categorical=categorical)
    reached = _balanced_accuracy(cells, truth, folds, num_classes=len(classes))
    generator = np.random.default_rng(seed)
    draws = [
        _balanced_accuracy(cells, _exchanged(truth, group, generator), folds, num_classes=len(classes))
        for _ in range(NUM_EXCHANGES)
    ]
    exceeding = sum(draw >= reached - 1e-12 for draw in draws)
    return ProbeScore(
        balanced_accuracy=reached,
        chance=1 / len(classes),
        p_value=(1 + exceeding) / (1 + NUM_EXCHANGES),
        num_rows=len(truth),
        num_groups=num_groups,
    )


def _folds(group: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each row `(rows,)`: the largest group first, each into the fold that then is the most even."""
    num_classes = int(truth.max()) + 1
    content = np.bincount(group * num_classes + truth, minlength=(int(group.max()) + 1) * num_classes)
    content = content.reshape(-1, num_classes)  # (groups, classes)
    target = content.sum(axis=0) / NUM_FOLDS  # (classes,)
    held = np.zeros((NUM_FOLDS, num_classes))
    fold_of = np.zeros(len(content), dtype=np.int64)
    for name in np.argsort(-content.sum(axis=1), kind="stable"):
        excess = (((held + content[name]) / target) ** 2).sum(axis=1) - ((held / target) ** 2).sum(axis=1)
        fold_of[name] = int(excess.argmin())
        held[fold_of[name]] += content[name]
    return fold_of[group]


def _cells(features: NDArray[np.float64], *, categorical: bool) -> NDArray[np.int64]:
    """The bins of each row's features `(rows, features)`, 0 where a number is NaN."""
    columns = []
    for values in features.T:
        known = ~np.isnan(values)
        codes = np.zeros(len(values), dtype=np.int64)
        if categorical:
            edges = np.unique(values[known])
        else:
            shares = np.linspace(0, 1, MAX_BINS + 1)[:-1]
            edges = np.unique(np.quantile(values[known], shares)) if known.any() else values[known]
        codes[known] = np.searchsorted(edges, values[known], side="right")
        columns.append(codes)
    return np.stack(columns, axis=1)


def _balanced_accuracy(
    cells: NDArray[np.int64], truth: NDArray[np.int64], folds: NDArray[np.int64], *, num_classes: int
) -> float:
    num_bins = int(cells.max()) + 1
    scores = np.zeros((len(truth), num_classes))
    for codes in cells.T:
        place = (folds * num_bins + codes) * num_classes + truth
        counts = np.bincount(place, minlength=NUM_FOLDS * num_bins * num_classes)
        counts = counts.reshape(NUM_FOLDS, num_bins, num_classes)
        others = counts.sum(axis=0) - counts + SMOOTHING  # (folds, bins, classes)
        scores += np.log(others / others.sum(axis=1, keepdims=True))[folds, codes]  # (rows, classes)
    predicted = scores.argmax(axis=1)
    hits = np.bincount(truth[predicted == truth], minlength=num_classes)
    occurs = np.bincount(truth, minlength=num_classes)
    return float((hits / np.maximum(1, occurs))[occurs > 0].mean())


def _exchanged(truth: NDArray[np.int64], group: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Labels `(rows,)` that know nothing of the features but stay as alike within a group as they were.

    Each group takes the place of another: a row takes the label of a row drawn from the group that its own drew. Where
    every row is a group this is a permutation.
    """
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group)
    begins = np.cumsum(sizes) - sizes
    drawn = generator.permutation(len(sizes))[group]  # (rows,)
    chosen = begins[drawn] + (generator.random(len(group)) * sizes[drawn]).astype(np.int64)
    exchanged: NDArray[np.int64] = truth[order[chosen]]
    return exchanged
