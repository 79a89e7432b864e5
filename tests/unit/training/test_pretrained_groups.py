"""Pretrained weights in the optimiser: their own rates, and no movement before they are freed."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from vietmer_core.batch import Batch
from vietmer_core.model import EmotionModel
from vietmer_core.pretrained.backbone import TrainingPlan, backbones
from vietmer_core.pretrained.params import LoraParams, UnfreezingParams
from vietmer_core.spec import TrainingSpec
from vietmer_core.training.optimisation import make_optimiser, parameter_groups

MakeModel = Callable[..., EmotionModel]
ALL = TrainingPlan(depth=None)
NETWORK = "audio.backbone.model"


def rates(model: EmotionModel, **training: Any) -> dict[str, float]:
    """The rate of each parameter by its name; each is given once."""
    names = {id(value): name for name, value in model.named_parameters()}
    groups = parameter_groups(model, TrainingSpec.model_validate(training))
    pairs = [(names[id(value)], group["lr"]) for group in groups for value in group["params"]]
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def test_weights_of_a_checkpoint_have_a_low_rate_by_default(pretrained_model: MakeModel) -> None:
    found = rates(pretrained_model(plan=ALL))
    assert {name for name, rate in found.items() if rate == 5e-6} == {
        name for name in found if name.startswith(NETWORK)
    }
    assert {rate for name, rate in found.items() if not name.startswith(NETWORK)} == {2e-4}
    assert found["audio.mix.weights"] == 2e-4, "learned weights of layers are new"


def test_their_rate_and_that_of_the_part_are_set_apart(pretrained_model: MakeModel) -> None:
    found = rates(pretrained_model(plan=ALL), learning_rates={"audio": 1e-3, "audio.pretrained": 1e-5, "head": 1e-2})
    assert found["audio.mix.weights"] == 1e-3
    assert found[f"{NETWORK}.embed.weight"] == 1e-5
    assert found["head.layers.0.weight"] == 1e-2


def test_the_rate_decays_from_layer_to_layer(pretrained_model: MakeModel) -> None:
    found = rates(pretrained_model(plan=ALL), learning_rates={"audio.pretrained": 1.0}, layer_decay=0.5)
    assert [found[f"{NETWORK}.{name}.weight"] for name in ("layers.1", "layers.0", "embed")] == [1.0, 0.5, 0.25]
    assert found["audio.mix.weights"] == 2e-4


def test_without_decay_there_is_one_group_of_matrices_and_one_of_vectors(pretrained_model: MakeModel) -> None:
    groups = parameter_groups(pretrained_model(plan=ALL), TrainingSpec())
    assert [(group["name"], group["weight_decay"]) for group in groups if group["name"].startswith("audio")] == [
        ("audio", 0.0),
        ("audio.pretrained", 0.01),
        ("audio.pretrained", 0.0),
    ]


def test_low_rank_updates_and_random_weights_are_new(pretrained_model: MakeModel) -> None:
    lora = TrainingPlan(lora=LoraParams(rank=2, target_modules=("0", "1")))
    found = rates(pretrained_model(plan=lora), learning_rates={"audio": 1e-3})
    assert {name for name in found if "lora" in name}
    assert {rate for name, rate in found.items() if name.startswith("audio.")} == {1e-3}
    found = rates(pretrained_model(plan=ALL, weights="random"), learning_rates={"audio": 1e-3})
    assert found[f"{NETWORK}.embed.weight"] == 1e-3


def test_frozen_weights_are_not_given(pretrained_model: MakeModel) -> None:
    assert not [name for name in rates(pretrained_model()) if name.startswith(NETWORK)]


def test_a_weight_moves_from_the_epoch_in_which_it_is_freed(pretrained_model: MakeModel, audio_batch: Batch) -> None:
    plan = TrainingPlan(depth=None, unfreeze=UnfreezingParams(first_epoch=1))
    model = pretrained_model(plan=plan)
    ((_, backbone),) = backbones(model)
    training = TrainingSpec.model_validate(
        {"learning_rates": {"audio.pretrained": 0.1}, "weight_decay": 0.5, "schedule": "constant", "warmup": 0}
    )
    optimiser, schedule = make_optimiser(model, training, total_steps=20)
    watched = [f"{NETWORK}.{name}.weight" for name in ("layers.1", "layers.0", "embed")]
    moved = []
    for epoch in range(5):
        backbone.begin_epoch(epoch)
        before = {name: dict(model.named_parameters())[name].detach().clone() for name in watched}
        for _ in range(2):
            optimiser.zero_grad()
            assert audio_batch.labels is not None
            torch.autograd.backward(cross_entropy(model(audio_batch), audio_batch.labels))
            optimiser.step()
            schedule.step()
        after = dict(model.named_parameters())
        moved.append([not torch.equal(before[name], after[name]) for name in watched])
    assert moved == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]


def test_weight_decay_would_move_a_frozen_weight_that_had_a_gradient_of_zero() -> None:
    """The counter-example: a gradient of 0 instead of none, as `zero_grad(set_to_none=False)` leaves it."""
    weight = torch.nn.Parameter(torch.ones(2, 2))
    weight.grad = torch.zeros(2, 2)
    torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5).step()
    assert not torch.equal(weight, torch.ones(2, 2))


@pytest.mark.parametrize("decay", [0.0, 1.1, -1.0, True])
def test_a_decay_that_is_none_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="layer_decay"):
        TrainingSpec.model_validate({"layer_decay": decay})
