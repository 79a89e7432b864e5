"""What the pages state is what the code does: fields, defaults, commands, exit codes, plugins, parameters."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vietmer_core import errors
from vietmer_core.components import Component, Role
from vietmer_core.data.utterance import KNOWN_METADATA, REQUIRED_FIELDS
from vietmer_core.known import HOUSE_DISTRIBUTIONS
from vietmer_core.plugins import installed_plugins
from vietmer_core.spec import (
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

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```\{code-block\} (\w+)\n(?::caption: [^\n]+\n)?\n?(.*?)^```$", re.MULTILINE | re.DOTALL)
NESTED_DEFAULT = "defaults, below"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def documented_default(field: FieldInfo) -> str:
    """How a page writes the default of a field."""
    if field.is_required():
        return "required"
    default: Any = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return NESTED_DEFAULT
    if isinstance(default, dict) and "kind" in default:
        return f"`{default['kind']}`"
    if isinstance(default, str):
        return f"`{default}`"
    return f"`{json.dumps(default)}`"


SPEC_MODELS: Final[tuple[type[BaseModel], ...]] = (
    *(ExperimentSpec, DataSpec, ManifestSpec, LoaderSpec, ShapesSpec, CacheSpec, InitialiseSpec, TrainingSpec),
    *(AugmentSpec, ModalityDropoutSpec, NoiseSpec, CodecSpec, BandSpec, SpeedSpec, GainSpec),
)


@pytest.mark.parametrize("model", SPEC_MODELS)
def test_the_spec_page_has_a_row_with_the_default_of_every_field(model: type[BaseModel]) -> None:
    rows = ROW.findall(page("spec.md"))
    missing = [
        (name, documented_default(field))
        for name, field in model.model_fields.items()
        if (name, documented_default(field)) not in rows
    ]
    assert missing == []


def test_the_spec_page_has_no_row_of_a_field_that_is_not_there() -> None:
    known = {name for model in SPEC_MODELS for name in model.model_fields}
    assert [name for name, _ in ROW.findall(page("spec.md")) if name not in known] == []


def test_the_data_page_names_every_field_of_a_manifest() -> None:
    assert [name for name in (*REQUIRED_FIELDS, *KNOWN_METADATA) if f"`{name}`" not in page("data.md")] == []


def test_the_example_of_the_spec_page_is_valid() -> None:
    (example,) = [body for language, body in CODE_BLOCK.findall(page("spec.md")) if language == "yaml"]
    ExperimentSpec.model_validate(yaml.safe_load(example))


def test_every_exit_code_is_documented() -> None:
    codes = {str(value) for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert set(re.findall(r"^\| (\d+) \|", page("exit-codes.md"), re.MULTILINE)) == codes


def test_the_plugins_page_lists_exactly_the_plugins_of_the_house() -> None:
    listed = re.findall(r"^\| `(vietmer-[a-z0-9-]+)` \| `(\w+): (\w+)` \|", page("plugins.md"), re.MULTILINE)
    assert sorted(listed) == sorted((name, *key) for key, name in HOUSE_DISTRIBUTIONS.items())


def house_components() -> list[Component]:
    house = {"vietmer-core", *HOUSE_DISTRIBUTIONS.values()}
    return [offer.component for offer in installed_plugins().offered if offer.origin.distribution in house]


def pages_of(component: Component) -> str:
    """Where the parameters of a component may stand: its plugin's README, its own page, or the plugins page."""
    folder = HOUSE_DISTRIBUTIONS.get((component.role.value, component.kind))
    readme = (ROOT / "plugins" / folder / "README.md").read_text(encoding="utf-8") if folder else ""
    own = [file.read_text(encoding="utf-8") for file in sorted((DOCS / "components").glob("*.md"))]
    about = [text for text in own if f"`{component.kind}`" in text]
    return "\n".join([readme, *about, "" if folder else page("plugins.md")])


@pytest.mark.parametrize("component", house_components(), ids=lambda component: f"{component.role}-{component.kind}")
def test_every_parameter_of_every_component_is_documented(component: Component) -> None:
    written = set(re.findall(r"`(\w+)`|\b(\w+):", pages_of(component)))  # in a table, or in a line of a spec
    names = {name for pair in written for name in pair}
    assert set(component.params.model_fields) - {"kind"} <= names


def test_every_plugin_says_how_it_is_installed_and_named_in_a_spec() -> None:
    for (role, kind), name in HOUSE_DISTRIBUTIONS.items():
        readme = (ROOT / "plugins" / name / "README.md").read_text(encoding="utf-8")
        assert name in readme
        assert kind in readme
        if role == Role.IMPORTER.value:
            assert f"vietmer data import {kind} " in readme, f"{name}: its README shows no import of `{kind}`"
        elif role != Role.CORPUS.value:
            field = next((field for field, listed in LISTED_FIELDS.items() if listed == role), role)
            assert re.search(rf"{field}: ({{kind: )?{kind}\b", readme), f"{name}: its README shows no line of a spec"


def test_every_page_is_reached_from_the_index() -> None:
    index = page("index.md")
    names = [file.stem for file in DOCS.glob("*.md") if file.stem != "index"]
    assert [name for name in names if f"\n{name}\n" not in index] == []
    first = index.split("```{toctree}")[1].split("\n\n")[1].split()[0]
    assert first == "write-a-plugin"  # what a reader sees first


def test_the_readme_of_the_core_is_that_of_the_repository() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["readme"] == "README.md"
    assert (ROOT / "README.md").read_text(encoding="utf-8").startswith("# VietMER\n")
