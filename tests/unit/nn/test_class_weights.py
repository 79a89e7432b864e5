from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vietmer_core.builtin import CrossEntropyParams, FocalParams, LabelSmoothingParams
from vietmer_core.nn.class_weights import effective_number, label_weights

COUNTS = {"angry": 40, "happy": 30, "neutral": 20, "sad": 10}
ALL = "`angry`, `happy`, `neutral`, `sad`"


def weights(class_weights: Any, counts: Mapping[str, int] = COUNTS, **fields: Any) -> list[float]:
    found = label_weights(FocalParams(class_weights=class_weights, **fields), counts)
    assert found is not None
    return list(found)


def scaled(raw: list[Decimal], counts: list[int]) -> list[float]:
    """Weights whose mean over all utterances is 1."""
    mean = sum((weight * count for weight, count in zip(raw, counts, strict=True)), Decimal(0)) / sum(counts)
    return [float(weight / mean) for weight in raw]


COUNTED = st.lists(st.integers(1, 20_000), min_size=2, max_size=8)


def named(counts: list[int]) -> dict[str, int]:
    return {f"label {number}": count for number, count in enumerate(counts)}


def test_without_weights_there_is_nothing_to_multiply_by() -> None:
    assert label_weights(FocalParams(), COUNTS) is None
    assert label_weights(FocalParams(), {"angry": 0, "sad": 0}) is None


@given(counts=COUNTED)
def test_inverse_frequency_is_all_utterances_over_classes_times_their_own(counts: list[int]) -> None:
    expected = [sum(counts) / (len(counts) * count) for count in counts]
    assert weights("inverse_frequency", named(counts)) == pytest.approx(expected, rel=1e-12)


@given(counts=COUNTED, beta=st.floats(0, 0.999999))
def test_effective_number_is_the_formula_of_cui_and_others(counts: list[int], beta: float) -> None:
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(beta)
        raw = [(1 - exact) / (1 - exact**count) for count in counts]
        expected = scaled(raw, counts)
    assert weights("effective_number", named(counts), beta=beta) == pytest.approx(expected, rel=1e-9)


def test_the_effective_number_lies_between_one_and_the_count() -> None:
    assert effective_number(7, beta=0) == 1
    assert effective_number(7, beta=1) == 7
    assert effective_number(7, beta=0.5) == pytest.approx(1 + 0.5 + 0.25 + 0.125 + 0.0625 + 0.03125 + 0.015625)
    assert effective_number(10**6, beta=0.999) == pytest.approx(1000)
    assert effective_number(7, beta=1 - 1e-12) == pytest.approx(7, rel=1e-9)  # 1 - beta^7 alone loses five digits


def test_beta_leads_from_no_weights_to_the_inverse_frequency() -> None:
    assert weights("effective_number", beta=0.0) == pytest.approx([1.0] * 4)
    nearly = weights("effective_number", beta=1 - 1e-9)
    assert nearly == pytest.approx(weights("inverse_frequency"), rel=1e-6)
    between = weights("effective_number", beta=0.97)
    assert between != pytest.approx(nearly, rel=1e-2)
    assert between != pytest.approx([1.0] * 4, rel=1e-2)


@given(counts=COUNTED, data=st.data())
def test_given_weights_keep_their_ratios(counts: list[int], data: st.DataObject) -> None:
    size = len(counts)
    raw = data.draw(st.lists(st.floats(1e-3, 1e3), min_size=size, max_size=size))
    chosen = dict(zip(reversed(named(counts)), reversed(raw), strict=True))  # in another order than the label space
    expected = scaled([Decimal(weight) for weight in raw], counts)
    assert weights(chosen, named(counts)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "mode", ["inverse_frequency", "effective_number", {"angry": 5, "happy": 1, "neutral": 1e-3, "sad": 70}]
)
def test_the_mean_over_the_training_utterances_is_one(mode: Any) -> None:
    found = weights(mode)
    mean = sum(weight * count for weight, count in zip(found, COUNTS.values(), strict=True)) / 100
    assert mean == pytest.approx(1, abs=1e-14)
    assert max(found) > 1.2  # not all alike


