"""Laying spec documents over each other. Torch-free.

A later document wins; mappings merge; lists and plain values are replaced. Two entries are replaced whole instead of
merged: a component whose `kind` differs, and a manifest that names a `corpus` where the earlier names a `path`, or the
reverse, since the fields of the one mean nothing to the other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from vietmer_core.spec_document import (
    Place,
    SpecDocument,
    Steps,
    field_name,
    is_component,
    is_list_or_one,
    is_manifest,
    refused,
)


@attrs.frozen(kw_only=True)
class Override:
    """One `--set a.b=value`."""

    steps: Steps
    value: Any
    place: Place


def compose(documents: Sequence[SpecDocument]) -> SpecDocument:
    """Lay documents over each other, the later over the earlier."""
    composed = SpecDocument(values={}, places={}, files=())
    for document in documents:
        replaced: list[Steps] = []
        values = _merged(composed.values, document.values, steps=(), replaced=replaced)
        places = {**_kept(composed.places, replaced), **document.places}
        composed = SpecDocument(values=values, places=places, files=(*composed.files, *document.files))
    return composed


def override(document: SpecDocument, change: Override) -> SpecDocument:
    """Lay one `--set` over a document; a number in its name is the number of a list entry.

    Raises:
        SpecError: if it names an entry that a list does not have.
    """
    replaced: list[Steps] = []
    values = _changed(document.values, change, depth=0, replaced=replaced)
    places = _kept(document.places, replaced)
    for end in range(1, len(change.steps)):
        places.setdefault(change.steps[:end], change.place)
    places |= dict.fromkeys(_ways(change.value, change.steps), change.place)
    return attrs.evolve(document, values=values, places=places)


def _kept(places: Mapping[Steps, Place], replaced: Sequence[Steps]) -> dict[Steps, Place]:
    return {
        steps: place for steps, place in places.items() if not any(steps[: len(whole)] == whole for whole in replaced)
    }


def _ways(value: Any, steps: Steps) -> list[Steps]:
    """The way to a value and to everything in it."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return [steps, *(way for key, entry in inner for way in _ways(entry, (*steps, str(key))))]


def _spelt_out(value: Any, steps: Steps) -> Any:
    """`pooler: mean` is short for `{kind: mean}`, `train: x` for `{path: x}`, `cache: x` for `{folder: x}`."""
    if isinstance(value, str) and is_component(steps):
        return {"kind": value}
    if isinstance(value, str) and is_manifest(steps):
        return {"path": value}
    if isinstance(value, str) and steps == ("cache",):
        return {"folder": value}
    return value


def _is_another(earlier: Mapping[str, Any], later: Mapping[str, Any], steps: Steps) -> bool:
    """Whether two entries are different things, of which the later replaces the earlier whole."""
    if is_component(steps):
        return later.get("kind") is not None and earlier.get("kind") not in (None, later["kind"])
    if is_manifest(steps):
        pairs = (("path", "corpus"), ("corpus", "path"))
        return any(later.get(new) is not None and earlier.get(old) is not None for new, old in pairs)
    return False


def _merged(earlier: Any, later: Any, *, steps: Steps, replaced: list[Steps]) -> Any:
    if isinstance(later, str) and is_manifest(steps):
        replaced.append(steps)  # a bare path is a whole manifest
        return later
    earlier, later = _spelt_out(earlier, steps), _spelt_out(later, steps)
    if not isinstance(earlier, Mapping) or not isinstance(later, Mapping) or _is_another(earlier, later, steps):
        replaced.append(steps)
        return later
    merged = {
        key: _merged(earlier[key], value, steps=(*steps, str(key)), replaced=replaced) if key in earlier else value
        for key, value in later.items()
    }
    return {**earlier, **merged}


def _changed(earlier: Any, change: Override, *, depth: int, replaced: list[Steps]) -> Any:
    steps = change.steps[:depth]
    if depth == len(change.steps):
        return change.value if earlier is None else _merged(earlier, change.value, steps=steps, replaced=replaced)
    step = change.steps[depth]
    if isinstance(earlier, list):
        index = _entry_number(earlier, change, depth=depth)
        entry = _changed(earlier[index], change, depth=depth + 1, replaced=replaced)
        return [*earlier[:index], entry, *earlier[index + 1 :]]
    if is_list_or_one(steps) and step == "0":
        return [_changed(earlier, change, depth=depth + 1, replaced=replaced)]
    earlier = _spelt_out(earlier, steps)
    if not isinstance(earlier, Mapping):
        earlier = {}
        replaced.append(steps)
    inner = {step: _changed(earlier.get(step), change, depth=depth + 1, replaced=replaced)}
    if _is_another(earlier, inner, steps):
        replaced.append(steps)
        return inner
    return {**earlier, **inner}


def _entry_number(entries: Sequence[Any], change: Override, *, depth: int) -> int:
    step, name = change.steps[depth], field_name(change.steps[:depth])
    if step.isdecimal() and int(step) < len(entries):
        return int(step)
    numbers = f"0 to {len(entries) - 1}" if len(entries) > 1 else "0" if entries else "none yet"
    raise refused(
        change.place,
        f"`{name}` is a list, whose entries are numbered ({numbers}), but `{step}` is named instead.",
        f"Name one of its entries, or give the whole list: `--set {name}=[…]`.",
    )
