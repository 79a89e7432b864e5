"""`NamedLabelMap`: what every corpus's labels are called in one label space. Torch-free.

Each stands in a file `NAME.vVERSION.yaml` beside this module, with the source of each corpus's mapping. A file that was
published is never changed: another mapping is another version, so that a name with its version says what was done.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import attrs

from vietmer_core.errors import EXIT_USAGE, VietmerError

_FILE_NAME: Final = re.compile(r"(?P<name>[a-z][a-z0-9_]*)\.v(?P<version>[1-9][0-9]*)\.yaml")


class LabelMapError(VietmerError):
    """A label map, or a corpus of one, that there is not; the sentence names those there are."""

    exit_code = EXIT_USAGE


@attrs.frozen(kw_only=True)
class NamedLabelMap:
    """A label space, and the labels of each corpus in it.

    Attributes:
        name: Such as `mer5`.
        version: From 1; another mapping is another version.
        labels: The label space; empty where only the mappings are known, as in a resolved spec.
        corpora: Corpus → its label → label of the space, or None where it has no counterpart.
        sources: Corpus → what the mapping rests on.
        about: One sentence.
    """

    name: str
    version: int
    labels: tuple[str, ...]
    corpora: Mapping[str, Mapping[str, str | None]]
    sources: Mapping[str, str] = attrs.field(factory=dict)
    about: str = ""

    def __str__(self) -> str:
        return f"`{self.name}` (version {self.version})"

    def of(self, corpus: str) -> Mapping[str, str | None]:
        """The mapping of one corpus.

        Raises:
            LabelMapError: where the map has no such corpus; the sentence names those it has.
        """
        if corpus not in self.corpora:
            raise LabelMapError(self.lacks(corpus))
        return MappingProxyType(self.corpora[corpus])

    def lacks(self, corpus: str) -> str:
        """The sentence of a corpus that the map has not."""
        has = _listed(sorted(self.corpora))
        return f"label map {self} has no corpus `{corpus}`; it has {has}.{_nearest(corpus, sorted(self.corpora))}"


def label_maps() -> tuple[str, ...]:
    """The names of the label maps there are, sorted."""
    return tuple(sorted({name for name, _ in _versions()}))


def named_label_map(name: str) -> NamedLabelMap:
    """A label map by its name (`mer5`: the newest version) or its name and version (`mer5.v1`).

    Raises:
        LabelMapError: where there is none of that name; the sentence names those there are.
    """
    plain, _, version = name.partition(".v")
    known = {number for found, number in _versions() if found == plain}
    if not known:
        raise LabelMapError(
            f"there is no label map `{name}`; there are {_listed(label_maps())}.{_nearest(plain, label_maps())}"
        )
    wanted = max(known) if not version else int(version) if version.isdecimal() else 0
    if wanted not in known:
        versions = _listed([f"{plain}.v{number}" for number in sorted(known)])
        raise LabelMapError(f"there is no label map `{name}`; of `{plain}` there are {versions}.")
    return _load(plain, wanted)


def label_map(name: str, corpus: str) -> Mapping[str, str | None]:
    """One corpus's labels → labels of a space, or None where a label has no counterpart.

    Args:
        name: `mer5`, or `mer5.v1`.
        corpus: The corpus as the metadata field `corpus` names it.

    Raises:
        LabelMapError: where there is no such map, or it has no such corpus.
    """
    return named_label_map(name).of(corpus)


def label_space(name: str) -> tuple[str, ...]:
    """The labels that a label map maps to, in order.

    Raises:
        LabelMapError: where there is no such map.
    """
    return named_label_map(name).labels


@cache
def _versions() -> frozenset[tuple[str, int]]:
    matches = [_FILE_NAME.fullmatch(file.name) for file in files(__package__).iterdir()]
    return frozenset((match["name"], int(match["version"])) for match in matches if match)


@cache
def _load(name: str, version: int) -> NamedLabelMap:
    import yaml

    text = files(__package__).joinpath(f"{name}.v{version}.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    entries: dict[str, dict[str, Any]] = document["corpora"]
    return NamedLabelMap(
        name=document["name"],
        version=document["version"],
        labels=tuple(document["labels"]),
        corpora={corpus: entry["labels"] for corpus, entry in entries.items()},
        sources={corpus: entry["source"] for corpus, entry in entries.items()},
        about=document["about"],
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _nearest(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
