import sys
import textwrap
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from vietmer_core.components import Role
from vietmer_core.errors import EXIT_PLUGIN, PluginError
from vietmer_core.plugins import CORE_DISTRIBUTION, STRICT_VARIABLE, LoadedPlugins, load_plugins

GOOD = """
from typing import Literal
from pydantic import BaseModel
from vietmer_core.components import Component, Role
from vietmer_core.hooks import hookimpl

class Params(BaseModel):
    kind: Literal["good"] = "good"

def build(params, *, dim):
    return params

@hookimpl
def register_components():
    return [Component(role=Role.POOLER, params=Params, build=build, summary="A part.", licence="Apache-2.0")]
"""
OBSERVER = """
from vietmer_core.hooks import hookimpl

@hookimpl
def end_step(step):
    pass
"""


def instead(statement: str) -> str:
    """A plugin whose hook does something else first."""
    return GOOD.replace("return [Component", f"{statement}\n    return [Component")


FAULTS = {
    "missing import": ("import quux_is_nowhere", "ModuleNotFoundError: No module named 'quux_is_nowhere'"),
    "syntax": ("def broken(:", "SyntaxError"),
    "library": ("raise OSError('libtorch.so: undefined symbol')", "OSError: libtorch.so: undefined symbol"),
    "leaves": ("import sys\nsys.exit('no licence')", "it tries to end the program, raising SystemExit('no licence')"),
    "hook leaves": (instead("raise SystemExit"), "it tries to end the program, raising SystemExit(None)"),
    "says nothing": ("assert False", "AssertionError"),
    "hook fails": (instead("raise RuntimeError('in the hook')"), "in the hook"),
    "no list": (instead("return 7"), "TypeError"),
    "no component": (instead("return ['pooler']"), "must return components"),
    "bad kind": (GOOD.replace('Literal["good"]', "str"), "must declare `kind"),
    "unknown hook": (OBSERVER.replace("end_step(", "end_steps("), "unknown hook 'end_steps'"),
    "unknown argument": (OBSERVER.replace("step)", "stride)"), "PluginValidationError"),
}


class Site:
    """A folder on `sys.path` in which a test installs plugins."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch

    def install(self, name: str, source: str, *, distribution: str = "") -> EntryPoint:
        """Install a plugin, of the distribution `dist-<name>` unless another is named."""
        distribution = distribution or f"dist-{name}"
        module = f"site_plugin_{distribution.removeprefix('dist-').replace('-', '_')}"
        self.monkeypatch.delitem(sys.modules, module, raising=False)
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = self.folder / f"{module}-3.1.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 3.1\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[vietmer]\n{name} = {module}\n", encoding="utf-8")
        (point,) = [point for point in entry_points(group="vietmer", name=name) if point.module == module]
        return point


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv(STRICT_VARIABLE, raising=False)
    return Site(tmp_path, monkeypatch)


def kinds(loaded: LoadedPlugins, distribution: str) -> list[str]:
    return [offer.component.kind for offer in loaded.offered if offer.origin.distribution == distribution]


def test_the_core_registers_its_own_components_through_the_same_hook() -> None:
    loaded = load_plugins([])
    assert set(kinds(loaded, CORE_DISTRIBUTION)) >= {"mean", "attn", "mlp", "cross_entropy"}
    assert [origin.name for origin in loaded.origins] == ["core"]


def test_a_plugin_is_registered_with_its_distribution_and_version(site: Site) -> None:
    loaded = load_plugins([site.install("good", GOOD)])
    assert kinds(loaded, "dist-good") == ["good"]
    assert str(loaded.origins[-1]) == "dist-good 3.1"
    assert loaded.offered[-1].component.role is Role.POOLER


@pytest.mark.parametrize(("source", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_broken_plugin_becomes_a_record_and_stops_no_other(site: Site, source: str, reason: str) -> None:
    points = [site.install("a-broken", source), site.install("good", GOOD)]
    loaded = load_plugins(points)
    (record,) = loaded.broken
    assert str(record.origin) == "dist-a-broken 3.1"
    assert reason in record.reason
    assert "\n" not in record.reason
    assert kinds(loaded, "dist-good") == ["good"]
    assert kinds(loaded, "dist-a-broken") == []


@pytest.mark.parametrize(("source", "reason"), FAULTS.values(), ids=FAULTS)
def test_no_hook_of_a_broken_plugin_is_ever_called(site: Site, source: str, reason: str) -> None:
    del reason
    loaded = load_plugins([site.install("a-broken", source)])
    assert loaded.manager.get_plugin("a-broken") is None


def test_the_strict_variable_raises_with_the_origin_and_the_reason(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    point = site.install("a-broken", FAULTS["missing import"][0])
    monkeypatch.setenv(STRICT_VARIABLE, "1")
    with pytest.raises(
        PluginError, match=r"plugin `a-broken` of dist-a-broken 3\.1 is broken: ModuleNotFound"
    ) as caught:
        load_plugins([point])
    assert caught.value.exit_code == EXIT_PLUGIN


def test_a_plugin_that_only_observes_offers_no_component(site: Site) -> None:
    loaded = load_plugins([site.install("watch", OBSERVER)])
    assert loaded.broken == ()
    plugin = loaded.manager.get_plugin("watch")
    assert [caller.name for caller in loaded.manager.get_hookcallers(plugin) or []] == ["end_step"]


def test_the_order_of_plugins_is_that_of_their_names(site: Site) -> None:
    points = [site.install("zoe", OBSERVER), site.install("abe", OBSERVER)]
    assert [origin.name for origin in load_plugins(points).origins] == ["core", "abe", "zoe"]


TWINS = "its name is that of two plugins, of dist-a 3.1 and of dist-b 3.1; uninstall one of them"


@pytest.mark.parametrize("swapped", [False, True])
def test_two_distributions_with_one_name_are_both_named(site: Site, swapped: bool) -> None:
    points = [site.install("twin", GOOD, distribution=name) for name in ("dist-a", "dist-b")]
    loaded = load_plugins(reversed(points) if swapped else points)
    (record,) = loaded.broken
    assert (str(record.origin), record.reason) == ("dist-b 3.1", TWINS)
    assert kinds(loaded, "dist-a") == ["good"]
    assert "site_plugin_b" not in sys.modules  # refused before it is imported


def test_two_distributions_with_one_name_are_an_error_where_the_strict_variable_is_set(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [site.install("twin", OBSERVER, distribution=name) for name in ("dist-a", "dist-b")]
    monkeypatch.setenv(STRICT_VARIABLE, "1")
    with pytest.raises(PluginError) as caught:
        load_plugins(points)
    assert str(caught.value) == f"plugin `twin` of dist-b 3.1 is broken: {TWINS}."


def test_no_plugin_can_take_the_name_of_the_core(site: Site) -> None:
    (record,) = load_plugins([site.install("core", OBSERVER)]).broken
    assert record.reason.endswith("and of dist-core 3.1; uninstall one of them")


def test_the_name_of_a_broken_plugin_is_free(site: Site) -> None:
    sources = {"dist-a": FAULTS["library"][0], "dist-b": GOOD}
    loaded = load_plugins([site.install("twin", source, distribution=name) for name, source in sources.items()])
    assert [str(plugin.origin) for plugin in loaded.broken] == ["dist-a 3.1"]
    assert kinds(loaded, "dist-b") == ["good"]


def test_no_installed_plugin_is_broken() -> None:
    loaded = load_plugins(entry_points(group="vietmer"))
    assert [f"{plugin.origin}: {plugin.reason}" for plugin in loaded.broken] == []
