"""`Outcomes`: what a model said of labelled utterances, and who spoke them; all that scores are made of. Torch-free."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.names import name_key
from vietmer_core.errors import RunError
from vietmer_core.evaluation.prediction_files import has_probabilities, read_rows


@attrs.frozen(kw_only=True, eq=False)
class Outcomes:
    """Probabilities beside the truth.

    Attributes:
        labels: The label space.
        probabilities: `(utterances, classes)` float64, rows sum to 1.
        truth: `(utterances,)` int64 classes.
        clusters: `(utterances,)` int64, the speaker as a number (`speaker_codes`); an unknown one is a cluster of its
            own.
        num_unknown_speakers: Utterances whose speaker is unknown.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    clusters: NDArray[np.int64]
    num_unknown_speakers: int = 0

    def __attrs_post_init__(self) -> None:
        count = len(self.truth)
        if self.probabilities.shape != (count, len(self.labels)) or self.clusters.shape != (count,):
            shapes = f"{self.probabilities.shape} and {self.clusters.shape}"
            wanted = f"({count}, {len(self.labels)}) and ({count},)"
            raise ValueError(f"`probabilities` and `clusters` must be of shape {wanted}, but are of {shapes} instead.")
        if not count:
            raise ValueError("`truth` must hold at least one utterance, but holds none instead.")
        if self.truth.min() < 0 or self.truth.max() >= len(self.labels):
            raise ValueError(f"`truth` must hold classes from 0 to {len(self.labels) - 1}.")

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """`(utterances,)` most probable classes."""
        classes: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return classes

    @property
    def confidence(self) -> NDArray[np.float64]:
        """`(utterances,)` probabilities of the most probable classes."""
        highest: NDArray[np.float64] = self.probabilities.max(axis=1)
        return highest

    @property
    def hits(self) -> NDArray[np.bool_]:
        """`(utterances,)` whether the most probable class is the true one."""
        right: NDArray[np.bool_] = self.predicted == self.truth
        return right

    @property
    def num_clusters(self) -> int:
        """Speakers; each utterance of an unknown one counts as one."""
        return len(np.unique(self.clusters))

    def chosen(self, rows: NDArray[Any]) -> "Outcomes":
        """Those of some utterances, by position or by a mask."""
        return attrs.evolve(
            self,
            probabilities=self.probabilities[rows],
            truth=self.truth[rows],
            clusters=self.clusters[rows],
        )

    def with_probabilities(self, probabilities: NDArray[np.float64]) -> "Outcomes":
        """The same utterances with other probabilities."""
        return attrs.evolve(self, probabilities=probabilities)


def numbered_clusters(codes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Speakers `(utterances,)` by number, where each -1, an unknown one, becomes a cluster of its own."""
    clusters = codes.astype(np.int64)
    unknown = clusters < 0
    clusters[unknown] = clusters.max(initial=0) + 1 + np.arange(int(unknown.sum()))
    return clusters


def speaker_codes(codes: NDArray[np.integer[Any]], names: Sequence[str]) -> NDArray[np.int64]:
    """Speakers `(utterances,)` by number, where names written by two hands are one (`name_key`); -1 where unknown.

    Args:
        codes: `(utterances,)` positions in `names`, -1 where the speaker is unknown.
        names: As they are written; a blank one is unknown.
    """
    numbers: dict[str, int] = {}
    keys = map(name_key, names)
    folded = [numbers.setdefault(key, len(numbers)) if key else -1 for key in keys]
    found: NDArray[np.int64] = np.array([*folded, -1], dtype=np.int64)[codes]
    return found


def outcomes_of_rows(rows: Sequence[Mapping[str, Any]], *, place: str = "the predictions") -> Outcomes:
    """The outcomes of rows of a file of predictions, each with its label.

    Args:
        rows: As `read_rows` gives them.
        place: Where they come from, for messages.

    Raises:
        RunError: if there is none, or one has no label or no prediction, or names other labels than the first.
    """
    if not rows:
        raise RunError(f"{place}: holds no row.")
    labels = _labels_of(rows[0], place=place)
    classes = {label: index for index, label in enumerate(labels)}
    for number, row in enumerate(rows, 1):
        if not has_probabilities(row, labels):
            raise RunError(
                f"{place}:{number}: must hold a probability for each of {list(labels)}, in this order, each from 0 to "
                "1, and a speaker or null. Evaluate the run again."
            )
        if row.get("label") not in labels:
            raise RunError(f"{place}:{number}: `label` must be one of {list(labels)}, but is {row.get('label')!r}.")
    known: dict[str, int] = {}
    speakers = [row.get("speaker_id") for row in rows]
    written = np.array([-1 if name is None else known.setdefault(name, len(known)) for name in speakers])
    codes = speaker_codes(written, list(known))
    return Outcomes(
        labels=labels,
        probabilities=np.array([list(row["probabilities"].values()) for row in rows], dtype=np.float64),
        truth=np.array([classes[row["label"]] for row in rows], dtype=np.int64),
        clusters=numbered_clusters(codes),
        num_unknown_speakers=int((codes < 0).sum()),
    )


def _labels_of(row: object, *, place: str) -> tuple[str, ...]:
    """The label space of a file, from its first row.

    Raises:
        RunError: if that row has no prediction.
    """
    probabilities = row.get("probabilities") if isinstance(row, Mapping) else None
    if not isinstance(probabilities, Mapping) or not probabilities:
        raise RunError(f"{place}:1: must hold a probability for each label, but holds none. Evaluate the run again.")
    return tuple(probabilities)


def read_outcomes(path: Path) -> Outcomes:
    """The outcomes of a file of predictions.

    Raises:
        RunError: if it is not there, is damaged, or a row has no label or no prediction.
    """
    return outcomes_of_rows(read_rows(path), place=str(path))
