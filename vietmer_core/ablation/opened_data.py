"""The splits that cells read, each opened and fingerprinted once. Torch-free."""

import json
from typing import Final

from vietmer_core.catalogue import Catalogue
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.splits import open_split
from vietmer_core.errors import Problem, ProblemsError, VietmerError
from vietmer_core.spec import ExperimentSpec, reads

READING: Final = ("labels", "label_field", "soft_label_field", "data")
"""Fields that decide how the splits are read."""


def reading_of(spec: ExperimentSpec, catalogue: Catalogue) -> str:
    """All that decides how the splits of a spec are read, to tell whether two specs read the same."""
    modalities = sorted(reads(spec, catalogue))
    return json.dumps([spec.model_dump(mode="json", include=set(READING)), modalities], sort_keys=True)


class OpenedData:
    """Fingerprints of splits, by what decides them.

    Args:
        catalogue: Where corpora come from.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[str, tuple[dict[str, str], list[Problem]]] = {}

    def fingerprints(self, spec: ExperimentSpec) -> tuple[dict[str, str], list[Problem]]:
        """The fingerprint of every split of a spec, and what is wrong with its data."""
        key = reading_of(spec, self._catalogue)
        if key not in self._known:
            self._known[key] = self._open(spec)
        return self._known[key]

    def _open(self, spec: ExperimentSpec) -> tuple[dict[str, str], list[Problem]]:
        found: dict[str, str] = {}
        problems: list[Problem] = []
        for split, _ in spec.data.splits():
            try:
                manifest = open_split(spec, split, self._catalogue)
                found[split] = split_fingerprint(manifest, content=spec.data.fingerprint == "content")
            except ProblemsError as error:
                problems += error.problems
            except VietmerError as error:
                problems.append(Problem(where="", message=str(error)))
        return found, problems
