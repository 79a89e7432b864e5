"""Licences of pretrained weights: looked up, shown, and named once where they bind. Torch-free."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

UNKNOWN: Final = "unknown"

_FRONT_MATTER: Final = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|\Z)", re.DOTALL)
_SPDX: Final = {
    name.lower(): name
    for name in (
        "AGPL-3.0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
        "CC-BY-NC-2.0",
        "CC-BY-NC-3.0",
        "CC-BY-NC-4.0",
        "CC-BY-NC-ND-4.0",
        "CC-BY-NC-SA-4.0",
        "GPL-3.0",
        "LGPL-3.0",
        "MIT",
    )
}
"""As the hub writes them → as SPDX does."""
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
    front = _FRONT_MATTER.match(card.read_bytes().decode("utf-8", errors="replace"))
    try:
        fields = yaml.safe_load(front[1]) if front else None
    except yaml.YAMLError:
        return UNKNOWN
    return _stated(fields) if isinstance(fields, dict) else UNKNOWN


def _stated(fields: Mapping[str, Any]) -> str:
    """The licence of a card's head; `other` there means that its name stands in `license_name`."""
    given = fields.get("license")
    names = [str(name) for name in (given if isinstance(given, list) else [given]) if name]
    names = [str(fields.get("license_name") or name) if name == "other" else name for name in names]
    return " and ".join(_SPDX.get(name.lower(), name) for name in names) or UNKNOWN


def obligation(licence: str) -> str:
    """What a binding licence asks of its users, as half a sentence; empty where there is nothing to warn of."""
    name = licence.lower()
    if "agpl" in name:
        return "who offers a service with them over a network must publish its source code"
    if re.search(r"(^|[-_ ])nc([-_ ]|$)|non-?commercial", name):
        return "they may not be used commercially"
    return ""


def warn_of_licence(checkpoint: str, licence: str) -> None:
    """Warn, once in a process for each checkpoint, of weights under AGPL or a non-commercial licence."""
    duty = obligation(licence)
    if duty and (checkpoint, licence) not in _WARNED:
        _WARNED.add((checkpoint, licence))
        message = f"the weights of `{checkpoint}` are under {licence}: {duty}."
        warnings.warn(message, LicenceWarning, stacklevel=2)
