"""Running a model over a split."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from vietmer_core.batch import Batch
from vietmer_core.canonical import CanonicalPasses
from vietmer_core.data.loader import Fault, iterate, raise_fault
from vietmer_core.errors import RunError
from vietmer_core.memory import memory_told
from vietmer_core.model import EmotionModel

UNKNOWN: Final = -1
GATHERED: Final = 128
"""Utterances, about, whose canonical passes of several rows are planned together."""
GATHERED_BYTES: Final = 512 * 2**20
"""What their encoded frames take at most, about."""
NOT_FINITE: Final = "the model gives no finite probabilities"
REMEDY: Final = "Lower `shapes.frames_per_pass`, or leave the longest recordings out."


@attrs.frozen(kw_only=True, eq=False)
class Predictions:
    """Predictions of a split, in the order of its utterances.

    Attributes:
        indices: `(utterances,)` positions in the split; one that could not be prepared is left out.
        probabilities: `(utterances, classes)` float64, rows sum to 1.
        truth: `(utterances,)` int64 classes, -1 where unknown.
        tokens_cut: Tokens left out of a transcript that was too long for the text encoder, by position in the split.
        samples_added: Samples added to audio that was too short for the audio encoder, by position in the split.
    """

    indices: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    tokens_cut: Mapping[int, int] = attrs.field(factory=dict)
    samples_added: Mapping[int, int] = attrs.field(factory=dict)

    @property
    def is_finite(self) -> NDArray[np.bool_]:
        """`(utterances,)`, whether the model gave numbers: weights, or an input, out of all bounds give none."""
        finite: NDArray[np.bool_] = np.all(np.isfinite(self.probabilities), axis=1)
        return finite


def require_finite(found: Predictions, *, place: str, name_of: Callable[[int], str]) -> None:
    """Refuse predictions that are no numbers, of which the most probable class would be the first.

    Args:
        found: Of a split.
        place: The run, for the message.
        name_of: From a position in the split to the utterance's id.

    Raises:
        RunError: if there is one.
    """
    broken = found.indices[~found.is_finite].tolist()
    if broken:
        raise RunError(
            f"{place}: {NOT_FINITE} of {len(broken):,} of {len(found.indices):,} utterances, the first of them "
            f"`{name_of(broken[0])}`. Look at the losses of its training, or compute in float32."
        )


def predict_split(
    model: EmotionModel,
    loader: DataLoader[Any],
    *,
    num_classes: int,
    device: torch.device,
    passes: CanonicalPasses | None = None,
    on_fault: Callable[[Fault], None] = raise_fault,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Predictions:
    """Probabilities of every utterance that the loader gives; the model is in eval mode meanwhile.

    Args:
        model: On `device`.
        loader: Made by `vietmer_core.data.loader.make_loader`.
        num_classes: Size of the label space.
        device: Where the batches go.
        passes: The canonical passes of the model; None pads each batch to its longest utterance.
        on_fault: Takes an utterance that cannot be prepared; raises by default.
        on_batch: Told the number of utterances of each batch done.
    """
    was_training, cut, added = model.training, dict[int, int](), dict[int, int]()
    model.eval()
    indices, probabilities, truth = [np.empty(0, np.int64)], [np.empty((0, num_classes))], [np.empty(0, np.int64)]
    try:
        with torch.inference_mode():
            batches = iterate(loader, on_fault=on_fault, on_cut=cut.update, on_padded=added.update)
            for group in _gathered(batches, passes):
                with memory_told(REMEDY, what=f"{sum(map(len, group))} utterances"):
                    # (utterances, classes)
                    logits = model(group[0].to(device)) if passes is None else passes.logits(group)
                probabilities.append(logits.double().softmax(dim=-1).cpu().numpy())
                for batch in group:
                    indices.append(batch.indices.numpy())
                    unknown = np.full(len(batch), UNKNOWN)
                    truth.append(unknown if batch.labels is None else batch.labels.numpy())
                on_batch(sum(map(len, group)))
    finally:
        model.train(was_training)
    order = np.argsort(np.concatenate(indices), kind="stable")
    return Predictions(
        indices=np.concatenate(indices)[order],
        probabilities=np.concatenate(probabilities)[order],
        truth=np.concatenate(truth)[order],
        tokens_cut=cut,
        samples_added=added,
    )


def _gathered(batches: Iterator[Batch], passes: CanonicalPasses | None) -> Iterator[list[Batch]]:
    """Batches together where passes have several rows, so that they find utterances of the same edges."""
    group: list[Batch] = []
    held = 0
    for batch in batches:
        group.append(batch)
        held += 0 if passes is None else passes.num_bytes(batch)
        is_full = sum(map(len, group)) >= GATHERED or held >= GATHERED_BYTES
        if passes is None or passes.is_row_by_row or is_full:
            yield group
            group, held = [], 0
    if group:
        yield group
