"""Losses, one number an utterance; the loop divides their sum by the utterances of the global batch."""

from typing import final

from torch import Tensor, nn
from torch.nn.functional import cross_entropy


@final
class CrossEntropyLoss(nn.Module):
    """-log p(label), for each utterance."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, `(batch,)` int64 → `(batch,)`."""
        return cross_entropy(logits, labels, reduction="none")
