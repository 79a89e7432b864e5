"""Who lends to whom: never oneself, each once, whatever the order of the split."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.reliance.donors import deranged

Ids = st.lists(st.text(min_size=1, max_size=4), min_size=2, max_size=20, unique=True)


def everybody(ids: list[str]) -> NDArray[np.bool_]:
    return np.ones(len(ids), bool)


def check_derangement(donors: NDArray[np.int64]) -> None:
    assert sorted(donors) == list(range(len(donors)))
    assert not (donors == np.arange(len(donors))).any()


@given(ids=Ids, seed=st.integers(0, 2**31), draw=st.integers(0, 9))
def test_nobody_keeps_his_own_and_each_lends_once(ids: list[str], seed: int, draw: int) -> None:
    check_derangement(deranged(ids, seed=seed, draw=draw, eligible=everybody(ids)))


def test_a_plain_permutation_is_caught() -> None:
    """The counter-example: of permutations of five, two thirds keep one in his place."""
    with pytest.raises(AssertionError):
        check_derangement(np.random.default_rng(3).permutation(5))


@given(ids=Ids, seed=st.integers(0, 99), shuffling=st.randoms(use_true_random=False))
def test_the_order_of_the_split_says_nothing(ids: list[str], seed: int, shuffling: random.Random) -> None:
    other = list(ids)
    shuffling.shuffle(other)

    def pairs(names: list[str]) -> dict[str, str]:
        donors = deranged(names, seed=seed, draw=0, eligible=everybody(names))
        return {name: names[donor] for name, donor in zip(names, donors, strict=True)}

    assert pairs(ids) == pairs(other)


@given(ids=Ids, seed=st.integers(0, 99))
def test_groups_exchange_among_themselves_and_a_lonely_one_keeps_his_own(ids: list[str], seed: int) -> None:
    groups = [place % 3 for place in range(len(ids))]
    donors = deranged(ids, seed=seed, draw=0, eligible=everybody(ids), groups=groups)
    for place, donor in enumerate(donors.tolist()):
        assert groups[donor] == groups[place]
        assert (donor == place) == (groups.count(groups[place]) == 1)


def test_those_not_eligible_take_no_part_and_draws_differ() -> None:
    ids = [str(number) for number in range(30)]
    eligible = np.arange(30) % 2 == 0
    first, second = (deranged(ids, seed=1, draw=draw, eligible=eligible) for draw in (0, 1))
    assert (first[~eligible] == np.flatnonzero(~eligible)).all()
    assert set(first[eligible]) == set(np.flatnonzero(eligible))
    assert (first != second).any()
    assert (first == deranged(ids, seed=1, draw=0, eligible=eligible)).all()
