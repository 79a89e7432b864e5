"""What a user installs: the wheel of the core and of every plugin, apart from the checkout."""

import json
import os
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow

PROBE = """
import importlib, json, sys
files = {}
for name in json.loads(sys.argv[1]):
    files[name] = importlib.import_module(name).__file__
print(json.dumps({"files": files, "torch": "torch" in sys.modules}))
"""
CATALOGUE = """
import json
from vietmer_core.plugins import installed_plugins
found = installed_plugins()
print(json.dumps({
    "broken": [str(plugin) for plugin in found.broken],
    "offered": sorted(f"{offer.component.role}: {offer.component.kind}" for offer in found.offered),
}))
"""


def _run(site: Path, code: str, *arguments: str) -> Any:
    """Run code where the unpacked wheels come before everything else, outside the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "VIETMER_STRICT_PLUGINS"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**environment, "PYTHONPATH": str(site)},
        cwd=site.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _entry_points(text: str) -> dict[str, str]:
    parser = ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keeps the case of names, as the format asks
    parser.read_string(text)
    return dict(parser["vietmer"]) if parser.has_section("vietmer") else {}


def test_every_file_of_a_package_is_in_its_wheel(built: Any) -> None:
    for distribution in built:
        files = [path for path in distribution.source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        expected = {f"{distribution.package}/{path.relative_to(distribution.source).as_posix()}" for path in files}
        assert f"{distribution.package}/py.typed" in expected, f"{distribution.folder.name} has no py.typed"
        assert expected <= distribution.names(), f"{distribution.wheel.name} lacks files of its package"


def test_a_wheel_holds_its_package_and_nothing_else(built: Any) -> None:
    for distribution in built:
        tops = {name.split("/")[0] for name in distribution.names()}
        info = f"{distribution.package}-{distribution.project['version']}.dist-info"
        assert tops == {distribution.package, info}


def test_a_wheel_says_what_it_is(built: Any) -> None:
    versions = set()
    for distribution in built:
        metadata = HeaderParser().parsestr(distribution.read("METADATA"))
        assert metadata["Name"] == distribution.project["name"]
        assert metadata["License-Expression"] == distribution.project["license"]
        assert "Apache-2.0" in metadata["License-Expression"].split()
        assert metadata["Requires-Python"] == ">=3.11"
        assert metadata["Summary"], f"{distribution.folder.name} has no description"
        assert str(metadata.get_payload()).strip(), f"{distribution.folder.name} has no readme"
        versions.add(metadata["Version"])
    assert len(versions) == 1, f"the distributions must have one version, but have {sorted(versions)}"


COMPOSED = {
    "vietmer-audio-dual": {"vietmer-audio-wav2vec2", "vietmer-audio-fourier2vec"},
    "vietmer-fusion-cnn-bilstm-attn": {"vietmer-fusion-bilstm-attn"},
}
"""Plugins that are made of others."""


def test_a_plugin_depends_on_the_core_and_on_no_other_plugin_than_those_it_is_made_of(built: Any) -> None:
    for distribution in built[1:]:
        metadata = HeaderParser().parsestr(distribution.read("METADATA"))
        needs = {Requirement(need).name for need in metadata.get_all("Requires-Dist", [])}
        house = {name for name in needs if name.startswith("vietmer")}
        assert house == {"vietmer-core", *COMPOSED.get(distribution.folder.name, ())}


def test_entry_points_name_modules_of_the_wheel_without_torch(built: Any, unpacked: Path) -> None:
    targets = []
    for distribution in built[1:]:
        points = _entry_points(distribution.read("entry_points.txt"))
        assert points, f"{distribution.folder.name} has no entry point in the group `vietmer`"
        for name, target in points.items():
            assert f"vietmer-{name}" == distribution.project["name"]
            assert target.split(".")[0] == distribution.package
            targets.append(target)
    found = _run(unpacked, PROBE, json.dumps(targets))
    assert all(Path(file).is_relative_to(unpacked) for file in found["files"].values()), found["files"]
    assert found["torch"] is False


def test_the_wheels_alone_offer_every_component(built: Any, unpacked: Path) -> None:
    found = _run(unpacked, CATALOGUE)
    assert found["broken"] == []
    expected = ["head: mlp", "loss: cross_entropy", "pooler: attn", "pooler: mean"]
    for distribution in built[1:]:
        expected += [f"{part['role']}: {part['kind']}" for part in _provided(distribution)]
    assert set(expected) <= set(found["offered"])
    assert len(found["offered"]) == len(set(found["offered"]))


def test_a_distribution_is_named_for_its_one_kind_or_has_a_name_of_its_own(built: Any) -> None:
    for distribution in built[1:]:
        names = [f"vietmer-{part['role']}-{part['kind'].replace('_', '-')}" for part in _provided(distribution)]
        assert names == [distribution.project["name"]] or (len(names) > 1 and distribution.project["name"] not in names)


def _provided(distribution: Any) -> list[dict[str, str]]:
    """What a distribution declares to provide."""
    document = tomllib.loads((distribution.folder / "pyproject.toml").read_text(encoding="utf-8"))
    provided: list[dict[str, str]] = document["tool"]["vietmer"]["provides"]
    return provided


def test_the_command_of_the_core_is_declared(built: Any) -> None:
    assert "vietmer = vietmer_core.cli.main:app" in built[0].read("entry_points.txt")
