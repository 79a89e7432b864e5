"""The field `label_map` of a manifest in a spec: a mapping, or the name of a label map. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import PlainValidator, SerializeAsAny, TypeAdapter, WithJsonSchema

from vietmer_core.label_maps.named import LabelMapError, NamedLabelMap, named_label_map
from vietmer_core.spec_fields import Line, PositiveInt, Text, stated
from vietmer_core.spec_training import Strict


class NamedMapSpec(Strict):
    """A named label map as a resolved spec keeps it: its name, its version and the mapping in force.

    Attributes:
        named: Name of the map, such as `mer5`.
        version: Its version.
        corpora: Corpus → its label → label of the spec, null to leave its rows out.
    """

    named: Text
    version: PositiveInt
    corpora: dict[Line, dict[Line, str | None]]

    def as_map(self) -> NamedLabelMap:
        """The map, for a manifest."""
        return NamedLabelMap(name=self.named, version=self.version, labels=(), corpora=self.corpora)


InlineMap = dict[Line, str | None]
_INLINE: Final[TypeAdapter[InlineMap]] = TypeAdapter(InlineMap)


def _as_label_map(value: object) -> InlineMap | NamedMapSpec:
    """A name becomes the map of that name; a mapping is one itself."""
    if isinstance(value, str):
        try:
            found = named_label_map(value)
        except LabelMapError as error:
            raise stated(str(error)) from None
        corpora = {corpus: dict(mapping) for corpus, mapping in found.corpora.items()}
        return NamedMapSpec(named=found.name, version=found.version, corpora=corpora)
    if isinstance(value, NamedMapSpec):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("corpora"), Mapping):  # no inline map has a mapping in it
        return NamedMapSpec.model_validate(value)
    return _INLINE.validate_python(value)


LabelMap = Annotated[
    SerializeAsAny[InlineMap | NamedMapSpec],
    PlainValidator(_as_label_map),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}], "default": {}}),
]


def unknown_targets(label_map: object, labels: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a label map, validated or not, gives what is none of the spec's labels: place in it, and a sentence."""
    names = ", ".join(dict.fromkeys(map(str, labels)))
    if isinstance(label_map, Mapping) and not isinstance(label_map.get("corpora"), Mapping):
        for source, target in label_map.items():
            if isinstance(target, str) and target not in labels:
                yield (source,), f"must be one of {names} or null, but is `{target}` instead."
        return
    name, space = _space(label_map)
    foreign = [target for target in space if target not in labels]
    if foreign:
        listed = ", ".join(f"`{target}`" for target in foreign)
        remedy = f"Write `labels: [{', '.join(space)}]`, or a `label_map` of your own."
        yield (), f"label map `{name}` maps to {listed}, which must be among the labels {names}. {remedy}"


def _space(label_map: object) -> tuple[str, list[str]]:
    """Name and targets of a named map in whatever form; no targets where it is none."""
    if isinstance(label_map, str):
        try:
            found = named_label_map(label_map)
        except LabelMapError:
            return label_map, []  # reported itself
        return found.name, list(found.labels)
    if isinstance(label_map, NamedMapSpec):
        return label_map.named, _targets(label_map.corpora)
    if isinstance(label_map, Mapping):
        return str(label_map.get("named")), _targets(label_map["corpora"])
    return "", []


def _targets(corpora: Mapping[str, Any]) -> list[str]:
    mappings = [mapping for mapping in corpora.values() if isinstance(mapping, Mapping)]
    return sorted({target for mapping in mappings for target in mapping.values() if isinstance(target, str)})
