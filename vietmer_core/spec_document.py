"""A spec as it was read: plain values, and the place of each in its file. Torch-free."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from vietmer_core.components import Role
from vietmer_core.errors import Problem, SpecError
from vietmer_core.spec import COMPONENT_FIELDS, LISTED_FIELDS, SPLITS

Steps = tuple[str, ...]
"""The way to a value: names of fields, and numbers of list entries written as text."""

UNREADABLE: Final = "the spec cannot be read:"


@attrs.frozen(kw_only=True)
class Place:
    """Where a value stands: a file and a line, or a `--set` as it was given, which has no lines."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@attrs.frozen(kw_only=True)
class SpecDocument:
    """The values of one or several composed files.

    Attributes:
        values: Plain values, as YAML or TOML gives them.
        places: The place of each value.
        files: The files that were composed, in order.
    """

    values: dict[str, Any]
    places: Mapping[Steps, Place]
    files: tuple[str, ...]

    def place(self, location: Sequence[str | int]) -> Place:
        """The place of a value, or of the nearest thing around it."""
        steps = tuple(map(str, location))
        for end in range(len(steps), 0, -1):
            if steps[:end] in self.places:
                return self.places[steps[:end]]
        return Place(source=", ".join(self.files))

    def rank(self, place: Place) -> tuple[int, int]:
        """Sorts places: by file in the order given, then by line; those of `--set` last."""
        order = self.files.index(place.source) if place.source in self.files else len(self.files)
        whole = place.source == ", ".join(self.files)
        return (-1 if whole and not place.line else order, place.line)


class TextFault(Exception):  # noqa: N818  # it never leaves the reading of one text
    """A text that is not what its suffix says: each fault with its line, 0 where it has none."""

    def __init__(self, *faults: tuple[int, str]) -> None:
        super().__init__(*faults)
        self.faults: Final = faults


def refused(place: Place | str, message: str, remedy: str = "") -> SpecError:
    """The error of a file or a `--set` that cannot be read."""
    return SpecError(UNREADABLE, [Problem(where=str(place), message=message, remedy=remedy)])


def field_name(location: Sequence[str | int]) -> str:
    """A location as a user writes it in `--set`: `data.train.0.label_map."a.b"`."""
    steps = map(str, location)
    return ".".join(f'"{step}"' if any(mark in step for mark in ".= ") else step for step in steps)


def _names(steps: Sequence[str | int]) -> tuple[str, ...]:
    return tuple(step for step in map(str, steps) if not step.isdigit())


def is_split(steps: Sequence[str | int]) -> bool:
    """Whether this is the place of a whole split: `data.train`."""
    return len(steps) == 2 and steps[0] == "data" and steps[1] in SPLITS


def is_manifest(steps: Sequence[str | int]) -> bool:
    """Whether this is the place of a manifest: `data.train` or `data.train.0`."""
    return is_split(_names(steps)) and len(steps) <= 3


def is_path(steps: Sequence[str | int]) -> bool:
    """Whether text at this place is a path: `data.train.0.root`, `cache.folder`, `augment.waveform.0.folder`."""
    if tuple(steps) in {("cache",), ("cache", "folder")} or _names(steps) == ("augment", "waveform", "folder"):
        return True
    if len(steps) == 2 and steps[0] == "initialise":
        return True
    return is_manifest(steps) or (is_manifest(steps[:-1]) and steps[-1] in ("path", "root"))


def is_checkpoint(steps: Sequence[str | int]) -> bool:
    """Whether text at this place may be the path of pretrained weights: `audio.checkpoint`, `audio.vggish.weights`."""
    return len(steps) > 1 and steps[0] in (Role.TEXT, Role.AUDIO) and steps[-1] in ("checkpoint", "weights")


def is_list_or_one(steps: Sequence[str | int]) -> bool:
    """Whether a single entry at this place stands for a list of one: `data.train`, `trackers`."""
    return is_split(steps) or (len(steps) == 1 and steps[0] in LISTED_FIELDS)


def role_at(steps: Sequence[str | int]) -> Role | None:
    """The role of the component at this place: `fusion`, `trackers`, `trackers.0`, `data.train.0.corpus`."""
    if len(steps) == 1 and steps[0] in COMPONENT_FIELDS:
        return COMPONENT_FIELDS[str(steps[0])]
    names = _names(steps)
    if len(names) == 1 and len(steps) <= 2 and names[0] in LISTED_FIELDS:
        return LISTED_FIELDS[names[0]]
    return Role.CORPUS if len(steps) > 1 and steps[-1] == "corpus" and is_manifest(steps[:-1]) else None


def is_component(steps: Sequence[str | int]) -> bool:
    """Whether this is the place of a component."""
    return role_at(steps) is not None
