"""`label_map: mer5` in a spec: the name, what the resolved spec keeps of it, and what is wrong with others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from vietmer_core.catalogue import Catalogue
from vietmer_core.data.check_sources import sources_of_spec
from vietmer_core.data.splits import manifest_sources
from vietmer_core.label_maps import label_space, named_label_map
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_label_maps import NamedMapSpec
from vietmer_core.spec_loading import load_spec

Load = Callable[..., ExperimentSpec]
Faults = Callable[..., list[str]]

LABELS = f"labels=[{', '.join(label_space('mer5'))}]"


def named(load: Load, valid: str, name: str = "mer5") -> ExperimentSpec:
    return load(valid, overrides=(LABELS, f"data.train={{path: a.jsonl, label_map: {name}}}"))


def test_a_name_becomes_the_map_with_its_version(load: Load, valid: str) -> None:
    found = named(load, valid).data.train[0].label_map
    assert isinstance(found, NamedMapSpec)
    assert (found.named, found.version) == ("mer5", 1)
    assert found.as_map().corpora == named_label_map("mer5").corpora
    assert named(load, valid, "mer5.v1") == named(load, valid)


def test_the_resolved_spec_keeps_the_mapping_in_force(load: Load, valid: str, handmade: Catalogue) -> None:
    spec = named(load, valid)
    resolved: dict[str, Any] = spec.resolved()
    kept = resolved["data"]["train"][0]["label_map"]
    assert (kept["named"], kept["version"]) == ("mer5", 1)
    assert kept["corpora"]["visec"] == {"angry": "angry", "happy": "happiness", "neutral": "neutral", "sad": "sadness"}
    Path("resolved.yaml").write_text(yaml.safe_dump(resolved), encoding="utf-8")
    assert load_spec([Path("resolved.yaml")], catalogue=handmade) == spec
    kept["corpora"]["visec"]["happy"] = "neutral"  # what a run was trained with stays what it was
    Path("older.yaml").write_text(yaml.safe_dump(resolved), encoding="utf-8")
    older = load_spec([Path("older.yaml")], catalogue=handmade).data.train[0].label_map
    assert isinstance(older, NamedMapSpec)
    assert older.corpora["visec"]["happy"] == "neutral"


def test_the_manifests_of_a_spec_carry_it(load: Load, valid: str, handmade: Catalogue) -> None:
    spec = named(load, valid)
    (source,) = manifest_sources(spec.data.train, handmade)
    (checked,) = sources_of_spec(spec, [source.path], root=None)
    for found in (source, checked):
        assert found.named_map is not None
        assert found.named_map.of("meld")["joy"] == "happiness"
        assert found.label_map == {}


def test_an_unknown_name_is_refused_with_the_nearest(faults: Faults, valid: str) -> None:
    (said,) = faults(valid, overrides=("data.test={path: a, label_map: mer6}",))
    assert "data.test.label_map: there is no label map `mer6`; there are `big6`, " in said
    assert said.endswith("Did you mean `mer5`?")


def test_a_map_into_other_labels_is_refused_with_the_remedy(faults: Faults, valid: str) -> None:
    (said,) = faults(valid, overrides=("data.test={path: a, label_map: mer5}",))
    assert "data.test.label_map: label map `mer5` maps to `fear`" in said
    assert said.endswith("Write `labels: [angry, fear, happiness, neutral, sadness]`, or a `label_map` of your own.")


def test_that_is_told_beside_other_errors(faults: Faults, valid: str) -> None:
    said = faults(valid, overrides=("data.test={path: a, label_map: mer5}", "training.epoch=3"))
    assert len(said) == 2
    assert any("label map `mer5` maps to" in one for one in said)
