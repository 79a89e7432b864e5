"""torch's deterministic algorithms hold inside a run, and what has none is one sentence."""

import pytest
import torch

from vietmer_core.errors import RunError
from vietmer_core.training.determinism import deterministic


def test_they_are_on_inside_and_as_before_outside() -> None:
    with deterministic(is_wanted=True):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(is_wanted=False):
        assert not torch.are_deterministic_algorithms_enabled()


def test_an_operation_without_a_deterministic_algorithm_is_one_sentence() -> None:
    with (
        pytest.raises(RunError, match=r"`training.deterministic` cannot hold .*Set it to false"),
        deterministic(is_wanted=True),
    ):
        raise RuntimeError("put_ does not have a deterministic implementation, but you set 'torch.use_deter…'. You can")
    assert not torch.are_deterministic_algorithms_enabled()


def test_any_other_error_passes_unchanged() -> None:
    with pytest.raises(RuntimeError, match="another"), deterministic(is_wanted=True):
        raise RuntimeError("another")
