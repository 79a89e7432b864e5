"""The label maps and audio roots that a spec gives to manifests named on the command line. Torch-free."""

import os
from collections.abc import Sequence
from pathlib import Path

import attrs

from vietmer_core.data.manifest import ManifestSource
from vietmer_core.data.splits import manifest_source
from vietmer_core.spec import ExperimentSpec


def sources_of_spec(spec: ExperimentSpec, paths: Sequence[Path], *, root: Path | None) -> list[ManifestSource]:
    """A source for each path; one that a split of the spec names has its label map, and its root unless one is given.

    Args:
        spec: A validated spec.
        paths: The manifests to be checked.
        root: Folder that `wav_path` starts from, over the spec's.
    """
    named: dict[str, ManifestSource] = {}
    for _, manifests in spec.data.splits():
        for manifest in manifests:
            if manifest.path is not None:
                named.setdefault(os.path.realpath(manifest.path), manifest_source(manifest, manifest.path))
    sources = []
    for path in paths:
        source = named.get(os.path.realpath(path), ManifestSource(path=path))
        sources.append(attrs.evolve(source, path=path, root=root or source.root))
    return sources
