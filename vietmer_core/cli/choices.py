"""Options that take one name, or several, out of few, and those that take a folder: what is none is refused at once.

A name that is none is told with the one it resembles.
"""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer


def choice(names: Sequence[str], *flags: str, text: str) -> Any:
    """An option that takes one of some names, `text` being its help; for a parameter of a `Literal` type.

    Typer's own says `Value error, 'kfol' is not one of 'holdout', …`.
    """

    def parse(value: str) -> str:
        if value not in names:
            raise typer.BadParameter(unknown_name(value, names))
        return value

    return typer.Option(
        *flags, help=text, parser=parse, metavar=f"<{'|'.join(names)}>", autocompletion=lambda: list(names)
    )


def check_name(name: str, names: Sequence[str], *, option: str) -> None:
    """Refuse a name that an option does not take.

    Raises:
        typer.BadParameter: if it is none of them.
    """
    if name not in names:
        raise typer.BadParameter(unknown_name(name, names), param_hint=option)


def unknown_name(name: str, names: Sequence[str]) -> str:
    """The sentence about a name that is none of them."""
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    meant = f" Did you mean `{near[0]}`?" if near else ""
    return f"must be of {', '.join(names)}, but is `{name}`.{meant}"


def folder_only(path: Path | None) -> Path | None:
    """The callback of an option or argument that takes a folder, there or not: a file in its way is refused.

    Raises:
        typer.BadParameter: if it, or what it would lie in, is no folder.
    """
    for place in () if path is None else (path, *path.parents):
        if os.path.exists(place) and not os.path.isdir(place):  # noqa: PTH110, PTH112  # False where one may not look
            raise typer.BadParameter(f"`{place}` is a file, not a folder. Name a folder.")
    return path
