"""What is trained of a pretrained network, in which epoch, in which mode, and what a run keeps of it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import BertModel

from vietmer_core.pretrained.backbone import PretrainedBackbone, TrainingPlan, backbones
from vietmer_core.pretrained.checkpoints import CheckpointRecord, open_checkpoint
from vietmer_core.pretrained.loading import load_model
from vietmer_core.pretrained.params import PretrainedParams, UnfreezingParams

MakeCheckpoint = Callable[..., Path]
Build = Callable[..., PretrainedBackbone]
LAYER = "model.encoder.layer."


@pytest.fixture
def build(make_checkpoint: MakeCheckpoint) -> Build:
    """A backbone of three layers from parameters."""

    def made(**params: Any) -> PretrainedBackbone:
        given_ = PretrainedParams(checkpoint=str(make_checkpoint()), **params)
        checkpoint = open_checkpoint(given_, licences={})
        model = load_model(BertModel, checkpoint, changes={}, may_miss=[r"^pooler\."])
        plan = TrainingPlan.of(given_)
        return PretrainedBackbone(
            model,
            layers=model.encoder.layer,
            top=[model.pooler],
            record=checkpoint.record,
            plan=plan,
            lora_targets=("query", "value"),
        )

    return made


def trained_names(backbone: PretrainedBackbone) -> set[str]:
    return {name for name, value in backbone.named_parameters() if value.requires_grad}


def modules_training(backbone: PretrainedBackbone) -> set[str]:
    return {name for name, part in backbone.named_modules() if part.training and name}


def beginning(backbone: PretrainedBackbone, *prefixes: str) -> set[str]:
    return {name for name, _ in backbone.named_parameters() if name.startswith(prefixes)}


def test_frozen_is_without_gradient_and_in_eval_mode(build: Build) -> None:
    backbone = build()
    for mode in (True, False, True):
        backbone.train(mode)
        assert trained_names(backbone) == set()
        assert modules_training(backbone) == set()
    assert not backbone.is_tuned
    assert backbone.parameter_groups() == []


def test_the_last_layers_and_what_is_above_them_train(build: Build) -> None:
    backbone = build(train_layers=2).train()
    expected = beginning(backbone, f"{LAYER}1.", f"{LAYER}2.", "model.pooler.")
    assert trained_names(backbone) == expected
    assert f"{LAYER}2.output.dropout" in modules_training(backbone)
    assert f"{LAYER}0.output.dropout" not in modules_training(backbone)
    assert "model.embeddings.dropout" not in modules_training(backbone)
    assert modules_training(backbone.eval()) == set()


def test_everything_trains_but_what_the_network_itself_fixes(build: Build) -> None:
    backbone = build(freeze=False).train()
    assert trained_names(backbone) == {name for name, _ in backbone.named_parameters()}
    assert len(modules_training(backbone)) == sum(1 for name, _ in backbone.named_modules() if name)


def test_positions_that_the_network_fixes_stay_fixed_in_a_copy_too(build: Build) -> None:
    origin = build(freeze=False)
    plan = TrainingPlan(depth=None)
    model: Any = origin.model
    model.embeddings.position_embeddings.weight.requires_grad_(False)  # noqa: FBT003  # torch names it so
    backbone = PretrainedBackbone(model, layers=model.encoder.layer, record=origin.record, plan=plan)
    for one in (backbone, copy.deepcopy(backbone)):
        one.begin_epoch(1)
        assert "model.embeddings.position_embeddings.weight" not in trained_names(one)
        assert "model.embeddings.position_embeddings.weight" in one.frozen_names()
        assert f"{LAYER}0.output.dense.weight" in trained_names(one)


def test_low_rank_updates_train_alone_and_begin_as_nothing(build: Build) -> None:
    plain, backbone = build(), build(lora={"rank": 2, "dropout": 0.5})
    assert trained_names(backbone) == {name for name, _ in backbone.named_parameters() if ".lora_" in name}
    assert len(trained_names(backbone)) == 3 * 2 * 2, "three layers, queries and values, two matrices each"
    ids = torch.arange(6)[None]
    expected, found = (one.eval().model(ids).last_hidden_state for one in (plain, backbone))
    torch.testing.assert_close(found, expected)
    assert {group.name for group in backbone.parameter_groups()} == {"new"}
    assert f"{LAYER}0.attention.self.dropout" in modules_training(backbone.train())
    assert "model.embeddings.dropout" not in modules_training(backbone)


def test_layers_that_low_rank_updates_cannot_find_are_named(build: Build) -> None:
    with pytest.raises(
        ValueError, match=r"must be names of linear layers \(dense, key, query, value\), but holds q_proj"
    ):
        build(lora={"target_modules": ["q_proj"]})
    with pytest.raises(ValueError, match="but holds nothing instead"):
        build(lora={"target_modules": []})
    with pytest.raises(ValueError, match=r"but holds elsewhere\.value instead"):
        build(lora={"target_modules": ["query", "elsewhere.value"]})
    assert len(trained_names(build(lora={"target_modules": ["query", "self.value"]}))) == 3 * 2 * 2


def test_more_layers_than_there_are_is_refused(build: Build) -> None:
    build(train_layers=3)
    with pytest.raises(ValueError, match="`train_layers` must be at most 3, the layers that are read, but is 4"):
        build(train_layers=4)


@given(
    depth=st.none() | st.integers(1, 5),
    unfreeze=st.builds(
        UnfreezingParams, first_epoch=st.integers(0, 3), layers=st.integers(1, 3), every=st.integers(1, 3)
    ),
)
def test_gradual_unfreezing_rises_to_all_that_is_trained(depth: int | None, unfreeze: UnfreezingParams) -> None:
    plan = TrainingPlan(depth=depth, unfreeze=unfreeze)
    depths = [plan.depth_at(epoch, 5) for epoch in range(40)]
    assert depths == sorted(depths)
    assert depths[: unfreeze.first_epoch] == [0] * unfreeze.first_epoch
    assert depths[-1] == (6 if depth is None else depth)
    first = depths[unfreeze.first_epoch : unfreeze.first_epoch + unfreeze.every]
    assert first == [min(unfreeze.layers, depths[-1])] * unfreeze.every


def test_layers_are_freed_from_the_top_epoch_by_epoch(build: Build) -> None:
    backbone = build(freeze=False, unfreeze={"first_epoch": 1})
    wanted = [(), (2,), (2, 1), (2, 1, 0)]
    for epoch, layers in enumerate(wanted):
        backbone.begin_epoch(epoch)
        prefixes = [f"{LAYER}{number}." for number in layers] + (["model.pooler."] if layers else [])
        assert trained_names(backbone) == (beginning(backbone, *prefixes) if prefixes else set())
        assert backbone.is_tuned == bool(layers)
    backbone.begin_epoch(4)
    assert trained_names(backbone) == {name for name, _ in backbone.named_parameters()}
    backbone.begin_epoch(1)
    assert trained_names(backbone) == beginning(backbone, f"{LAYER}2.", "model.pooler."), "a resumed run goes back"


def test_freeing_keeps_the_mode(build: Build) -> None:
    backbone = build(train_layers=1, unfreeze={"first_epoch": 1}).eval()
    backbone.begin_epoch(1)
    assert modules_training(backbone) == set()
    backbone.train()
    backbone.begin_epoch(0)
    assert modules_training(backbone) == set()
    backbone.begin_epoch(1)
    assert f"{LAYER}2.output.dropout" in modules_training(backbone)


def test_the_groups_hold_all_that_is_trained_at_some_epoch_by_depth(build: Build) -> None:
    backbone = build(freeze=False, unfreeze={})
    names = {id(value): name for name, value in backbone.named_parameters()}
    groups = backbone.parameter_groups()
    found = [{names[id(value)] for value in group.parameters} for group in groups]
    assert [group.depth for group in groups] == [0, 1, 2, 3]
    assert found[0] == beginning(backbone, f"{LAYER}2.", "model.pooler.")
    assert found[1] == beginning(backbone, f"{LAYER}1.")
    assert found[3] == beginning(backbone, "model.embeddings.")
    assert sum(len(part) for part in found) == len(names)
    assert {group.name for group in groups} == {"pretrained"}


def test_random_weights_are_new(build: Build) -> None:
    assert {group.name for group in build(weights="random", freeze=False).parameter_groups()} == {"new"}


@pytest.mark.parametrize(
    "params",
    [{}, {"train_layers": 1}, {"freeze": False}, {"lora": {}}, {"freeze": False, "unfreeze": {}}, {"layers": 1}],
)
def test_frozen_names_are_what_training_leaves_and_the_checkpoint_holds(build: Build, params: dict[str, Any]) -> None:
    backbone = build(**params)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    given = [value for group in backbone.parameter_groups() for value in group.parameters]
    if given:
        optimiser = torch.optim.AdamW(given, lr=0.1)
        backbone.begin_epoch(9)
        output = backbone.model(torch.arange(6)[None])
        (output.last_hidden_state.sum() + output.pooler_output.sum()).backward()
        optimiser.step()
    moved = {name for name, value in backbone.state_dict().items() if not torch.equal(before[name], value)}
    frozen = backbone.frozen_names()
    assert not moved & frozen
    assert frozen | moved | beginning(backbone, "model.pooler.") >= set(before) - never_moved(backbone)
    assert not {name for name in frozen if name.startswith("model.pooler.")}, "the checkpoint has no pooler"


def never_moved(backbone: PretrainedBackbone) -> set[str]:
    """Trained, but without a gradient here: the keys' bias moves no softmax, one of two matrices of an update is 0."""
    return {name for name in backbone.state_dict() if name.endswith("key.bias") or "lora_A" in name}