def test_large_weights_do_not_overflow() -> None:
    assert weights({"a": 1e308, "b": 1e308}, {"a": 10**6, "b": 10**6}) == [1.0, 1.0]


def test_a_label_that_is_never_heard_may_have_a_given_weight() -> None:
    assert weights({"a": 1, "b": 3}, {"a": 5, "b": 0}) == [1.0, 3.0]


@pytest.mark.parametrize("mode", ["inverse_frequency", "effective_number"])
def test_a_label_without_utterances_is_named(mode: str) -> None:
    expected = f"`class_weights: {mode}` needs training utterances of every label, but there is none of `b`, `c`"
    with pytest.raises(ValueError, match=expected):
        weights(mode, {"a": 5, "b": 0, "c": 0})


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (
            {"angry": 1, "hapy": 2, "neutral": 1, "sad": 1},
            f"`class_weights` must name the labels {ALL}, but names `hapy` as well. Did you mean `happy`?",
        ),
        (
            {"angry": 1, "sad": 1},
            "`class_weights` must give every label a weight, but gives none to `happy`, `neutral`.",
        ),
        ({}, f"`class_weights` must give every label a weight, but gives none to {ALL}."),
    ],
)
def test_given_weights_must_be_of_the_labels(given_: dict[str, float], expected: str) -> None:
    with pytest.raises(ValueError, match="`class_weights`") as error:
        weights(given_)
    assert str(error.value) == expected


def test_a_split_of_nothing_cannot_be_weighed() -> None:
    with pytest.raises(ValueError, match="`class_weights` needs training utterances, but there is none"):
        weights({"a": 1, "b": 1}, {"a": 0, "b": 0})


@pytest.mark.parametrize("params", [CrossEntropyParams, FocalParams, LabelSmoothingParams])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"class_weights": {"a": 0}}, "greater than 0"),
        ({"class_weights": {"a": -1.5}}, "greater than 0"),
        ({"class_weights": {"a": float("inf")}}, "finite"),
        ({"class_weights": {"a": float("nan")}}, "finite"),
        ({"class_weights": {"a": True}}, "valid number"),
        ({"class_weights": {"a": "2"}}, "valid number"),
        ({"class_weights": 2}, "or a mapping from each label to its weight, but is 2 instead"),
        ({"class_weights": "inverse"}, "Did you mean `inverse_frequency`?"),
        ({"class_weights": "effective_number", "beta": 1}, "less than 1"),
        ({"class_weights": "effective_number", "beta": -0.1}, "greater than or equal to 0"),
        ({"class_weights": "effective_number", "beta": True}, "valid number"),
        ({"beta": 0.9}, "`beta` must be left out unless `class_weights` is `effective_number`"),
        ({"class_weights": {"a": 1}, "beta": 0.9}, "`beta` must be left out unless"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(params: Any, fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as error:
        params(**fields)
    (detail,) = error.value.errors()
    assert expected in detail["msg"]


@pytest.mark.parametrize(
    ("params", "fields", "expected"),
    [
        (FocalParams, {"gamma": -0.1}, "greater than or equal to 0"),
        (FocalParams, {"gamma": float("inf")}, "finite"),
        (LabelSmoothingParams, {"epsilon": -0.1}, "greater than or equal to 0"),
        (LabelSmoothingParams, {"epsilon": 1}, "less than 1"),
    ],
)
def test_gamma_and_epsilon_have_bounds(params: Any, fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        params(**fields)


def test_the_settings_come_back_from_the_resolved_spec() -> None:
    for chosen in ("effective_number", {"a": 1.5, "b": 2}):
        params = CrossEntropyParams(class_weights=chosen)
        assert CrossEntropyParams.model_validate_json(params.model_dump_json()) == params
