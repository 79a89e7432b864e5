"""The features of frozen encoders that the cells of a matrix share. Torch-free.

Whether two cells share them is decided by the feature cache itself, when they are computed. Here it is foretold, from
the specs alone, so that they are computed once before the cells, and so that the plan can say how many share them.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
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
    """What one frozen encoder gives of the splits of some cells.

    Attributes:
        digest: Tells it apart from others.
        encoder: Such as `audio: whisper`.
        cells: That read it.
    """

    digest: str
    encoder: str
    cells: tuple[Cell, ...]


def shared_caches(cells: Sequence[Cell], catalogue: Catalogue) -> list[SharedCache]:
    """The features that cells share, in the order of the first cell that reads each."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        for field, params in _frozen(cell.spec, catalogue) if cell.spec.cache is not None else ():
            encoder = f"{field}: {cell.spec.kind(field)}"
            groups.setdefault((_digest(cell, encoder, params), encoder), []).append(cell)
    return [
        SharedCache(digest=digest, encoder=encoder, cells=tuple(found)) for (digest, encoder), found in groups.items()
    ]


def preparations(caches: Sequence[SharedCache], pending: Collection[str]) -> Iterator[tuple[Cell, list[SharedCache]]]:
    """Cells, as few as follow from going through them in order, that read all that the pending ones share.

    Args:
        caches: Of the matrix.
        pending: Ids of the cells that are to be run.
    """
    done: set[str] = set()
    for shared in caches:
        waiting = [cell for cell in shared.cells if cell.id in pending]
        if shared.digest in done or not waiting:
            continue
        read = [other for other in caches if waiting[0] in other.cells]
        done |= {other.digest for other in read}
        yield waiting[0], read


def _digest(cell: Cell, encoder: str, params: PretrainedParams) -> str:
    spec = cell.spec
    content = {
        "encoder": encoder,
        "params": params.model_dump(mode="json", exclude=set(TRAINING)),
        "seed": spec.seed if params.weights == "random" else None,
        "spec": spec.model_dump(mode="json", include={"cache", "threads", "shapes"}),
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
