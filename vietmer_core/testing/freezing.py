"""Parameters of pretrained encoders with more, or nothing, trained: what is frozen has no gradient to compare."""

from typing import Any

from pydantic import BaseModel

from vietmer_core.pretrained.params import PretrainedParams


def freed(params: BaseModel) -> BaseModel:
    """The parameters with all weights trained in each pretrained part, nested ones too, that trains none."""
    changes = _inside(params, freed)
    if isinstance(params, PretrainedParams) and params.freeze and params.train_layers is None and params.lora is None:
        changes |= {"freeze": False}
    return params.model_copy(update=changes)


def frozen(params: BaseModel) -> BaseModel:
    """The parameters with no weight trained in any pretrained part."""
    changes = _inside(params, frozen)
    if isinstance(params, PretrainedParams):
        nothing = dict.fromkeys(("train_layers", "lora", "unfreeze"))
        changes |= {"freeze": True, "gradient_checkpointing": False, **nothing}
    return params.model_copy(update=changes)


def _inside(params: BaseModel, change: Any) -> dict[str, Any]:
    parts = {name: getattr(params, name) for name in type(params).model_fields}
    return {name: change(part) for name, part in parts.items() if isinstance(part, BaseModel)}
