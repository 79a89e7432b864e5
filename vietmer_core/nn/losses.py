"""Losses, one number an utterance; the loop divides their sum by the utterances of the global batch.

Each defines l_{i,c}, what utterance i would lose if its label were c. With class weights w (1 where there are none):

- a hard label y gives w_y · l_{i,y};
- a soft label p, a row that sums to 1, gives Σ_c p_c · w_c · l_{i,c}; a one-hot row gives what its label gives.

Nothing is divided by the weights of the batch, which would tie an utterance's loss to its neighbours. Logits narrower
than float32 are widened first, and the loss is then float32.
"""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn


def _widened(logits: Tensor) -> Tensor:
    """The logits, float32 at least."""
    return logits if logits.dtype == torch.float64 else logits.float()


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


@final
class LabelledLoss(nn.Module):
    """What an utterance's label makes of its loss for each class: w_y · l_y, or Σ_c p_c · w_c · l_c.

    Args:
        weights: The weight of each class (`vietmer_core.nn.class_weights.label_weights`), or None for 1.
    """

    weights: Tensor | None

    def __init__(self, weights: Sequence[float] | None) -> None:
        super().__init__()
        values = None if weights is None else torch.tensor(weights, dtype=torch.float64)  # (classes,)
        self.register_buffer("weights", values)

    def forward(self, losses: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, and labels `(batch,)` int64 or `(batch, classes)` → `(batch,)`.

        Raises:
            ValueError: if the labels are neither.
        """
        batch, num_classes = losses.shape
        weighted = losses if self.weights is None else losses * self.weights.to(losses.dtype)  # (batch, classes)
        if labels.is_floating_point() and labels.shape == losses.shape:
            return (weighted * labels.to(losses.dtype)).sum(dim=-1)  # (batch,)
        if labels.dtype == torch.int64 and labels.shape == (batch,):
            return weighted.gather(1, labels[:, None])[:, 0]  # (batch,)
        raise ValueError(
            f"`labels` must be int64 of shape ({batch},), or floating point of shape ({batch}, {num_classes}), "
            f"to match the logits, but is {_describe(labels)} instead."
        )


@final
class CrossEntropyLoss(nn.Module):
    """l_c = -log p_c, with p the softmax of the logits.

    Args:
        weights: The weight of each class, or None for 1.
    """

    def __init__(self, *, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.labelled = LabelledLoss(weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, and labels `(batch,)` int64 or `(batch, classes)` → `(batch,)`."""
        losses: Tensor = self.labelled(-_widened(logits).log_softmax(dim=-1), labels)
        return losses


@final
class FocalLoss(nn.Module):
    """l_c = (1 - p_c)^gamma · -log p_c (Lin et al. 2017, "Focal loss for dense object detection").

    What is already classified well counts less, the more so the larger gamma is; gamma = 0 is the cross-entropy.
    log(1 - p_c) is the log-sum-exp of the other logits less that of all, so that neither the loss nor its gradient
    loses its digits or overflows where p_c is near 0 or 1, for gamma below 1 too.

    Args:
        gamma: At least 0.
        weights: The weight of each class, or None for 1.
    """

    def __init__(self, *, gamma: float, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.gamma = gamma
        self.labelled = LabelledLoss(weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, and labels `(batch,)` int64 or `(batch, classes)` → `(batch,)`."""
        log_p = _widened(logits).log_softmax(dim=-1)  # (batch, classes)
        own = torch.eye(log_p.shape[-1], dtype=torch.bool, device=log_p.device)  # (classes, classes)
        others = log_p[:, None, :].masked_fill(own, -torch.inf)  # (batch, classes, classes)
        log_rest = others.logsumexp(dim=-1)  # (batch, classes), log(1 - p_c)
        losses: Tensor = self.labelled((self.gamma * log_rest).exp() * -log_p, labels)
        return losses


@final
class LabelSmoothingLoss(nn.Module):
    """l_c = (1 - epsilon) · -log p_c + epsilon / (C - 1) · Σ_{k ≠ c} -log p_k, over C classes.

    The cross-entropy with a target that keeps 1 - epsilon for the label and spreads epsilon over the others (Szegedy
    et al. 2016, who spread it over all C: theirs, and torch's `label_smoothing`, is epsilon · C / (C - 1) here).

    Args:
        epsilon: From 0, below (C - 1) / C: there every class would have the same share of the target.
        weights: The weight of each class, or None for 1; it weighs the utterance, not each class of the target.
    """

    def __init__(self, *, epsilon: float, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.labelled = LabelledLoss(weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, and labels `(batch,)` int64 or `(batch, classes)` → `(batch,)`."""
        surprise = -_widened(logits).log_softmax(dim=-1)  # (batch, classes)
        others = surprise.sum(dim=-1, keepdim=True) - surprise  # (batch, classes)
        share = self.epsilon / (surprise.shape[-1] - 1)
        losses: Tensor = self.labelled((1 - self.epsilon) * surprise + share * others, labels)
        return losses
