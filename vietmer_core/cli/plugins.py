"""`vietmer plugins`: every installed component, where it comes from and under which licences."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from vietmer_core.plugins import LoadedPlugins, OfferedComponent

HEADINGS: Final = ("role", "kind", "distribution", "version", "licence", "weights or data", "summary")
SUMMARY_WIDTH: Final = 40
"""Columns that a summary needs to be legible in a table; a terminal that has fewer left gets a list."""


def show_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print the components as JSON.")] = False,
) -> None:
    """List the installed components with their distributions and licences, and the plugins that are broken."""
    from vietmer_core.plugins import installed_plugins

    loaded = installed_plugins()
    offered = sorted(loaded.offered, key=_order)
    if as_json:
        import json

        typer.echo(json.dumps(_document(loaded, offered), ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False)
    rows = list(_rows(offered))
    show = _print_table if console.width >= _table_width(rows) else _print_list
    show(console, rows)
    _print_weights(console, offered)
    for line in [*_observer_lines(loaded), *_faults(loaded, offered)]:
        console.print(line, markup=False, soft_wrap=True)


def _order(offer: "OfferedComponent") -> tuple[int, str, str]:
    from vietmer_core.components import Role

    return (list(Role).index(offer.component.role), offer.component.kind, offer.origin.distribution)


def _observers(loaded: "LoadedPlugins") -> list[dict[str, Any]]:
    """The plugins that watch a run, with the hooks they implement."""
    found = []
    for origin in loaded.origins:
        callers = loaded.manager.get_hookcallers(loaded.manager.get_plugin(origin.name)) or []
        hooks = sorted({caller.name for caller in callers} - {"register_components"})
        if hooks:
            entry = {"name": origin.name, "distribution": origin.distribution, "version": origin.version}
            found.append({**entry, "hooks": hooks})
    return found


def _document(loaded: "LoadedPlugins", offered: Sequence["OfferedComponent"]) -> dict[str, Any]:
    components = [
        {
            "role": offer.component.role.value,
            "kind": offer.component.kind,
            "distribution": offer.origin.distribution,
            "version": offer.origin.version,
            "licence": offer.component.licence,
            "weights_licence": offer.component.weights_licence,
            "weights_licences": dict(offer.component.weights_licences),
            "data_licence": offer.component.data_licence,
            "summary": offer.component.summary,
        }
        for offer in offered
    ]
    broken = [
        {
            "name": plugin.origin.name,
            "distribution": plugin.origin.distribution,
            "version": plugin.origin.version,
            "reason": plugin.reason,
        }
        for plugin in loaded.broken
    ]
    return {"components": components, "observers": _observers(loaded), "broken": broken}


def _further_licence(offer: "OfferedComponent") -> str:
    """The licence of the default weights or of the data, with the word that says which."""
    if offer.component.weights_licence:
        return f"{offer.component.weights_licence} (weights)"
    return f"{offer.component.data_licence} (data)" if offer.component.data_licence else ""


def _print_weights(console: "Console", offered: Sequence["OfferedComponent"]) -> None:
    """The other checkpoints that a component knows, each with its licence and what that asks."""
    from rich.padding import Padding
    from rich.text import Text

    from vietmer_core.pretrained.licences import obligation

    for offer in offered:
        component = offer.component
        if component.weights_licences:
            console.print(f"other weights of `{component.role}: {component.kind}`:", markup=False)
        for checkpoint, licence in component.weights_licences.items():
            duty = obligation(licence)
            line = f"{checkpoint} {licence}" + (f" ({duty})" if duty else "")
            console.print(Padding(Text(line), (0, 0, 0, 4)))


def _rows(offered: Sequence["OfferedComponent"]) -> Iterator[tuple[str, ...]]:
    """The cells of each component, in the order of the headings."""
    for offer in offered:
        component, origin = offer.component, offer.origin
        further = _further_licence(offer)
        yield (
            component.role.value,
            component.kind,
            origin.distribution,
            origin.version,
            component.licence,
            further,
            component.summary,
        )


def _table_width(rows: Sequence[Sequence[str]]) -> int:
    """The columns that a table needs so that only the summaries wrap."""
    columns = zip(HEADINGS[:-1], *(row[:-1] for row in rows), strict=True)
    return SUMMARY_WIDTH + sum(max(map(len, column)) + 2 for column in columns)


def _print_table(console: "Console", rows: Sequence[Sequence[str]]) -> None:
    from itertools import pairwise

    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(HEADINGS[-1], overflow="fold", ratio=1)
    for above, row in pairwise([("", ""), *rows]):
        table.add_row("" if row[0] == above[0] else row[0], *row[1:])
    console.print(table)


def _print_list(console: "Console", rows: Sequence[Sequence[str]]) -> None:
    """The same for a narrow terminal: two lines a component, nothing cut off."""
    from rich.padding import Padding
    from rich.text import Text

    for role, kind, distribution, version, licence, further, summary in rows:
        licences = ", ".join(part for part in (licence, further) if part)
        console.print(Text.assemble((f"{role}: {kind}", "bold"), f"  {distribution} {version}"))
        console.print(Padding(Text(f"{summary} {licences}"), (0, 0, 0, 4)))


def _observer_lines(loaded: "LoadedPlugins") -> Iterator[str]:
    for observer in _observers(loaded):
        name, hooks = observer["name"], ", ".join(observer["hooks"])
        yield f"observer `{name}` of {observer['distribution']} {observer['version']}: {hooks}"


def _faults(loaded: "LoadedPlugins", offered: Sequence["OfferedComponent"]) -> Iterator[str]:
    counts = Counter((offer.component.role, offer.component.kind) for offer in offered)
    for (role, kind), count in counts.items():
        if count > 1:
            yield f"`{role}: {kind}` is offered {count} times. Uninstall all but one of the distributions."
    for plugin in loaded.broken:
        yield f"broken: plugin `{plugin.origin.name}` of {plugin.origin}: {plugin.reason}."
