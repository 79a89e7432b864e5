"""Predictions as files: JSONL, one row an utterance. Torch-free."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vietmer_core.data.manifest import Manifest
from vietmer_core.errors import RunError
from vietmer_core.files import write_atomically

ROUNDING: Final = 1e-9
"""How far above 1 a probability may be written."""


class Predicted(Protocol):
    """What a row is made from: `vietmer_core.evaluation.predictions.Predictions`."""

    @property
    def indices(self) -> NDArray[np.int64]: ...
    @property
    def probabilities(self) -> NDArray[np.float64]: ...
    @property
    def tokens_cut(self) -> Mapping[int, int]: ...
    @property
    def samples_added(self) -> Mapping[int, int]: ...


def prediction_rows(
    predictions: Predicted, manifest: Manifest, labels: Sequence[str], *, threshold: float | None = None
) -> Iterator[dict[str, Any]]:
    """One row an utterance: id, speaker, the label predicted, the true one if known, and every probability.

    Args:
        predictions: Of the split.
        manifest: The split.
        labels: The label space.
        threshold: The confidence below which a row is marked `abstain: true`; None writes no such field.
    """
    for position, row in enumerate(predictions.indices.tolist()):
        utterance = manifest[row]
        probabilities = predictions.probabilities[position]
        yield {
            "utterance_id": utterance.utterance_id,
            "speaker_id": utterance.speaker_id,
            "label": utterance.label,
            "predicted": labels[int(probabilities.argmax())],
            **({} if threshold is None else {"abstain": bool(probabilities.max() < threshold)}),
            "probabilities": {label: float(p) for label, p in zip(labels, probabilities, strict=True)},
            **({"tokens_cut": predictions.tokens_cut[row]} if row in predictions.tokens_cut else {}),
            **({"samples_added": predictions.samples_added[row]} if row in predictions.samples_added else {}),
        }


def write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows as JSONL, whole or not at all.

    Raises:
        RunError: if the file cannot be written.
    """
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_atomically(path, content.encode())


def has_probabilities(row: object, labels: Sequence[str]) -> bool:
    """Whether a row holds a number from 0 to 1 for each of the labels, in their order, and a speaker or null."""
    if not isinstance(row, Mapping) or not isinstance(row.get("speaker_id"), str | None):
        return False
    probabilities = row.get("probabilities")
    if not isinstance(probabilities, Mapping) or tuple(probabilities) != tuple(labels):
        return False
    return all(isinstance(value, int | float) and 0 <= value <= 1 + ROUNDING for value in probabilities.values())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a file of predictions.

    Raises:
        RunError: if it is not there or damaged.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: the predictions cannot be read: {error}.") from None
