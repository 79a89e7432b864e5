"""Parameters of pretrained encoders with more, or nothing, trained: what is frozen has no gradient to compare."""

from typing import Any

from pydantic import BaseModel

from vietmer_core.pretrained.params import LoraParams, PretrainedParams, UnfreezingParams


def freed(params: BaseModel) -> BaseModel:
    """The parameters with all weights trained in each pretrained part, nested ones too, that trains none."""
    changes = _inside(params, freed)
    if isinstance(params, PretrainedParams) and params.freeze and params.train_layers is None and params.lora is None:
        changes |= {"freeze": False}
    return params.model_copy(update=changes)


def frozen(params: BaseModel) -> BaseModel:
    """The parameters with no weight trained in any pretrained part, or in any other that has a field `freeze`."""
    changes = _inside(params, frozen)
    if isinstance(params, PretrainedParams):
        nothing = dict.fromkeys(("train_layers", "lora", "unfreeze"))
        changes |= {"gradient_checkpointing": False, **nothing}
    if _can_freeze(params):
        changes |= {"freeze": True}
    return params.model_copy(update=changes)


def ways_of_training(params: BaseModel) -> dict[str, BaseModel]:
    """Parameters that train one part in one way, all else frozen, by the field that says so, such as `part.lora`."""
    base = frozen(params)
    ways: dict[str, dict[str, Any]] = {"freeze": {"freeze": False}} if _can_freeze(params) else {}
    if isinstance(params, PretrainedParams):
        ways |= {
            "train_layers": {"train_layers": 1},
            "lora": {"lora": LoraParams()},
            "unfreeze": {"freeze": False, "unfreeze": UnfreezingParams(first_epoch=3)},
        }
    found = {field: base.model_copy(update=changes) for field, changes in ways.items()}
    for name in type(params).model_fields:
        part = getattr(params, name)
        if isinstance(part, BaseModel):
            inside = ways_of_training(part)
            found |= {f"{name}.{field}": base.model_copy(update={name: one}) for field, one in inside.items()}
    return found


def _can_freeze(params: BaseModel) -> bool:
    field = type(params).model_fields.get("freeze")
    return field is not None and field.annotation is bool


def _inside(params: BaseModel, change: Any) -> dict[str, Any]:
    parts = {name: getattr(params, name) for name in type(params).model_fields}
    return {name: change(part) for name, part in parts.items() if isinstance(part, BaseModel)}
