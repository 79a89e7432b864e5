"""A spec is a value: frozen, comparable, picklable, and the same again when its resolved form is read."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vietmer_core.catalogue import Catalogue
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_fields import CATALOGUE_KEY
from vietmer_core.spec_loading import load_spec

Load = Callable[..., ExperimentSpec]

RATES = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"))
WORDS = LINES.filter(str.strip)


@st.composite
def manifests(draw: st.DrawFn, labels: list[str]) -> dict[str, Any]:
    path = draw(st.sampled_from(["/data/a.jsonl", "/data/dữ liệu #1/b: c.jsonl"]))
    source: dict[str, Any] = draw(st.sampled_from([{"path": path}, {"corpus": {"kind": "toy", "part": "second"}}]))
    label_map = draw(st.dictionaries(LINES, st.none() | st.sampled_from(labels), max_size=3))
    return {**source, "root": draw(st.sampled_from([None, "/audio"])), "label_map": label_map}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    labels = draw(st.lists(WORDS, min_size=2, max_size=4, unique=True))
    splits = {name: draw(st.lists(manifests(labels), min_size=1, max_size=2)) for name in ("train", "valid")}
    return {
        "name": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)),
        "labels": labels,
        "label_field": draw(WORDS),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "threads": draw(st.none() | st.integers(1, 64)),
        "data": {**splits, "channel": draw(st.sampled_from(["mono", "mix", 0, 1]))},
        "text": draw(st.sampled_from(["words", {"kind": "words", "layers": [1, 2], "adapter": {"rank": 2}}])),
        "fusion": {"kind": "solo", "width": draw(st.integers(1, 9))},
        "pooler": "mean",
        "sampler": "ordered",
        "trackers": draw(st.sampled_from([[], "board", ["ledger", {"kind": "board", "every": 2}]])),
        "training": {
            "learning_rate": draw(RATES),
            "learning_rates": draw(st.dictionaries(st.sampled_from(["text", "head"]), RATES)),
            "gradient_clip": draw(st.none() | RATES),
            "patience": draw(st.none() | st.integers(1, 99)),
        },
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=documents())
def test_the_resolved_form_reads_back_as_an_equal_spec(values: dict[str, Any], handmade: Catalogue) -> None:
    spec = ExperimentSpec.model_validate(values, context={CATALOGUE_KEY: handmade})
    path = Path("resolved.yaml")
    path.write_text(yaml.safe_dump(spec.resolved(), sort_keys=False, allow_unicode=True), encoding="utf-8")
    again = load_spec([path], catalogue=handmade)
    assert again == spec
    assert again.resolved() == spec.resolved()


def test_the_resolved_form_reads_back_from_another_folder(
    load: Load, valid: str, handmade: Catalogue, tmp_path: Path
) -> None:
    spec = load(valid)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec.resolved()), encoding="utf-8")
    assert load_spec([folder / "spec.yaml"], catalogue=handmade) == spec


def test_the_resolved_form_names_every_field_and_parameter(load: Load, valid: str) -> None:
    found = load(valid).resolved()
    assert set(found) == set(ExperimentSpec.model_fields)
    assert found["fusion"] == {"kind": "join", "dim": 16, "num_heads": 4, "bias": True}
    assert found["head"] == {"kind": "mlp", "hidden_dims": [8]}
    assert set(found["data"]["train"][0]) == {"path", "corpus", "root", "label_map"}


def test_specs_that_differ_resolve_differently(load: Load, valid: str) -> None:
    assert load(valid).resolved() != load(valid, overrides=("fusion.num_heads=2",)).resolved()


def test_a_spec_is_frozen(load: Load, valid: str) -> None:
    spec = load(valid)
    for part, field in ((spec, "seed"), (spec.training, "epochs"), (spec.data.train[0], "root"), (spec.fusion, "dim")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, 3)


def test_a_spec_survives_pickling() -> None:
    """With the parts of the core, whose classes a worker can import."""
    values: dict[str, Any] = {
        "labels": ["a", "b"],
        "data": {
            "train": [{"corpus": {"kind": "demo", "split": "test"}, "label_map": {"c": None}}],
            "valid": "v.jsonl",
        },
        "text": "syllable",
        "fusion": {"kind": "text_only", "dim": 8},
        "pooler": "mean",
        "sampler": "uniform",
    }
    spec = ExperimentSpec.model_validate(values)
    again = pickle.loads(pickle.dumps(spec))  # noqa: S301  # its own bytes
    assert again == spec
    assert again.resolved() == spec.resolved()
