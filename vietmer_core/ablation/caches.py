"""The features of frozen encoders that the cells of a matrix share. Torch-free.

Whether two cells share them is decided by the feature cache itself, when they are computed. Here it is foretold, from
the specs alone, so that they are computed once before the cells, and so that the plan can say how many share them.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from vietmer_core.ablation.cell import Cell
from vietmer_core.catalogue import Catalogue
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.spec import ExperimentSpec, reads

TRAINING: Final = frozenset(
    {"freeze", "train_layers", "lora", "unfreeze", "gradient_checkpointing", "normalise_layers"}
)
"""Fields of a pretrained encoder that do not change what its frozen part gives."""


@attrs.frozen(kw_only=True, eq=False)
class SharedCache:
    """Features that cells share.

    Attributes:
        digest: Tells them apart from others.
        encoders: Those that are frozen: `audio: whisper`.
        cells: That read them.
    """

    digest: str
    encoders: tuple[str, ...]
    cells: tuple[Cell, ...]


def shared_caches(cells: Sequence[Cell], catalogue: Catalogue) -> list[SharedCache]:
    """The features that cells share, in the order of the first cell that reads each."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.spec.cache is not None:
            groups.setdefault(_digest(cell, catalogue), []).append(cell)
    return [
        SharedCache(
            digest=digest,
            encoders=tuple(f"{field}: {found[0].spec.kind(field)}" for field, _ in _frozen(found[0].spec, catalogue)),
            cells=tuple(found),
        )
        for digest, found in groups.items()
    ]


def _digest(cell: Cell, catalogue: Catalogue) -> str:
    spec, frozen = cell.spec, dict(_frozen(cell.spec, catalogue))
    is_random = any(params.weights == "random" for params in frozen.values())
    content = {
        "encoders": {name: params.model_dump(mode="json", exclude=set(TRAINING)) for name, params in frozen.items()},
        "seed": spec.seed if is_random else None,
        "cache": spec.model_dump(mode="json", include={"cache", "threads", "shapes"}),
        "data": dict(cell.data),
        "channel": spec.data.channel,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _frozen(spec: ExperimentSpec, catalogue: Catalogue) -> Iterator[tuple[str, PretrainedParams]]:
    """The encoders that are read and of which nothing is trained, with their parameters."""
    for modality in sorted(reads(spec, catalogue)):
        params = getattr(spec, modality.value)
        if isinstance(params, PretrainedParams) and params.freeze and not params.train_layers and not params.lora:
            yield modality.value, params
