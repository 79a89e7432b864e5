"""Options that take one name, or several, out of few: a name that is none is refused with the one it resembles."""

from collections.abc import Sequence
from difflib import get_close_matches
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
