"""Temperature scaling: honest probabilities, the same predictions."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.evaluation.drawn import outcomes, softmax, some_outcomes
from vietmer_core.errors import RunError
from vietmer_core.evaluation.outcomes import Outcomes
from vietmer_core.evaluation.reliability import loss_by_utterance, probability_scores
from vietmer_core.evaluation.temperature import fit_temperature, with_temperature

Scale = Callable[[NDArray[np.float64], float], NDArray[np.float64]]


def rounded_scale(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Powers of probabilities, in which rounding may make two equal."""
    powers = np.maximum(probabilities, 1e-300) ** (1 / temperature)
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


@pytest.mark.parametrize(("scale", "keeps"), [(with_temperature, True), (rounded_scale, False)])
def test_no_prediction_changes(scale: Scale, *, keeps: bool) -> None:
    @given(outcomes(), st.floats(0.02, 80), st.integers(0, 3))
    def check(found: Outcomes, temperature: float, units: int) -> None:
        close = np.array(found.probabilities)
        for row, best in zip(close, found.predicted, strict=True):  # a rival a few units in the last place below
            row[0 if best else 1] = row[best] * (1 - units * np.finfo(float).eps)
        close /= close.sum(axis=1, keepdims=True)
        scaled = scale(close, temperature)
        assert (scaled.argmax(axis=1) == close.argmax(axis=1)).all()
        assert scaled.sum(axis=1) == pytest.approx(np.ones(len(found)))

    if keeps:
        check()
    else:
        with pytest.raises(AssertionError):
            check()


@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_probabilities_stand_for_their_logits(seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).normal(size=(5, 4))
    np.testing.assert_allclose(with_temperature(softmax(logits), temperature), softmax(logits / temperature))


def test_a_temperature_of_1_leaves_every_bit() -> None:
    probabilities = some_outcomes(0).probabilities
    assert with_temperature(probabilities, 1.0) is probabilities


@pytest.mark.parametrize("wanted", [0.4, 1.0, 3.0])
def test_the_temperature_of_logits_that_were_scaled_is_found(wanted: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 4)) * 2
    truth = np.array([generator.choice(4, p=p) for p in softmax(logits)])
    found = fit_temperature(softmax(wanted * logits), truth)
    assert found == pytest.approx(wanted, rel=0.05)


@given(st.integers(0, 200))
def test_no_other_temperature_has_a_smaller_loss(seed: int) -> None:
    found = some_outcomes(seed)
    best = fit_temperature(found.probabilities, found.truth)

    def loss(temperature: float) -> float:
        return float(loss_by_utterance(with_temperature(found.probabilities, temperature), found.truth).mean())

    assert loss(best) <= min(loss(best * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2, 1 / best)) + 1e-9


def test_a_model_too_sure_of_itself_becomes_honest() -> None:
    found = some_outcomes(0, count=4000)
    before = probability_scores(found.probabilities, found.truth)
    scaled = with_temperature(found.probabilities, fit_temperature(found.probabilities, found.truth))
    after = probability_scores(scaled, found.truth)
    assert after.ece < before.ece / 3
    assert after.nll < before.nll
    assert after.brier < before.brier


def test_a_split_without_an_error_has_no_temperature() -> None:
    found = some_outcomes(0)
    with pytest.raises(RunError, match="without an error"):
        fit_temperature(found.probabilities, found.predicted)


@pytest.mark.parametrize("probabilities", [[[0.6, 0.4], [0.7, 0.3]], [[0.51, 0.49]], [[0.6, 0.4], [1, 0], [0.9, 0.1]]])
def test_few_utterances_without_an_error_have_no_temperature(probabilities: list[list[float]]) -> None:
    with pytest.raises(RunError, match="without an error"):
        fit_temperature(np.array(probabilities), np.zeros(len(probabilities), dtype=np.int64))


@pytest.mark.parametrize("classes", [2, 3, 28])
def test_even_probabilities_have_no_temperature(classes: int) -> None:
    with pytest.raises(RunError, match="nothing of the true labels"):
        fit_temperature(np.full((40, classes), 1 / classes), np.arange(40) % classes)


def test_probabilities_that_tell_nothing_have_no_temperature() -> None:
    probabilities = np.tile([[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]], (40, 1))
    with pytest.raises(RunError, match="nothing of the true labels"):
        fit_temperature(probabilities, np.roll(probabilities.argmax(axis=1), 1))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="must be a positive number"):
        with_temperature(np.eye(2), temperature)
