"""Opening the splits that a spec names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality, Role
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import DataError, DataProblemsError, Problem
from vietmer_core.spec import ExperimentSpec, ManifestSpec, reads
from vietmer_core.spec_label_maps import NamedMapSpec

MOST_PROBLEMS = 20


def manifest_sources(manifests: Sequence[ManifestSpec], catalogue: Catalogue) -> list[ManifestSource]:
    """The files of a split: given ones, and those of installed corpora."""
    sources = []
    for manifest in manifests:
        path = manifest.path
        if manifest.corpus is not None:
            kind = str(getattr(manifest.corpus, "kind", ""))
            path = catalogue.component(Role.CORPUS, kind).build(manifest.corpus)
        assert path is not None
        sources.append(manifest_source(manifest, path))
    return sources


def manifest_source(manifest: ManifestSpec, path: Path) -> ManifestSource:
    """One manifest of a spec, at a path, with its root and its label map."""
    found = manifest.label_map
    if isinstance(found, NamedMapSpec):
        return ManifestSource(path=path, root=manifest.root, named_map=found.as_map())
    return ManifestSource(path=path, root=manifest.root, label_map=found)


def unread_rows(manifest: Manifest, modalities: frozenset[Modality]) -> NDArray[np.int64]:
    """Positions of the rows that have none of the modalities that the model reads."""
    sizes = manifest.sizes
    present = np.zeros(len(sizes), dtype=bool)
    if Modality.TEXT in modalities:
        present |= sizes.text_words > 0
    if Modality.AUDIO in modalities:
        present |= sizes.audio_seconds > 0
    return np.flatnonzero(~present)


def open_split(spec: ExperimentSpec, split: str, catalogue: Catalogue) -> Manifest:
    """Open a labelled split of a spec.

    Raises:
        DataProblemsError: with every fault of its lines, or every row that has nothing that the model reads.
        DataError: if soft labels are to be learnt and the training split has none.
        SpecError: if the spec names no such split.
    """
    manifests: Sequence[ManifestSpec] = getattr(spec.data, split)
    sources = manifest_sources(manifests, catalogue)
    manifest = Manifest.open(
        sources,
        label_field=spec.label_field,
        soft_label_field=spec.soft_label_field,
        labels=spec.labels,
        require_labels=True,
    )
    if split == "train" and spec.soft_label_field is not None and not manifest.num_soft:
        raise DataError(
            f"no row of the training split has the field `{spec.soft_label_field}`, which `soft_label_field` names. "
            "Correct the name, or set `soft_label_field: null` to train on hard labels."
        )
    modalities = reads(spec, catalogue)
    unread = unread_rows(manifest, modalities)
    if len(unread):
        wanted = " or ".join(sorted(modalities))
        problems = [
            Problem(where=manifest[index].place, message=f"has no {wanted}, all that the model reads.")
            for index in unread[:MOST_PROBLEMS].tolist()
        ]
        summary = (
            f"{len(unread)} rows of the split `{split}` cannot be used; remove them or give the model what they have:"
        )
        raise DataProblemsError(summary, problems)
    return manifest
