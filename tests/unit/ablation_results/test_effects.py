"""Effects, marginal means and ranks: what is planted is found, and the order of things changes nothing."""

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare

from vietmer_core.ablation_results.design import Design, design_of
from vietmer_core.ablation_results.effects import Effects, effects_of
from vietmer_core.ablation_results.levels import LevelMean, level_means
from vietmer_core.ablation_results.ranks import cliques, ranks_of
from vietmer_core.comparison.pairs import compare_pair
from vietmer_core.comparison.systems import System

AXES = {"fusion": ("xattn", "late", "text"), "pooler": ("mean", "max")}
BOUNDS = (0.0, 1.0)


def made(
    effect: Mapping[tuple[str, str], float] | None = None, *, seed: int = 0, runs: int = 3, speakers: int = 8
) -> Design:
    """Values of 6 groups with an effect, speakers and runs that differ."""
    generator = np.random.default_rng(seed)
    codes = np.array([(first, second) for first in range(3) for second in range(2)])
    names = [(AXES["fusion"][first], AXES["pooler"][second]) for first, second in codes]
    own = generator.normal(0, 0.02, size=(6, speakers)) + generator.normal(0, 0.1, size=speakers)
    values = 0.5 + own.mean(axis=1) + np.array([(effect or {}).get(name, 0.0) for name in names])
    noise = generator.normal(0, 0.01, size=(6, runs))
    total = values + noise.mean(axis=1)
    without = total[:, None] + (own.mean(axis=1)[:, None] - own) / (speakers - 1)
    return Design(
        axes=AXES,
        codes=codes,
        values=total,
        without=without,
        run_variances=noise.var(axis=1, ddof=1) / runs if runs > 1 else np.zeros(6),
        run_degrees=np.full(6, float(runs - 1)),
        by_speaker=total[:, None] + own,
        num_runs=runs,
    )


def effect_named(effects: Effects | None, name: str) -> float:
    assert effects is not None
    (p,) = [effect.p for effect in effects.effects if effect.name == name]
    assert p is not None
    return p


def test_the_shares_of_a_whole_matrix_add_up_to_one() -> None:
    found = effects_of(made())
    assert found is not None
    assert found.is_balanced
    assert [effect.contrasts for effect in found.effects] == [2, 1, 2]
    assert sum(effect.share for effect in found.effects) + found.rest == pytest.approx(1)


def test_the_shares_are_those_of_sums_of_squares() -> None:
    design = made(seed=3)
    table = design.values.reshape(3, 2)
    spread = ((table - table.mean()) ** 2).sum()
    found = effects_of(design)
    assert found is not None
    rows = 2 * ((table.mean(axis=1) - table.mean()) ** 2).sum() / spread
    columns = 3 * ((table.mean(axis=0) - table.mean()) ** 2).sum() / spread
    assert found.effects[0].share == pytest.approx(rows)
    assert found.effects[1].share == pytest.approx(columns)


def test_a_planted_effect_is_found_and_the_others_are_not() -> None:
    planted = {(fusion, "max"): 0.1 for fusion in AXES["fusion"]}
    found = effects_of(made(planted))
    assert effect_named(found, "pooler") < 0.001
    assert effect_named(found, "fusion") > 0.01
    assert effect_named(found, "fusion × pooler") > 0.01


def test_a_planted_interaction_is_found_as_one() -> None:
    planted = {("late", "max"): 0.2, ("late", "mean"): -0.2}
    found = effects_of(made(planted))
    assert effect_named(found, "fusion × pooler") < 0.001


def test_an_effect_that_one_speaker_alone_makes_is_not_found() -> None:
    design = made(speakers=4)
    moved = design.values + 0.1 * (design.codes[:, 1] == 1)
    without = design.without + 0.1 * (design.codes[:, 1] == 1)[:, None]
    without[:, 0] -= 0.1 * (design.codes[:, 1] == 1)  # without this one the effect is gone
    found = effects_of(attrs.evolve(design, values=moved, without=without))
    assert effect_named(found, "pooler") > 0.2
    blind = attrs.evolve(design, values=moved)  # a counter-example: speakers' part is not seen
    assert effect_named(effects_of(blind), "pooler") < 0.01


def test_runs_that_differ_widely_hide_an_effect() -> None:
    planted = {(fusion, "max"): 0.1 for fusion in AXES["fusion"]}
    design = made(planted)
    assert effect_named(effects_of(attrs.evolve(design, run_variances=np.full(6, 0.05))), "pooler") > 0.2


def system(name: str, *, gain: float, seed: int) -> System:
    generator = np.random.default_rng(seed)
    truth = np.arange(80) % 4
    logits = generator.normal(size=(1, 80, 4))
    logits[:, np.arange(80), truth] += gain
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return System(
        name=name,
        labels=("a", "b", "c", "d"),
        utterance_ids=tuple(f"u{index:02d}" for index in range(80)),
        speakers=tuple(f"s{index // 4 % 5}" for index in range(80)),
        truth=truth,
        probabilities=probabilities,
    )


