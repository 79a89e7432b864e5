"""Choosing a component by role and kind; a miss says what is installed and what supplies the rest. Torch-free."""

from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

import attrs

from vietmer_core.components import Component, Role
from vietmer_core.errors import PluginError, UnknownKindError
from vietmer_core.known import KNOWN_DISTRIBUTIONS
from vietmer_core.plugins import BrokenPlugin, OfferedComponent, Origin, installed_plugins


def distribution_name(role: Role | str, kind: str) -> str:
    """The distribution that supplies a kind, or an empty string; from the checked table, never made by a pattern."""
    return KNOWN_DISTRIBUTIONS.get((str(role), kind), "")


@attrs.frozen(eq=False)
class Catalogue:
    """Every component offered, and the plugins that are broken.

    Raises:
        PluginError: at a look-up, if two distributions offer the kind asked for; the sentence names both.
        UnknownKindError: at a look-up, if none does; the sentence names what is installed and the remedy.
    """

    offered: tuple[OfferedComponent, ...]
    broken: tuple[BrokenPlugin, ...] = ()
    _by_key: dict[tuple[Role, str], list[OfferedComponent]] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        by_key: defaultdict[tuple[Role, str], list[OfferedComponent]] = defaultdict(list)
        for offer in self.offered:
            by_key[offer.component.role, offer.component.kind].append(offer)
        object.__setattr__(self, "_by_key", dict(by_key))

    def kinds(self, role: Role) -> list[str]:
        """The installed kinds of a role, sorted."""
        return sorted(kind for found, kind in self._by_key if found == role)

    def find(self, role: Role, kind: str) -> OfferedComponent:
        """The component of a role and kind, with its origin."""
        offers = self._by_key.get((role, kind), [])
        if len(offers) == 1:
            return offers[0]
        if offers:
            both = " and ".join(str(offer.origin) for offer in offers)
            raise PluginError(f"`{role}: {kind}` is offered by {both}. Uninstall one of them.")
        raise UnknownKindError(self._miss(role, kind))

    def component(self, role: Role, kind: str) -> Component:
        """The component of a role and kind."""
        return self.find(role, kind).component

    def origin(self, role: Role, kind: str) -> Origin:
        """The distribution that offers a role and kind."""
        return self.find(role, kind).origin

    def _miss(self, role: Role, kind: str) -> str:
        installed = self.kinds(role)
        sentence = f"no installed distribution offers `{role}: {kind}`; installed: {', '.join(installed) or 'none'}."
        supplier = distribution_name(role, kind)
        known = [known_kind for known_role, known_kind in KNOWN_DISTRIBUTIONS if known_role == role]
        near = get_close_matches(kind, sorted({*installed, *known}), n=1)
        for plugin in self._suspects(supplier):
            sentence += f" Plugin `{plugin.origin.name}` of {plugin.origin} is broken: {plugin.reason}."
        if supplier:  # the command stands last, with nothing after it, so that it can be copied
            sentence += f" Run: pip install {supplier}"
        elif near:
            sentence += f" Did you mean `{near[0]}`?"
            if near[0] not in installed:
                sentence += f" Run: pip install {distribution_name(role, near[0])}"
        return sentence

    def _suspects(self, supplier: str) -> Iterable[BrokenPlugin]:
        return [plugin for plugin in self.broken if supplier in ("", plugin.origin.distribution)]


@cache
def installed_catalogue() -> Catalogue:
    """The catalogue of this environment."""
    plugins = installed_plugins()
    return Catalogue(plugins.offered, plugins.broken)
