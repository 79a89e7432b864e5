"""`Cell`: one model of one corpus tested on another, as a file that is kept. Torch-free."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import attrs
import numpy as np

from vietmer_core.comparison.systems import System
from vietmer_core.errors import ProblemsError, RunError, VietmerError
from vietmer_core.files import write_atomically

NOT_AUDITED: Final = "not audited"


@attrs.frozen(kw_only=True)
class Place:
    """Which cell it is.

    Attributes:
        train: Name of the corpus trained on.
        test: Name of the corpus tested on.
        seed: Of the model.
    """

    train: str
    test: str
    seed: int


@attrs.frozen(kw_only=True)
class Cell:
    """What one model predicted of one corpus.

    Attributes:
        place: Which cell it is.
        run: The run folder of the model, relative to the matrix's folder.
        address: Of what decided the predictions.
        trained_labels: Labels that the model knows.
        labels: Those common to it and the test split, in the order of the label space.
        data: Fingerprint of the test split.
        protocol: How the tested corpus was split; None where its manifests do not say.
        audit: The verdict on leaks from what was trained on to what was tested on.
        rows: One a test utterance of a common label: utterance_id, speaker_id, label, probabilities.
    """

    place: Place
    run: str
    address: str
    trained_labels: tuple[str, ...]
    labels: tuple[str, ...]
    data: str
    protocol: str | None
    audit: str
    rows: tuple[Mapping[str, Any], ...]

    def write(self, folder: Path) -> None:
        """Keep the cell.

        Raises:
            RunError: if the file cannot be written.
        """
        facts = {**attrs.asdict(self, recurse=False), "place": attrs.asdict(self.place)}
        write_atomically(cell_path(folder, self.address), json.dumps(facts, ensure_ascii=False).encode())

    def as_system(self, labels: Sequence[str] | None = None) -> System:
        """The predictions among the common labels, whose probabilities are divided by their sum.

        Args:
            labels: Fewer labels, and the utterances that have them; the common ones where None.
        """
        kept = tuple(label for label in self.labels if labels is None or label in labels)
        rows = [row for row in self.rows if row["label"] in kept]
        chosen = np.array([[row["probabilities"][label] for label in kept] for row in rows], dtype=np.float64)
        sums = chosen.sum(axis=1, keepdims=True)
        even = np.full_like(chosen, 1 / len(kept))
        return System(
            name=f"{self.place.train} → {self.place.test}",
            labels=kept,
            utterance_ids=tuple(row["utterance_id"] for row in rows),
            speakers=tuple(row["speaker_id"] for row in rows),
            truth=np.array([kept.index(row["label"]) for row in rows], dtype=np.int64),
            probabilities=np.divide(chosen, sums, out=even, where=sums > 0)[None],
            seeds=(self.place.seed,),
            runs=(self.run,),
        )


def cell_path(folder: Path, address: str) -> Path:
    """The file of a cell."""
    return folder / "cells" / f"{address}.json"


def read_cell(folder: Path, address: str, *, place: Place) -> Cell | None:
    """A cell that was kept, or None where there is none.

    Raises:
        RunError: if its file is damaged.
    """
    path = cell_path(folder, address)
    if not path.exists():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return Cell(
            place=place,
            run=facts["run"],
            address=facts["address"],
            trained_labels=tuple(facts["trained_labels"]),
            labels=tuple(facts["labels"]),
            data=facts["data"],
            protocol=facts["protocol"],
            audit=facts["audit"],
            rows=tuple(facts["rows"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: the cell cannot be read ({error}). Remove the file, and it is computed again."
        ) from None


@attrs.frozen(kw_only=True)
class FailedCell:
    """A cell that there is not.

    Attributes:
        place: Which cell it is.
        reason: One sentence.
    """

    place: Place
    reason: str

    @classmethod
    def of(cls, place: Place, error: VietmerError) -> Self:
        """The cell that an error left; of several problems, the first stands for all."""
        if not isinstance(error, ProblemsError) or not error.problems:
            return cls(place=place, reason=str(error))
        return cls(place=place, reason=f"{error.summary.rstrip(':')}; the first: {error.problems[0]}")
