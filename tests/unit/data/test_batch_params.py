"""The limits of a batch that a spec gives, as they are resolved."""

from typing import Any

import pytest
from pydantic import ValidationError

from vietmer_core.data.batch_params import BatchLimits, BucketParams, WeightParams


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        ({}, (8, None, None)),
        ({"batch_size": None}, (8, None, None)),
        ({"batch_size": 3}, (3, None, None)),
        ({"max_frames": 500}, (None, 500, None)),
        ({"max_tokens": 90, "batch_size": 4}, (4, None, 90)),
    ],
)
def test_the_resolved_parameters_show_what_holds(
    given: dict[str, Any], resolved: tuple[int | None, int | None, int | None]
) -> None:
    params = BatchLimits.model_validate(given)
    assert (params.batch_size, params.max_frames, params.max_tokens) == resolved
    assert BatchLimits.model_validate(params.model_dump()) == params
    assert params.has_budget == (resolved[1:] != (None, None))


@pytest.mark.parametrize("none", [None, 0])
def test_no_pool_is_the_whole_epoch_however_it_is_written(none: int | None) -> None:
    assert BucketParams.model_validate({"pool_batches": none}).pool_batches is None
    assert BucketParams.model_validate({"pool_batches": none, "canonical": True}).canonical


def test_pools_and_edges_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match="must be null where `canonical` is true, but is 5 instead") as caught:
        BucketParams.model_validate({"canonical": True, "pool_batches": 5})
    assert [error["loc"] for error in caught.value.errors()] == [("pool_batches",)]


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (BatchLimits, {"batch_size": 0}),
        (BatchLimits, {"batch_size": True}),
        (BatchLimits, {"max_frames": 0}),
        (BatchLimits, {"max_tokens": 2.5}),
        (BatchLimits, {"max_frame": 100}),
        (BucketParams, {"alpha": -0.1}),
        (BucketParams, {"alpha": float("inf")}),
        (BucketParams, {"pool_batches": -1}),
        (BucketParams, {"jitter": 0}),
        (WeightParams, {"length_exponent": -1}),
        (WeightParams, {"length_exponent": float("nan")}),
        (WeightParams, {"draws_per_epoch": 0}),
    ],
)
def test_wrong_parameters_are_refused_in_their_place(model: type[BatchLimits], wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(wrong)
    assert {error["loc"][:1] for error in caught.value.errors()} == {tuple(wrong)}