def test_nothing_frozen_is_left_out_where_the_weights_are_random(build: Build) -> None:
    assert build(weights="random").frozen_names() == frozenset()


def test_a_tensor_with_two_names_is_kept_under_both() -> None:
    tied = nn.Linear(2, 2)
    model: Any = nn.ModuleDict({"below": tied, "layer": nn.ModuleDict({"tied": tied})})
    record = CheckpointRecord(
        checkpoint="./x", revision=None, commit=None, weights="pretrained", licence="MIT", files={}
    )
    plan = TrainingPlan(depth=1)
    backbone = PretrainedBackbone(model, layers=[model["layer"]], record=record, plan=plan)
    assert backbone.frozen_names() == frozenset()
    assert "model.below.weight" in backbone.state_dict()


def test_backbones_are_found_with_their_names(build: Build) -> None:
    outer = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.ModuleList([build()])})
    assert [name for name, _ in backbones(outer)] == ["b.0"]


@pytest.mark.parametrize(
    ("params", "obstacle"),
    [
        ({}, ""),
        ({"layers": "weighted_sum", "normalise_layers": True}, ""),
        ({"freeze": False}, "`freeze: false` trains its weights"),
        ({"train_layers": 2}, "`train_layers: 2` trains its last layers"),
        ({"lora": {}}, "`lora` trains low-rank updates inside it"),
        (
            {"freeze": False, "unfreeze": {"first_epoch": 9}},
            "`freeze: false` with `unfreeze` trains its layers one after the other",
        ),
        (
            {"train_layers": 1, "unfreeze": {}},
            "`train_layers: 1` with `unfreeze` trains its layers one after the other",
        ),
    ],
)
def test_what_keeps_states_from_being_kept_is_told_by_its_field(params: dict[str, Any], obstacle: str) -> None:
    plan = TrainingPlan.of(PretrainedParams(checkpoint="./x", **params))
    assert plan.obstacle() == obstacle
    assert plan.obstacle(inside="part.") == obstacle.replace("`", "`part.", 1).replace("with `", "with `part.")
