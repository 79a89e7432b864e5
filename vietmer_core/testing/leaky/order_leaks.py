"""Leaks of samplers, with the checks that must catch them and their cures."""

from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel

from vietmer_core.components import Component, Role
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.testing.leaky import orders, parts
from vietmer_core.testing.leaky.leak import Leak


def _sampler(build: Callable[[UtteranceSizes, int], Any]) -> Component:
    return parts.component(Role.SAMPLER, lambda _params, *, sizes, seed: build(sizes, seed))


def build_torch_sampler(_params: BaseModel, *, sizes: UtteranceSizes, seed: int) -> orders.OffByOneSampler:
    """A sampler whose module imports torch."""
    return orders.OffByOneSampler(sizes, seed)


def build_hashed_sampler(_params: BaseModel, *, sizes: UtteranceSizes, seed: int) -> orders.HashedSampler:
    """A sampler that another process can build too."""
    return orders.HashedSampler(sizes, seed)


def build_budget_sampler(params: orders.BudgetParams, *, sizes: UtteranceSizes, seed: int) -> orders.RealFramesSampler:
    """A sampler with limits among its parameters."""
    return orders.RealFramesSampler(sizes, seed, params=params)


ORDERS: Final[tuple[Leak, ...]] = (
    Leak(
        name="one shuffle for all epochs",
        component=_sampler(orders.SameOrderSampler),
        caught_by=("sampler_epochs_differ",),
        cure="seed the order by (seed, epoch)",
    ),
    Leak(
        name="an order that depends on what was drawn before",
        component=_sampler(orders.MovingSampler),
        caught_by=("sampler_pure", "sampler_continues"),
        cure="seed the order by (seed, epoch)",
    ),
    Leak(
        name="positions counted from 1",
        component=_sampler(orders.OffByOneSampler),
        caught_by=("sampler_indices",),
        cure="count from 0",
    ),
    Leak(
        name="a sampler that imports torch",
        component=parts.component(Role.SAMPLER, build_torch_sampler),
        caught_by=("sampler_torch_free",),
        cure="use numpy",
    ),
    Leak(
        name="an order seeded by the hash of a text",
        component=parts.component(Role.SAMPLER, build_hashed_sampler),
        caught_by=("sampler_every_process",),
        cure="give `SeedSequence` numbers; a text through `hashlib`",
    ),
    Leak(
        name="a sampler that takes its own share",
        component=_sampler(orders.SelfShardingSampler),
        caught_by=("sampler_shards",),
        cure="give the batches of all processes: `EpochBatches` shards them",
    ),
    Leak(
        name="a budget of real frames",
        component=parts.component(Role.SAMPLER, build_budget_sampler, params=orders.BudgetParams),
        caught_by=("sampler_limits",),
        cure="hold rows × longest to the budget: `vietmer_core.data.batching.cut`",
    ),
)
