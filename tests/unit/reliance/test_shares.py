"""The share of each modality in a prediction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.components import Modality
from vietmer_core.reliance.shares import Shares

TEXT, AUDIO = Modality.TEXT, Modality.AUDIO
CLASSES = 3


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def shares_of(seed: int, *, hears: bool = True, has_audio: NDArray[np.bool_] | None = None, rows: int = 8) -> Shares:
    """Of a model whose logits are the sum of what each modality says."""
    numbers = np.random.default_rng(seed)
    says_text = numbers.normal(size=(rows, CLASSES))
    says_audio = numbers.normal(size=(rows, CLASSES)) * (2.0 if hears else 0.0)
    nothing = numbers.normal(size=CLASSES)
    return Shares.of(
        softmax(nothing + says_text + says_audio),
        alone={TEXT: softmax(nothing + says_text), AUDIO: softmax(nothing + says_audio)},
        nothing=softmax(nothing),
        has={TEXT: np.ones(rows, bool), AUDIO: np.ones(rows, bool) if has_audio is None else has_audio},
    )


def check_efficient(shares: Shares) -> None:
    """What the modalities add is what the whole has more than nothing (Shapley's first axiom)."""
    total = shares.shapley(TEXT) + shares.shapley(AUDIO)
    np.testing.assert_allclose(total, shares.both - shares.nothing, rtol=0, atol=1e-12)


@given(seed=st.integers(0, 999))
def test_the_values_add_up_and_the_shares_sum_to_one(seed: int) -> None:
    shares = shares_of(seed)
    check_efficient(shares)
    np.testing.assert_allclose(shares.share(TEXT) + shares.share(AUDIO), 1, rtol=0, atol=1e-12)
    assert ((shares.share(TEXT) >= 0) & (shares.share(TEXT) <= 1)).all()


@given(seed=st.integers(0, 999))
def test_a_model_that_ignores_the_audio_owes_it_exactly_nothing(seed: int) -> None:
    shares = shares_of(seed, hears=False)
    assert (shares.shapley(AUDIO) == 0).all()
    assert (shares.drop(AUDIO) == 0).all()
    assert (shares.share(AUDIO) == 0).all()
    assert (shares.share(TEXT) == 1).all()


def test_even_probabilities_in_place_of_nothing_would_owe_it_something() -> None:
    """The counter-example: the value of nothing must be the model's own."""
    shares = shares_of(0, hears=False)
    even = Shares(predicted=shares.predicted, both=shares.both, alone=shares.alone, nothing=np.full(8, 1 / CLASSES))
    assert (even.shapley(AUDIO) != 0).any()


def test_the_loss_of_one_alone_is_not_the_shapley_value() -> None:
    """The counter-example to `check_efficient`: what each loses does not add up."""
    shares = shares_of(1)
    total = shares.drop(TEXT) + shares.drop(AUDIO)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(total, shares.both - shares.nothing, rtol=0, atol=1e-12)


def test_what_an_utterance_lacks_adds_exactly_nothing() -> None:
    has_audio = np.arange(8) % 2 == 0
    shares = shares_of(2, has_audio=has_audio)
    check_efficient(shares)
    assert (shares.shapley(AUDIO)[~has_audio] == 0).all()
    assert (shares.shapley(AUDIO)[has_audio] != 0).all()


def test_where_nothing_adds_anything_there_is_no_share() -> None:
    even = np.full((1, CLASSES), 1 / CLASSES)
    has = {TEXT: np.ones(1, bool), AUDIO: np.ones(1, bool)}
    shares = Shares.of(even, alone={TEXT: even, AUDIO: even}, nothing=even[0], has=has)
    assert np.isnan(shares.share(TEXT)).all()
