"""docs/spec.md: what each field takes is what its model takes, and the examples do what the page says."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from vietmer_core import catalogue as catalogue_module
from vietmer_core.catalogue import Catalogue, installed_catalogue
from vietmer_core.errors import SpecError
from vietmer_core.known import HOUSE_DISTRIBUTIONS
from vietmer_core.spec import (
    COMPONENT_FIELDS,
    LISTED_FIELDS,
    CacheSpec,
    DataSpec,
    ExperimentSpec,
    InitialiseSpec,
    LoaderSpec,
    ManifestSpec,
    ShapesSpec,
    TrainingSpec,
)
from vietmer_core.spec_augmentation import (
    AugmentSpec,
    BandSpec,
    CodecSpec,
    GainSpec,
    ModalityDropoutSpec,
    NoiseSpec,
    SpeedSpec,
)
from vietmer_core.spec_files import read_documents
from vietmer_core.spec_loading import load_spec

PAGE = Path(__file__).parents[3] / "docs" / "spec.md"
ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
BLOCK = re.compile(r"^```\{code-block\} \w+\n:caption: ([^\n]+)\n\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def block(caption: str) -> str:
    (body,) = [body for found, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if found == caption]
    return str(body)


def whole(bound: float) -> float:
    """0 rather than 0.0, which older versions of pydantic write."""
    return int(bound) if bound == int(bound) else bound


def number(schema: Mapping[str, Any], word: str) -> str:
    bounds = (("minimum", "from"), ("exclusiveMinimum", "above"), ("exclusiveMaximum", "below"), ("maximum", "to"))
    written = [f"{preposition} {whole(schema[key])}" for key, preposition in bounds if key in schema]
    return f"{word} {', '.join(written)}".replace(str(2**63), "2^63")


WORDS = {"string": "text", "null": "null", "object": "a mapping", "boolean": "true or false"}
NUMBERS = {"integer": "a whole number", "number": "a number"}


def takes(name: str, schema: Mapping[str, Any]) -> str:
    """What a field takes, in words, from its JSON schema."""
    is_path = any(option.get("format") == "path" for option in (schema, *schema.get("anyOf", ())))
    is_component = name in COMPONENT_FIELDS and not is_path and schema.get("type") != "number"
    if is_component or name == "corpus":
        return "a component"
    if name in LISTED_FIELDS:
        return "a component or a list of them"
    if "anyOf" in schema:
        return " or ".join(takes("" if is_path else name, option) for option in schema["anyOf"])
    kind = schema.get("type")
    if "enum" in schema:
        words = ", ".join(f"`{value}`" for value in schema["enum"])
    elif "const" in schema:
        words = f"`{schema['const']}`"
    elif kind == "array":
        words = listed(schema)
    elif kind in NUMBERS:
        words = number(schema, NUMBERS[kind])
    elif "$ref" in schema:
        words = "a mapping"
    else:
        words = "a path" if schema.get("format") == "path" else WORDS.get(kind or "", "")
    return words


def listed(schema: Mapping[str, Any]) -> str:
    """What a list takes, in words."""
    entry = schema.get("items", {})
    if "prefixItems" in schema:
        return number(schema["prefixItems"][0], "two numbers")
    if "enum" in entry:
        return "a list of " + ", ".join(f"`{value}`" for value in entry["enum"])
    if "discriminator" in entry:
        return "a list of operations"
    return "a manifest or a list of them" if "$ref" in entry else f"a list of at least {schema['minItems']} texts"


def taken_by(model: type[BaseModel]) -> set[tuple[str, str]]:
    """What each field of a model takes; null too, where that is the default of a component."""
    properties: Mapping[str, Mapping[str, Any]] = model.model_json_schema()["properties"]
    found = {name: takes(name, schema) for name, schema in properties.items()}
    is_optional = {name for name, schema in properties.items() if schema.get("default", "") is None}
    return {
        (name, f"{taken} or null" if name in is_optional and taken == "a component" else taken)
        for name, taken in found.items()
    }


@pytest.mark.parametrize(
    "model",
    [
        *(ExperimentSpec, DataSpec, ManifestSpec, LoaderSpec, ShapesSpec, CacheSpec, InitialiseSpec, TrainingSpec),
        *(AugmentSpec, ModalityDropoutSpec, NoiseSpec, CodecSpec, BandSpec, SpeedSpec, GainSpec),
    ],
)
def test_the_page_says_what_each_field_takes(model: type[BaseModel]) -> None:
    assert {name for name, _ in taken_by(model)} == set(model.model_fields)
    assert taken_by(model) - set(ROW.findall(PAGE.read_text(encoding="utf-8"))) == set()


def house_catalogue(*kinds: str) -> Catalogue:
    return Catalogue(tuple(offer for offer in installed_catalogue().offered if offer.component.kind in kinds))


def test_the_yaml_and_the_toml_example_are_one_spec() -> None:
    for name in ("spec.yaml", "spec.toml"):
        Path(name).write_text(block(name), encoding="utf-8")
    catalogue = house_catalogue(
        "syllable", "fourier2vec", "xattn", "attn", "mlp", "cross_entropy", "length_bucket", "demo"
    )
    spec = load_spec([Path("spec.yaml")], catalogue=catalogue)
    overrides = ["training.learning_rates.text=1e-4", "data.train.1.label_map.fear=null"]
    assert load_spec([Path("spec.toml")], overrides, catalogue=catalogue) == spec
    assert load_spec([Path("spec.toml")], overrides[:1], catalogue=catalogue) != spec


def test_the_overrides_of_the_page_are_read() -> None:
    Path("spec.yaml").write_text(block("spec.yaml"), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    overrides = [shlex.split(found)[1] for found in re.findall(r"^\| `(--set [^`]+)` \|", page, re.MULTILINE)]
    assert len(overrides) > 5
    document = read_documents([Path("spec.yaml")], overrides)
    assert document.values["name"] == "5"
    assert document.values["label_field"] == "a=b"
    assert document.values["fusion"] == {"kind": "late"}
    assert document.values["data"]["train"][0]["label_map"] == {"a.b": "sad"}


def test_the_errors_of_the_page_are_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_module, "KNOWN_DISTRIBUTIONS", HOUSE_DISTRIBUTIONS)
    Path("wrong.yaml").write_text(block("wrong.yaml"), encoding="utf-8")
    catalogue = house_catalogue("syllable", "xattn", "mean", "mlp", "cross_entropy", "uniform")
    with pytest.raises(SpecError) as caught:
        load_spec([Path("wrong.yaml")], ["training.epoch=3"], catalogue=catalogue)
    assert str(caught.value) == block("what it says").rstrip("\n")