def test_two_groups_of_one_run_have_the_p_of_compare() -> None:
    pair = [system("first", gain=1.0, seed=1), system("second", gain=1.6, seed=2)]
    levels = [{"fusion": "first"}, {"fusion": "second"}]
    design = design_of(pair, levels, axes={"fusion": ("first", "second")}, metric="macro_f1")
    wanted = compare_pair(pair[1], pair[0]).difference
    assert effect_named(effects_of(design), "fusion") == pytest.approx(wanted.p_t)
    (_, second) = level_means(design, reference={"fusion": "first"}, bounds=BOUNDS)
    assert second.difference is not None
    assert second.difference.value == pytest.approx(wanted.value)
    assert second.difference.p == pytest.approx(wanted.p_t)


def shuffled(design: Design, order: Sequence[int]) -> Design:
    return design.taking(order)


def test_the_order_of_the_groups_changes_nothing() -> None:
    design = made(seed=5)

    @given(order=st.permutations(range(6)))
    def holds(order: Sequence[int]) -> None:
        first, second = effects_of(design), effects_of(shuffled(design, order))
        assert first is not None
        assert second is not None
        for one, other in zip(first.effects, second.effects, strict=True):
            assert other.p == pytest.approx(one.p)
            assert other.share == pytest.approx(one.share, abs=1e-9)
        means = [level_means(chosen, reference={}, bounds=BOUNDS) for chosen in (design, shuffled(design, order))]
        for mine, theirs in zip(*means, strict=True):
            assert theirs.mean == pytest.approx(mine.mean)

    holds()
    broken = attrs.evolve(design, codes=design.codes[[1, 2, 0, 3, 4, 5]])  # levels that went to other groups
    assert effect_named(effects_of(broken), "fusion") != pytest.approx(effect_named(effects_of(design), "fusion"))


def of_level(means: Sequence[LevelMean], level: str) -> LevelMean:
    (found,) = [one for one in means if one.level == level]
    return found


def test_a_marginal_mean_is_over_combinations_that_every_level_has() -> None:
    design = made()
    means = level_means(design, reference={"fusion": "xattn", "pooler": "mean"}, bounds=BOUNDS)
    assert of_level(means, "late").mean == pytest.approx(design.values[2:4].mean())
    assert of_level(means, "xattn").difference is None
    without_one = design.taking([0, 1, 2, 3, 4])  # text with max is missing, so that max tells nothing of fusions
    means = level_means(without_one, reference={"fusion": "xattn"}, bounds=BOUNDS)
    assert of_level(means, "late").mean == pytest.approx(design.values[2])
    assert of_level(means, "late").num_groups == 1
    assert of_level(means, "max").mean == pytest.approx(design.values[[1, 3]].mean())


def test_effects_that_the_groups_cannot_tell_are_named() -> None:
    found = effects_of(made().taking([0, 3]))  # both axes change together
    assert found is not None
    assert set(found.untold) >= {"fusion", "pooler"}


def test_a_speaker_who_is_alone_gives_no_p() -> None:
    design = made(speakers=8)
    found = effects_of(attrs.evolve(design, without=design.without[:, :1]))
    assert found is not None
    assert all(effect.p is None and effect.p_holm is None for effect in found.effects)


def test_friedmans_test_is_that_of_scipy() -> None:
    scores = np.random.default_rng(2).normal(size=(4, 9))
    found = ranks_of(scores, ("a", "b", "c", "d"), higher_is_better=True)
    chi = friedmanchisquare(*scores).statistic
    assert found is not None
    assert found.statistic == pytest.approx(8 * chi / (9 * 3 - chi))  # Iman and Davenport
    assert found.critical_difference == pytest.approx(2.569 * (4 * 5 / (6 * 9)) ** 0.5, abs=1e-3)  # Demšar, table 5


def test_ranks_turn_round_with_the_metric() -> None:
    scores = np.array([[0.1, 0.2], [0.5, 0.6], [0.3, 0.9]])
    high = ranks_of(scores, ("a", "b", "c"), higher_is_better=True)
    low = ranks_of(scores, ("a", "b", "c"), higher_is_better=False)
    assert high is not None
    assert low is not None
    assert high.mean_ranks == (3.0, 1.5, 1.5)
    assert low.mean_ranks == (1.0, 2.5, 2.5)
    assert high.order[-1] == 0


def test_cliques_hold_what_is_near_and_nothing_else() -> None:
    @given(ranks=st.lists(st.floats(1, 9), min_size=2, max_size=8), width=st.floats(0, 4))
    def holds(ranks: list[float], width: float) -> None:
        ordered = np.sort(ranks)
        found = cliques(ordered, width=width)
        for first, last in found:
            assert ordered[last] - ordered[first] <= width + 1e-12
        for first in range(len(ordered)):
            for last in range(first + 1, len(ordered)):
                near = ordered[last] <= ordered[first] + width
                assert near == any(start <= first and last <= end for start, end in found)

    holds()
    assert cliques(np.array([1.0, 2.0, 3.0]), width=1.0) == [(0, 1), (1, 2)]
    assert cliques(np.array([1.0, 2.0, 3.0]), width=1.0) != [(0, 2)]  # chaining would join what is too far
