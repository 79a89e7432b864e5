"""The corpora of a cross-corpus matrix: folders of three manifests, and their labels in one space. Torch-free."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import AssemblyError, DataError
from vietmer_core.label_maps.named import NamedLabelMap

_GIVEN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?::([^=:]+))?=(.+)", re.DOTALL)


@attrs.frozen(kw_only=True)
class Corpus:
    """A corpus as the command line names it.

    Attributes:
        name: In tables and names of runs.
        mapped_as: Its name in the label map.
        folder: That holds `train.jsonl`, `valid.jsonl` and `test.jsonl`.
        labels: Its labels → labels of the space, or None where a label has no counterpart.
    """

    name: str
    mapped_as: str
    folder: Path
    labels: Mapping[str, str | None]

    def manifest(self, split: str) -> Path:
        """The manifest of a split.

        Raises:
            DataError: if it is not there.
        """
        path = self.folder / f"{split}.jsonl"
        if not path.is_file():
            raise DataError(f"{path}: there is no such manifest. The folder of a corpus holds one for each split.")
        return path

    def map_to(self, kept: Sequence[str]) -> dict[str, str | None]:
        """The label map that leaves out every label of the space that is not kept."""
        return {label: target if target in kept else None for label, target in self.labels.items()}

    def present(self, split: str, *, space: Sequence[str], label_field: str) -> tuple[str, ...]:
        """The labels of the space that occur in a split, in the order of the space.

        Raises:
            DataError: if the split cannot be read, or no row has such a label.
        """
        source = ManifestSource(path=self.manifest(split), label_map=self.labels)
        manifest = Manifest.open([source], label_field=label_field, labels=space, require_labels=True)
        found = set(manifest.sizes.labels.tolist())
        return tuple(label for index, label in enumerate(space) if index in found)


def read_corpora(given: Sequence[str], *, label_map: NamedLabelMap) -> list[Corpus]:
    """The corpora of `NAME=FOLDER`, or `NAME:CORPUS=FOLDER` where the label map knows it by another name.

    Raises:
        AssemblyError: if one is not of that form, is named twice, has no folder, or there are fewer than two.
        LabelMapError: if the label map does not know one.
    """
    found: list[Corpus] = []
    for text in given:
        match = _GIVEN.fullmatch(text)
        if match is None:
            raise AssemblyError(
                f"a corpus must be given as NAME=FOLDER or NAME:CORPUS=FOLDER, but is `{text}` instead."
            )
        name, mapped_as, folder = match[1], match[2] or match[1], Path(match[3]).expanduser()
        if any(corpus.name == name for corpus in found):
            raise AssemblyError(f"two corpora are named `{name}`. Give each a name of its own.")
        if not folder.is_dir():
            raise AssemblyError(f"corpus `{name}`: {folder} is no folder. Name the one that holds its manifests.")
        labels = label_map.of(mapped_as)
        found.append(Corpus(name=name, mapped_as=mapped_as, folder=folder.absolute(), labels=labels))
    if len(found) < 2:
        raise AssemblyError(f"a matrix needs at least two corpora, but {len(found)} is given. Give `--corpus` again.")
    return found
