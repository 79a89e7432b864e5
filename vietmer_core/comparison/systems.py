"""`System`: what one way of training predicted of a test set, once for each seed. Torch-free."""

from collections.abc import Sequence
from typing import Self

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.names import name_key
from vietmer_core.errors import RunError
from vietmer_core.evaluation.cluster_sums import cluster_sums
from vietmer_core.evaluation.outcomes import Outcomes


@attrs.frozen(kw_only=True, eq=False)
class System:
    """The predictions of one system: of one model, or of models that differ in the seed alone.

    Attributes:
        name: In tables.
        labels: The label space.
        utterance_ids: Of the test set.
        speakers: Of each utterance; None where unknown.
        truth: `(utterances,)` int64 classes.
        probabilities: `(seeds, utterances, classes)` float64, rows sum to 1.
        seeds: Of the models, ascending.
        folds: `(utterances,)` int64, the fold that each utterance was tested in; None where one model tested all.
        runs: Paths of the run folders.

    Raises:
        ValueError: if the parts do not fit together.
    """

    name: str
    labels: tuple[str, ...]
    utterance_ids: tuple[str, ...]
    speakers: tuple[str | None, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    seeds: tuple[int, ...] = (0,)
    folds: NDArray[np.int64] | None = None
    runs: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        wanted = (len(self.seeds), len(self.utterance_ids), len(self.labels))
        if self.probabilities.shape != wanted:
            shape = f"{self.probabilities.shape} instead"
            raise ValueError(f"`probabilities` must have shape {wanted}, seeds, utterances, classes, but has {shape}.")
        sizes = {"speakers": len(self.speakers), "truth": len(self.truth)}
        sizes |= {} if self.folds is None else {"folds": len(self.folds)}
        for name, size in sizes.items():
            if size != wanted[1]:
                raise ValueError(f"`{name}` must hold {wanted[1]} utterances, but holds {size} instead.")
        if not wanted[1] or not wanted[0]:
            raise ValueError("a system must have predicted at least one utterance with at least one seed.")
        if len(set(self.utterance_ids)) < wanted[1]:
            raise ValueError("`utterance_ids` must be distinct, but one stands twice.")
        if self.truth.min() < 0 or self.truth.max() >= len(self.labels):
            raise ValueError(f"`truth` must hold classes from 0 to {len(self.labels) - 1}, but holds others.")

    @property
    def num_utterances(self) -> int:
        """Utterances tested."""
        return len(self.utterance_ids)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """`(seeds, utterances)` most probable classes."""
        classes: NDArray[np.int64] = self.probabilities.argmax(axis=-1)
        return classes

    @property
    def num_unknown_speakers(self) -> int:
        """Utterances whose speaker is unknown."""
        return sum(not name_key(speaker or "") for speaker in self.speakers)

    def taking(self, positions: Sequence[int]) -> Self:
        """The same system over some of its utterances, or over all in another order."""
        rows = np.asarray(positions, dtype=np.int64)
        return attrs.evolve(
            self,
            utterance_ids=tuple(self.utterance_ids[row] for row in rows),
            speakers=tuple(self.speakers[row] for row in rows),
            truth=self.truth[rows],
            probabilities=self.probabilities[:, rows],
            folds=None if self.folds is None else self.folds[rows],
        )

    def sorted_by_id(self) -> Self:
        """The same system, its utterances in the order of their ids."""
        return self.taking(sorted(range(self.num_utterances), key=self.utterance_ids.__getitem__))


def clusters_of(speakers: Sequence[str | None]) -> NDArray[np.int64]:
    """The speaker of each utterance as a number from 0; every utterance of an unknown speaker is one of its own.

    Names written by two hands are one speaker (`name_key`), and a blank one is unknown.
    """
    codes: dict[object, int] = {}
    keys = [name_key(speaker or "") or (index,) for index, speaker in enumerate(speakers)]
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)


def speaker_sums(system: System) -> NDArray[np.float64]:
    """What scores need of each seed and speaker: `(seeds, speakers, classes² + 2)`, as `cluster_sums` gives them."""
    clusters = clusters_of(system.speakers)
    return np.stack(
        [
            cluster_sums(Outcomes(labels=system.labels, probabilities=one, truth=system.truth, clusters=clusters))
            for one in system.probabilities
        ]
    )


def aligned(systems: Sequence[System]) -> list[System]:
    """The systems with their utterances in one order, after checking that all tested the same ones.

    Raises:
        RunError: if label spaces, utterances, true labels or speakers differ.
    """
    first, *others = [system.sorted_by_id() for system in systems]
    for other in others:
        _require_same_labels(first, other)
        _require_same_utterances(first, other)
        _require_same_rows(first, other)
    return [first, *others]


def _require_same_labels(first: System, other: System) -> None:
    if first.labels != other.labels:
        spaces = f"`{first.name}` has {_listed(first.labels)}; `{other.name}` has {_listed(other.labels)}"
        raise RunError(f"the label spaces differ: {spaces}. Only models of one label space can be compared.")


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _require_same_utterances(first: System, other: System) -> None:
    mine, theirs = set(first.utterance_ids), set(other.utterance_ids)
    if mine != theirs:
        raise RunError(
            f"the test sets differ: `{first.name}` tested {len(mine)} utterances, `{other.name}` {len(theirs)}, and "
            f"{len(mine & theirs)} are the same. Evaluate both on one split."
        )


def _require_same_rows(first: System, other: System) -> None:
    differ = np.flatnonzero(first.truth != other.truth)
    if len(differ):
        row = int(differ[0])
        labels = f"`{first.labels[first.truth[row]]}` and `{other.labels[other.truth[row]]}`"
        raise RunError(
            f"the true labels of {len(differ)} utterances differ between `{first.name}` and `{other.name}`, first of "
            f"`{first.utterance_ids[row]}`: {labels}. Evaluate both on the same manifest with the same label map."
        )
    for row, (mine, theirs) in enumerate(zip(first.speakers, other.speakers, strict=True)):
        if mine != theirs:
            raise RunError(
                f"the speaker of `{first.utterance_ids[row]}` is `{mine}` for `{first.name}` and `{theirs}` for "
                f"`{other.name}`. Evaluate both on the same manifest."
            )
