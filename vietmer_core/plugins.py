"""Guarded plugin loading: a broken plugin is kept as a record and never stops the others. Torch-free.

pluggy's own `load_setuptools_entrypoints` stops at the first plugin that fails to import. Here a failure is kept,
listed by `vietmer plugins`, added to the message of a look-up that misses, and raised only where
`VIETMER_STRICT_PLUGINS` is set.
"""

import os
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import attrs
import pluggy

from vietmer_core import builtin, hooks
from vietmer_core.components import Component
from vietmer_core.errors import PluginError

STRICT_VARIABLE: Final = "VIETMER_STRICT_PLUGINS"
CORE_DISTRIBUTION: Final = "vietmer-core"


@attrs.frozen(kw_only=True)
class Origin:
    """Where a plugin comes from: its entry point, distribution and version."""

    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@attrs.frozen(kw_only=True)
class BrokenPlugin:
    """A plugin that could not be loaded, with the reason."""

    origin: Origin
    reason: str


@attrs.frozen(kw_only=True)
class OfferedComponent:
    """A component and the distribution that offers it."""

    component: Component
    origin: Origin


@attrs.frozen(kw_only=True, eq=False)
class LoadedPlugins:
    """Everything found at the entry points: the hooks to call, the components offered, the plugins that are broken."""

    manager: pluggy.PluginManager
    origins: tuple[Origin, ...]
    offered: tuple[OfferedComponent, ...]
    broken: tuple[BrokenPlugin, ...]


def _origin(point: EntryPoint) -> Origin:
    distribution = point.dist
    name = distribution.name if distribution is not None else point.module
    version = distribution.version if distribution is not None else "unknown"
    return Origin(name=point.name, distribution=name, version=version)


def _distribution_version(distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _register(manager: pluggy.PluginManager, plugin: object, origin: Origin) -> list[OfferedComponent]:
    """Register one plugin and ask it, alone, what it offers, so that a fault in its hook is its own."""
    manager.register(plugin, name=origin.name)
    others = [other for other in manager.get_plugins() if other is not plugin]
    components: list[Component] = []
    try:
        manager.check_pending()  # a hook that does not exist, such as `end_steps`, is a fault, not silence
        for offer in manager.subset_hook_caller("register_components", others)():
            components += offer
        for component in components:
            if not isinstance(component, Component):
                raise PluginError(f"`register_components` must return components, but returned {component!r} instead.")  # noqa: TRY301  # one place reports every fault of a plugin
    except BaseException:
        manager.unregister(plugin)
        raise
    return [OfferedComponent(component=component, origin=origin) for component in components]


def load_plugins(points: Iterable[EntryPoint]) -> LoadedPlugins:
    """Load the core's own components and every entry point given; one that fails becomes a record.

    Raises:
        PluginError: if the variable `VIETMER_STRICT_PLUGINS` is set and a plugin is broken.
    """
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    core = Origin(name="core", distribution=CORE_DISTRIBUTION, version=_distribution_version(CORE_DISTRIBUTION))
    origins, offered, broken = [core], _register(manager, builtin, core), []
    for point, origin in _in_order(points):
        try:
            _require_free(origin, origins)
            plugin = point.load()
            offered += _register(manager, plugin, origin)
            origins.append(origin)
        except (Exception, SystemExit) as error:  # a plugin that calls `sys.exit` must not end the command
            if os.environ.get(STRICT_VARIABLE):
                raise PluginError(f"plugin `{origin.name}` of {origin} is broken: {_reason(error)}.") from error
            broken.append(BrokenPlugin(origin=origin, reason=_reason(error)))
    return LoadedPlugins(manager=manager, origins=tuple(origins), offered=tuple(offered), broken=tuple(broken))


def _in_order(points: Iterable[EntryPoint]) -> list[tuple[EntryPoint, Origin]]:
    """The entry points with their origins, by name and then by distribution, whatever order they are found in."""
    found = [(point, _origin(point)) for point in points]
    return sorted(found, key=lambda pair: (pair[1].name, pair[1].distribution))


def _require_free(origin: Origin, taken: Iterable[Origin]) -> None:
    for other in taken:
        if other.name == origin.name:
            raise PluginError(f"its name is that of two plugins, of {other} and of {origin}; uninstall one of them.")


def _reason(error: BaseException) -> str:
    said = " ".join(str(error).split()).rstrip(". ")
    if isinstance(error, SystemExit):
        return f"it tries to end the program, raising SystemExit({error.code!r})"
    if isinstance(error, PluginError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


@cache
def installed_plugins() -> LoadedPlugins:
    """The plugins of this environment, loaded once a process."""
    return load_plugins(entry_points(group=hooks.ENTRY_POINT_GROUP))


def observer_fault(observer: object) -> str:
    """Why an object cannot watch a run, as a clause; an empty string where it can."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    known = sorted(set(vars(manager.hook)) - {"register_components"})
    claimed = [name for name in dir(observer) if manager.parse_hookimpl_opts(observer, name) is not None]
    unknown = [name for name in claimed if name not in known]
    if unknown or not claimed:
        found = f"implements `{unknown[0]}`" if unknown else "implements none"
        return f"{type(observer).__name__} must implement hooks of a run ({', '.join(known)}), but {found} instead"
    try:
        manager.register(observer)
    except pluggy.PluginValidationError as error:  # an argument that the hook does not have
        return ": ".join(line for line in str(error).splitlines() if line and "Plugin" not in line)
    return ""
