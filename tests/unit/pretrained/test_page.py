"""docs/pretrained.md: the tables hold every parameter with its default, and the examples are valid."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from vietmer_core.pretrained.params import LoraParams, PretrainedParams, UnfreezingParams
from vietmer_core.spec import TrainingSpec
from vietmer_core.training.optimisation import PRETRAINED_RATE

PAGE = (Path(__file__).parents[3] / "docs" / "pretrained.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
TABLES = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)


def written(default: Any) -> str:
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


@pytest.mark.parametrize(
    ("model", "table"), list(zip((PretrainedParams, LoraParams, UnfreezingParams), TABLES, strict=True))
)
def test_each_table_holds_every_parameter_with_its_default(model: type[BaseModel], table: str) -> None:
    expected = [
        (name, "of the encoder" if field.is_required() else written(field.default))
        for name, field in model.model_fields.items()
    ]
    assert ROW.findall(table) == expected


def test_the_rates_of_the_page_are_those_of_the_code() -> None:
    (example,) = re.findall(r"```\{code-block\} yaml\n(training:.*?)```", PAGE, re.DOTALL)
    training = TrainingSpec.model_validate(yaml.safe_load(example)["training"])
    assert training.learning_rates["audio.pretrained"] == 1e-5
    assert f"have a rate of their own, {PRETRAINED_RATE:.0e}".replace("e-06", "e-6") in PAGE
