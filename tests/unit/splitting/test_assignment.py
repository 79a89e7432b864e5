"""The optimisation: what it promises of any counts, and how near it comes to the best there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from vietmer_core.splitting.assignment import assign
from vietmer_core.splitting.balance import jensen_shannon
from vietmer_core.splitting.cost import Cost

THREE = np.array([0.7, 0.15, 0.15])
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 30), min_size=width, max_size=width), min_size=3, max_size=24)
)


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def totals_of(counts: NDArray[np.int64], placed: NDArray[np.int64], num_splits: int) -> NDArray[np.float64]:
    return np.stack([counts[placed == split].sum(axis=0) for split in range(num_splits)]).astype(np.float64)


def cost_of(counts: NDArray[np.int64], placed: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    cost = Cost.of(counts.sum(axis=0).astype(np.float64), shares, first_trains=True)
    return cost.total(totals_of(counts, placed, len(shares)))


@given(table=TABLES, pinned=st.sets(st.integers(0, 23)), seed=st.integers(0, 3))
def test_every_group_is_placed_no_split_is_empty_and_pinned_groups_train(
    table: list[list[int]], pinned: set[int], seed: int
) -> None:
    counts = np.array(table) + 1
    held = np.isin(np.arange(len(counts)), list(pinned))
    if (~held).sum() + bool(held.any()) < 3:
        with pytest.raises(ValueError, match="3 splits need as many groups"):
            assign(counts, THREE, draw(seed), pinned=held)
        return
    placed = assign(counts, THREE, draw(seed), pinned=held)
    assert placed.shape == (len(counts),)
    assert set(placed.tolist()) == {0, 1, 2}
    assert not placed[held].any()
    again = assign(counts, THREE, draw(seed), pinned=held)
    assert placed.tolist() == again.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_what_is_found_is_near_the_best_of_all_splits(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(1, 20, size=(8, 3))
    every = np.array(list(itertools.product(range(3), repeat=8)))  # (ways, groups)
    totals = np.einsum("wgs,gc->wsc", np.equal.outer(every, np.arange(3)).astype(np.float64), counts)
    cost = Cost.of(counts.sum(axis=0).astype(np.float64), THREE, first_trains=True)
    best = cost.of_each(totals).sum(axis=1).min()
    found = cost_of(counts, assign(counts, THREE, draw()), THREE)
    assert best - 1e-9 <= found <= 1.25 * best
    in_order = np.array([0, 0, 0, 0, 0, 0, 1, 2])  # the control: groups as they come
    assert cost_of(counts, in_order, THREE) > 1.25 * best


def test_a_class_that_one_group_holds_is_trained_on() -> None:
    for seed in range(10):
        counts = np.random.default_rng(seed).integers(5, 15, size=(12, 3))
        counts[:, 2] = 0
        counts[seed, 2] = 9
        assert assign(counts, THREE, draw(seed))[seed] == 0


def test_a_class_that_three_groups_hold_is_in_every_split() -> None:
    counts = np.zeros((30, 3), dtype=np.int64)
    counts[:, :2] = np.random.default_rng(0).integers(5, 15, size=(30, 2))
    counts[:3, 2] = 1
    assert sorted(assign(counts, THREE, draw())[:3].tolist()) == [0, 1, 2]


def test_equal_groups_are_dealt_by_the_seed_alone() -> None:
    counts = np.full((24, 4), 15)
    found = {tuple(assign(counts, THREE, draw(seed)).tolist()) for seed in range(5)}
    assert len(found) == 5
    assert {tuple(np.bincount(placed)) for placed in found} == {(16, 4, 4)}


def test_many_rows_alone_are_split_to_the_row() -> None:
    counts = np.repeat(np.eye(3, dtype=np.int64), [6000, 3000, 1000], axis=0)
    placed = assign(counts, THREE, draw())
    assert totals_of(counts, placed, 3).tolist() == [[4200, 2100, 700], [900, 450, 150], [900, 450, 150]]


def test_many_rows_alone_make_room_for_one_huge_group() -> None:
    rows = np.repeat(np.eye(2, dtype=np.int64), [3000, 1000], axis=0)
    counts = np.concatenate([[[4500, 1500]], rows])
    placed = assign(counts, THREE, draw())
    assert placed[0] == 0
    assert totals_of(counts, placed, 3).tolist() == [[5250, 1750], [1125, 375], [1125, 375]]


def divergence(counts: NDArray[np.int64], placed: NDArray[np.int64], num_folds: int) -> float:
    overall = counts.sum(axis=0) / counts.sum()
    totals = totals_of(counts, placed, num_folds)
    return float(np.mean([jensen_shannon(total / total.sum(), overall) for total in totals]))


def test_folds_are_more_alike_than_those_of_scikit_learn() -> None:
    ours, theirs = [], []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        counts = generator.multinomial(40, generator.dirichlet([8, 4, 2, 1]), size=30)
        columns = np.concatenate([counts.sum(axis=1, keepdims=True), counts], axis=1)
        placed = assign(columns, np.full(5, 0.2), draw(seed), first_trains=False)
        groups, labels = (np.repeat(places, counts[counts > 0]) for places in np.nonzero(counts))
        other = np.zeros(len(counts), dtype=np.int64)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for number, (_, test) in enumerate(splitter.split(labels, labels, groups)):
            other[groups[test]] = number
        ours.append(divergence(counts, placed, 5))
        theirs.append(divergence(counts, other, 5))
    assert np.mean(ours) < 0.5 * np.mean(theirs)


def test_divergence_is_0_of_equal_and_1_of_disjoint_distributions() -> None:
    first, second = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.0, 1.0])
    assert jensen_shannon(first, first) == 0
    assert jensen_shannon(first, second) == pytest.approx(1)
    assert jensen_shannon(first, np.array([0.25, 0.75, 0.0])) == pytest.approx(0.0487949)
