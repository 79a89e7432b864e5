"""What a pretrained encoder can be told, and which contradictions are refused."""

from typing import Any, Literal

import pytest
from pydantic import ValidationError

from vietmer_core.pretrained.params import PretrainedParams, is_folder


class AnyParams(PretrainedParams):
    kind: Literal["any"] = "any"
    checkpoint: str = "org/name"


@pytest.mark.parametrize("folder", ["./x", "../x", "~/x", "/x", ".\\x", "C:\\x", "c:/x", "."])
def test_a_folder_is_told_from_an_id(folder: str) -> None:
    assert is_folder(folder)


@pytest.mark.parametrize("checkpoint", ["org/name", "bert-base", "vinai/phobert-base", "a/b.c_d-e"])
def test_an_id_is_one(checkpoint: str) -> None:
    assert not is_folder(checkpoint)
    assert AnyParams(checkpoint=checkpoint).checkpoint == checkpoint


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"checkpoint": "a/b/c"}, "must be an id on the hub"),
        ({"checkpoint": ""}, "must be an id on the hub"),
        ({"checkpoint": "./x", "revision": "main"}, "`revision` must be left out for a folder"),
        ({"layers": -1}, "must be a layer's number from 0"),
        ({"layers": True}, "layers"),
        ({"freeze": False, "train_layers": 2}, "`train_layers` must go with `freeze: true`"),
        ({"freeze": False, "lora": {}}, "`lora` must go with `freeze: true`"),
        ({"train_layers": 2, "lora": {}}, "only one of `train_layers` and `lora`"),
        ({"unfreeze": {}}, "`unfreeze` must go with"),
        ({"lora": {}, "unfreeze": {}}, "`unfreeze` must go with"),
        ({"gradient_checkpointing": True}, "`gradient_checkpointing` must be false"),
        ({"train_layers": 0}, "train_layers"),
        ({"lora": {"rank": 0}}, "rank"),
        ({"weigths": "random"}, "weigths"),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        AnyParams.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"train_layers": 2, "unfreeze": {"first_epoch": 0, "layers": 2, "every": 3}},
        {"freeze": False, "unfreeze": {}, "gradient_checkpointing": True},
        {"lora": {"rank": 4, "target_modules": ["query"]}, "gradient_checkpointing": True},
        {"layers": "weighted_sum"},
        {"layers": 0},
    ],
)
def test_what_goes_together_is_taken(given: dict[str, Any]) -> None:
    params = AnyParams.model_validate(given)
    assert AnyParams.model_validate(params.model_dump(mode="json")) == params
