"""Licences of pretrained weights: looked up, shown, and named once where they bind. Torch-free."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

UNKNOWN: Final = "unknown"

_FRONT_MATTER: Final = re.compile(r"\A---\s*\n(.*?)\n---\s*\n", re.DOTALL)
_LICENCE_LINE: Final = re.compile(r"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)
_WARNED: Final[set[tuple[str, str]]] = set()


class LicenceWarning(UserWarning):
    """The weights may not be used freely."""


def licence_of(checkpoint: str, *, known: Mapping[str, str], folder: Path | None = None) -> str:
    """The licence of a checkpoint: from the plugin's table, else from the model card in its folder, else `unknown`."""
    if checkpoint in known:
        return known[checkpoint]
    card = None if folder is None else folder / "README.md"
    if card is None or not card.is_file():
        return UNKNOWN
    front = _FRONT_MATTER.match(card.read_text(encoding="utf-8", errors="replace"))
    found = _LICENCE_LINE.search(front[1]) if front else None
    return found[1] if found else UNKNOWN


def obligation(licence: str) -> str:
    """What a binding licence asks of its users, as half a sentence; empty where there is nothing to warn of."""
    name = licence.lower()
    if "agpl" in name:
        return "who offers a service with them over a network must publish its source code"
    if re.search(r"(^|-)nc(-|$)|non-?commercial", name):
        return "they may not be used commercially"
    return ""


def warn_of_licence(checkpoint: str, licence: str) -> None:
    """Warn, once in a process for each checkpoint, of weights under AGPL or a non-commercial licence."""
    duty = obligation(licence)
    if duty and (checkpoint, licence) not in _WARNED:
        _WARNED.add((checkpoint, licence))
        message = f"the weights of `{checkpoint}` are under {licence}: {duty}."
        warnings.warn(message, LicenceWarning, stacklevel=2)
