"""What a plugin offers: a component, described without importing torch.

A component is a role, a kind, a Pydantic model of its parameters and a typed `build` function that imports torch
when it is called, not before. Reading specs and listing plugins need only this file.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args

import attrs
from pydantic import BaseModel

from vietmer_core.errors import PluginError


class Role(StrEnum):
    """The part a component plays in an experiment."""

    TEXT = "text"
    AUDIO = "audio"
    FUSION = "fusion"
    POOLER = "pooler"
    HEAD = "head"
    LOSS = "loss"
    SAMPLER = "sampler"
    CORPUS = "corpus"
    IMPORTER = "importer"
    TRACKER = "tracker"
    EXECUTOR = "executor"
    SEARCH = "search"


class Modality(StrEnum):
    """A channel through which an utterance is known."""

    TEXT = "text"
    AUDIO = "audio"


BOTH_MODALITIES: Final = frozenset(Modality)


def _kind_of(params: type[BaseModel]) -> str:
    """The single value of the `kind: Literal[...]` field of a parameter model."""
    field = params.model_fields.get("kind")
    values = get_args(field.annotation) if field is not None else ()
    if len(values) != 1 or not isinstance(values[0], str):
        raise PluginError(
            f'`{params.__module__}.{params.__qualname__}` must declare `kind: Literal["…"]` with exactly one string, '
            f"but declares {field.annotation if field is not None else 'no `kind`'} instead."
        )
    return values[0]


@attrs.frozen(kw_only=True, eq=False)
class Component:
    """One registered part.

    Attributes:
        role: The part it plays.
        params: A frozen Pydantic model that forbids unknown fields and declares `kind: Literal["<kind>"]`.
        build: Makes the part; its signature by role stands in `vietmer_core.protocols` (`BuildFusion`, …).
        summary: One line for `vietmer plugins`.
        licence: Licence of the code (SPDX).
        build_frontend: Encoders only: makes the frontend that turns one utterance into one sequence.
        weights_licence: Licence of the default pretrained weights (SPDX), or None where there are none.
        weights_licences: Licences of other known checkpoints (SPDX), by id on the hub.
        data_licence: Corpora and importers only: licence of the data (SPDX).
        write_sample: Importers only: writes a small source into an empty folder, in the layout in which the corpus was
            published, with content that is made up; the conformance checks read it.
        modalities: Fusions only: the modalities that it reads; an encoder of another modality is not built.
        tiny: Parameters that make the part small enough for tests.
        excuses: Conformance checks that the part is known to fail, by check name, with the reason.
    """

    role: Role
    params: type[BaseModel]
    build: Callable[..., Any]
    summary: str
    licence: str
    build_frontend: Callable[..., Any] | None = None
    weights_licence: str | None = None
    weights_licences: Mapping[str, str] = attrs.field(factory=dict)
    data_licence: str | None = None
    write_sample: Callable[[Path], None] | None = None
    modalities: frozenset[Modality] = BOTH_MODALITIES
    tiny: Mapping[str, Any] = attrs.field(factory=dict)
    excuses: Mapping[str, str] = attrs.field(factory=dict)
    kind: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "kind", _kind_of(self.params))
        is_encoder = self.role in (Role.TEXT, Role.AUDIO)
        if is_encoder != (self.build_frontend is not None):
            rule = "must give `build_frontend`" if is_encoder else "must not give `build_frontend`"
            raise PluginError(f"component `{self.role}: {self.kind}` {rule}, since only encoders have a frontend.")

    def tiny_params(self) -> BaseModel:
        """The smallest useful parameters, for tests."""
        return self.params.model_validate({"kind": self.kind, **self.tiny})
