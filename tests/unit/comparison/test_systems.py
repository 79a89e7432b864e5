from collections.abc import Callable

import numpy as np
import pytest

from vietmer_core.comparison.comparing import compare_systems
from vietmer_core.comparison.systems import System, aligned, clusters_of
from vietmer_core.errors import RunError

MakeSystem = Callable[..., System]


def test_every_utterance_of_an_unknown_speaker_is_a_cluster() -> None:
    assert clusters_of(["a", None, "b", None, "a", "0"]).tolist() == [0, 1, 2, 3, 0, 4]


def test_shapes_that_do_not_fit_are_refused(make_system: MakeSystem) -> None:
    with pytest.raises(ValueError, match="must have shape"):
        make_system("one", seeds=(0, 1))
    with pytest.raises(ValueError, match="`speakers` must hold 96"):
        make_system("one", speakers=("a",))
    with pytest.raises(ValueError, match="distinct"):
        make_system("one", utterance_ids=("u",) * 96)
    with pytest.raises(ValueError, match="classes from 0 to 3"):
        make_system("one", truth=np.full(96, 4))


def test_systems_are_lined_up_by_utterance(make_system: MakeSystem) -> None:
    one = make_system("one")
    other = make_system("other", draw=1)
    shuffled = other.taking(np.random.default_rng(0).permutation(96).tolist())
    lined = aligned([one, shuffled])
    assert lined[0].utterance_ids == lined[1].utterance_ids
    assert compare_systems([one, other]).as_json() == compare_systems([one, shuffled]).as_json()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"utterance_ids": tuple(f"v{index:03d}" for index in range(96))}, "0 are the same"),
        ({"labels": ("angry", "happy", "neutral", "fear")}, "label spaces differ"),
        ({"labels": ("happy", "angry", "neutral", "sad")}, "label spaces differ"),
        ({"speakers": ("lan",) * 96}, "the speaker of `u000` is `s0`"),
        ({"truth": np.zeros(96, dtype=np.int64)}, "true labels of"),
    ],
)
def test_other_test_sets_are_refused(make_system: MakeSystem, change: dict[str, object], sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        compare_systems([make_system("one"), make_system("other", **change)])


def test_what_cannot_be_compared_is_refused(make_system: MakeSystem) -> None:
    one, other = make_system("one"), make_system("other", draw=1)
    with pytest.raises(RunError, match="at least two"):
        compare_systems([one])
    with pytest.raises(RunError, match="names of their own"):
        compare_systems([one, one])
    with pytest.raises(RunError, match="the base must be one of one, other, but is `third`"):
        compare_systems([one, other], base="third")
    with pytest.raises(RunError, match="the metric must be one of macro_f1"):
        compare_systems([one, other], metric="f1")
