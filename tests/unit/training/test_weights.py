"""What a run keeps of a pretrained model, and what it demands when it reads it again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from pydantic import BaseModel

from vietmer_core.errors import RunError
from vietmer_core.model import EmotionModel
from vietmer_core.pretrained.backbone import TrainingPlan
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training.weights import (
    frozen_names,
    load_model_state,
    model_state,
    pinned,
    pretrained_json,
    pretrained_records,
)

MakeModel = Callable[..., EmotionModel]
PATH = Path("best.pt")


def test_frozen_weights_are_left_out_and_come_from_their_origin(pretrained_model: MakeModel) -> None:
    model = pretrained_model(plan=TrainingPlan(depth=1))
    state = model_state(model)
    left_out = set(model.state_dict()) - set(state["model"])
    assert left_out == frozen_names(model)
    assert left_out == {f"audio.backbone.model.{name}" for name in ("embed.weight", "embed.bias")} | {
        f"audio.backbone.model.layers.0.{name}" for name in ("weight", "bias")
    }
    other = pretrained_model(plan=TrainingPlan(depth=1), seed=1)
    load_model_state(other, state, path=PATH)
    for name, value in other.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]) == (name not in left_out)


def test_the_records_are_kept_with_the_weights(pretrained_model: MakeModel) -> None:
    model = pretrained_model(commit="c0", licence="Apache-2.0")
    record = pretrained_records(model)["audio.backbone"].as_json()
    assert model_state(model)["pretrained"] == {"audio.backbone": record}
    assert pretrained_json(model) == {"audio": [{"part": "audio.backbone", **record}]}
    assert (record["commit"], record["licence"]) == ("c0", "Apache-2.0")


def test_other_files_are_refused(pretrained_model: MakeModel) -> None:
    state = model_state(pretrained_model())
    for files in ({"model.safetensors": "bb"}, {}, {"model.safetensors": "aa", "more.safetensors": "cc"}):
        with pytest.raises(RunError, match=r"other weights of `org/name` than those here: `m.*` differs \(SHA-256\)"):
            load_model_state(pretrained_model(files=files), state, path=PATH)


@pytest.mark.parametrize("name", ["head.layers.0.weight", "audio.mix.weights"])
def test_a_weight_that_is_lacking_is_named(pretrained_model: MakeModel, name: str) -> None:
    state = model_state(pretrained_model())
    del state["model"][name]
    with pytest.raises(RunError, match=f"its weights lack `{name}`"):
        load_model_state(pretrained_model(), state, path=PATH)


def test_weights_for_another_plan_are_refused(pretrained_model: MakeModel) -> None:
    trained, frozen = pretrained_model(plan=TrainingPlan(depth=None)), pretrained_model()
    with pytest.raises(RunError, match=r"its weights hold also `audio\.backbone\.model\.embed\.bias`.*and 3 more"):
        load_model_state(frozen, model_state(trained), path=PATH)
    with pytest.raises(RunError, match=r"its weights lack `audio\.backbone\.model\.embed\.bias`"):
        load_model_state(trained, model_state(frozen), path=PATH)


def test_weights_of_another_shape_are_refused(pretrained_model: MakeModel) -> None:
    state = model_state(pretrained_model())
    state["model"]["head.layers.0.weight"] = torch.zeros(2, 2)
    with pytest.raises(RunError, match=r"best\.pt: the checkpoint does not fit .*size mismatch for head\.layers\.0"):
        load_model_state(pretrained_model(), state, path=PATH)


class NestedParams(BaseModel):
    kind: Literal["nested"] = "nested"
    inner: PretrainedParams
    width: int = 3


def spec_with(audio: BaseModel) -> ExperimentSpec:
    unvalidated: Any = ExperimentSpec.model_construct
    spec: ExperimentSpec = unvalidated(text=None, audio=audio)
    return spec


def revision_of(spec: ExperimentSpec) -> Any:
    audio: Any = spec.audio
    return getattr(audio, "inner", audio).revision


@pytest.mark.parametrize("nested", [False, True])
def test_the_spec_of_a_run_names_the_commit(pretrained_model: MakeModel, *, nested: bool) -> None:
    def spec(**given: Any) -> ExperimentSpec:
        params = PretrainedParams(**{"checkpoint": "org/name", **given})
        return spec_with(NestedParams(inner=params) if nested else params)

    commit = "c" * 40
    assert revision_of(pinned(spec(), pretrained_model(commit=commit))) == commit
    assert revision_of(pinned(spec(revision="v2"), pretrained_model(commit=commit, revision="v2"))) == commit
    assert revision_of(pinned(spec(revision="v1"), pretrained_model(commit=commit, revision="v2"))) == "v1"
    assert revision_of(pinned(spec(checkpoint="org/other"), pretrained_model(commit=commit))) is None
    assert revision_of(pinned(spec(checkpoint="./x"), pretrained_model(checkpoint="./x"))) is None
