"""The learning rate of each step, and which parameters decay."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vietmer_core.model import EmotionModel
from vietmer_core.nn.head import MLPHead
from vietmer_core.nn.pooling import AttentionPooler
from vietmer_core.sequence import MaskedSequence
from vietmer_core.spec import TrainingSpec
from vietmer_core.training.optimisation import learning_rate_factor, make_optimiser, parameter_groups


class OneStream(nn.Module):
    """A fusion of one linear layer and a norm."""

    output_dims = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)

    def forward(self, *, text: MaskedSequence, audio: MaskedSequence) -> tuple[MaskedSequence, ...]:
        del audio
        return (text.with_features(self.norm(self.project(text.features))),)


def model() -> EmotionModel:
    poolers = [AttentionPooler(dim=4, num_heads=2)]
    head = MLPHead(dim=4, num_classes=2, hidden_dims=(3,), dropout=0.0)
    return EmotionModel(text=None, audio=None, fusion=OneStream(), poolers=poolers, head=head)


@given(
    total=st.integers(1, 500),
    share=st.floats(0, 0.5),
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
)
def test_the_rate_rises_to_its_peak_and_never_again(total: int, share: float, schedule: str) -> None:
    warmup = round(share * total)
    factors = [learning_rate_factor(step, total=total, warmup=warmup, schedule=schedule) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    assert all(early < late for early, late in pairwise(factors[: warmup + 1]))
    assert all(early >= late for early, late in pairwise(factors[warmup:]))
    if warmup < total:
        assert factors[warmup] == 1.0


def test_the_cosine_is_half_way_at_half_way() -> None:
    assert learning_rate_factor(60, total=110, warmup=10, schedule="cosine") == pytest.approx(0.5)
    assert learning_rate_factor(60, total=110, warmup=10, schedule="linear") == pytest.approx(0.5)
    quarter = learning_rate_factor(35, total=110, warmup=10, schedule="cosine")
    assert quarter == pytest.approx((1 + math.cos(math.pi / 4)) / 2)


def test_every_parameter_is_given_to_the_optimiser_once() -> None:
    made = model()
    groups = parameter_groups(made, TrainingSpec())
    given_away = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(given_away) == sorted(id(parameter) for parameter in made.parameters())


def test_matrices_decay_and_vectors_do_not() -> None:
    for group in parameter_groups(model(), TrainingSpec(weight_decay=0.3)):
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.3 if parameter.ndim > 1 else 0.0)


def test_a_part_may_have_a_rate_of_its_own() -> None:
    groups = parameter_groups(model(), TrainingSpec(learning_rate=1e-3, learning_rates={"head": 1e-5}))
    assert {group["name"]: group["lr"] for group in groups} == {"fusion": 1e-3, "pooler": 1e-3, "head": 1e-5}


def test_a_frozen_parameter_is_left_out() -> None:
    made = model()
    next(made.fusion.parameters()).requires_grad_(False)  # noqa: FBT003  # torch names it so
    given_away = [id(parameter) for group in parameter_groups(made, TrainingSpec()) for parameter in group["params"]]
    assert id(next(made.fusion.parameters())) not in given_away


def test_the_first_step_is_taken_at_a_rate_above_zero() -> None:
    optimiser, schedule = make_optimiser(model(), TrainingSpec(warmup=0.5, learning_rate=1.0), total_steps=4)
    rates = []
    for _ in range(4):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx([1 / 3, 2 / 3, 1.0, 0.5])
    assert torch.tensor(rates).min() > 0
