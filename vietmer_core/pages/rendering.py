"""A template filled in, with the style of the house; every value is escaped. Torch-free."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

STYLE: Final = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")


def rendered(template: Path, values: Mapping[str, Any]) -> str:
    """A template with values; `style` is the style of the house.

    Args:
        template: A file; it may include others of its folder and of this one.
        values: By name; each is escaped, and a missing one is an error. The filter `coded` reads backticks.
    """
    folders = FileSystemLoader([template.parent, Path(__file__).parent])
    environment = Environment(
        loader=folders, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["coded"] = coded
    return environment.get_template(template.name).render({"style": STYLE, **values})


def coded(text: str) -> Markup:
    """Text, escaped, in which what stands between backticks is code."""
    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # an odd backtick means itself
        return escape(text)
    marked = [part if index % 2 == 0 else Markup("<code>{}</code>").format(part) for index, part in enumerate(parts)]
    return Markup("").join(marked)


def svg_address(content: bytes) -> str:
    """An SVG as the address of an image, so that the page needs no other file and the picture runs no script."""
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"
