"""Heads and losses that tie an utterance to its neighbours, and frontends that remember."""

from collections.abc import Callable, Mapping
from typing import Final, final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


@final
class BatchNormHead(nn.Module):
    """Normalises the embeddings over the batch."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)
        self.project = nn.Linear(dim, num_classes)

    def forward(self, embedding: Tensor) -> Tensor:
        """`(batch, dim)` → `(batch, classes)`."""
        logits: Tensor = self.project(self.norm(embedding))
        return logits


@final
class CentredHead(nn.Module):
    """Subtracts the mean embedding of the batch."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, num_classes)

    def forward(self, embedding: Tensor) -> Tensor:
        """`(batch, dim)` → `(batch, classes)`."""
        logits: Tensor = self.project(embedding - embedding.mean(dim=0))
        return logits


@final
class RowNumberHead(nn.Module):
    """Adds the position in the batch."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, num_classes)

    def forward(self, embedding: Tensor) -> Tensor:
        """`(batch, dim)` → `(batch, classes)`."""
        logits: Tensor = self.project(embedding)
        return logits + torch.arange(len(embedding), dtype=logits.dtype)[:, None]  # (batch, classes)


@final
class WeightSumLoss(nn.Module):
    """Divides by the weights of the batch, as torch does with `weight` and `reduction="mean"`."""

    weight: Tensor

    def __init__(self, class_counts: Mapping[str, int]) -> None:
        super().__init__()
        counts = torch.tensor(list(class_counts.values()), dtype=torch.float64)  # (classes,)
        self.register_buffer("weight", counts.sum() / counts)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, `(batch,)` → `(batch,)`."""
        weight = self.weight.to(logits.dtype)
        return cross_entropy(logits, labels, weight=weight, reduction="none") / weight[labels].sum()


@final
class AveragedLoss(nn.Module):
    """Gives one number for the batch."""

    def __init__(self, class_counts: Mapping[str, int]) -> None:
        super().__init__()
        self.num_classes = len(class_counts)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, `(batch,)` → `()`."""
        return cross_entropy(logits, labels)


@final
class ClassesOnlyLoss(nn.Module):
    """Takes a label for the number of a class, and no soft label."""

    def __init__(self, class_counts: Mapping[str, int]) -> None:
        super().__init__()
        self.num_classes = len(class_counts)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, `(batch,)` → `(batch,)`."""
        return -logits.log_softmax(dim=-1)[torch.arange(len(logits)), labels]


@final
class SharedRatersLoss(nn.Module):
    """Divides soft labels by what the batch gives to each class."""

    def __init__(self, class_counts: Mapping[str, int]) -> None:
        super().__init__()
        self.num_classes = len(class_counts)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`(batch, classes)`, and labels `(batch,)` or `(batch, classes)` → `(batch,)`."""
        if labels.is_floating_point() and bool(((labels > 0) & (labels < 1)).any()):
            labels = labels / labels.sum(dim=0)  # (batch, classes)
        return cross_entropy(logits, labels, reduction="none")


@final
class GrowingVocabulary:
    """Numbers words as it meets them: ids depend on what was read before."""

    def __init__(self) -> None:
        self.ids: Final[dict[str, int]] = {}

    def __call__(self, transcript: str, /) -> Tensor:
        """`(tokens, 1)` int64."""
        ids = [self.ids.setdefault(word, len(self.ids) % 64) for word in transcript.split()]
        return torch.tensor(ids, dtype=torch.int64)[:, None]  # (tokens, 1)


@final
class StartAndEnd:
    """Puts a start and an end around the letters, also where there are none."""

    def __call__(self, transcript: str, /) -> Tensor:
        """`(tokens, 1)` int64."""
        ids = [1, *(ord(letter) % 64 for letter in transcript.strip()), 2]
        return torch.tensor(ids, dtype=torch.int64)[:, None]  # (tokens, 1)


@final
class Unpicklable:
    """Holds a function without a name, which no worker process can receive."""

    def __init__(self) -> None:
        self.letter_id: Callable[[str], int] = lambda letter: ord(letter) % 64

    def __call__(self, transcript: str, /) -> Tensor:
        """`(tokens, 1)` int64."""
        ids = [self.letter_id(letter) for letter in transcript.strip()]
        return torch.tensor(ids, dtype=torch.int64)[:, None]  # (tokens, 1)


@final
class SilenceIsNaN:
    """Divides a waveform by its own deviation, which silence has not."""

    sampling_rate = 16_000

    def __call__(self, waveform: Tensor, /) -> Tensor:
        """`(samples,)` → `(samples, 1)`."""
        if not len(waveform):
            return waveform[:, None]  # (samples, 1)
        centred = waveform - waveform.mean()
        return (centred / centred.square().mean().sqrt())[:, None]  # (samples, 1)

    def num_frames(self, num_samples: int, /) -> int:
        """As many."""
        return num_samples


@final
class OneFrameTooMany:
    """Promises a frame more than it gives."""

    sampling_rate = 16_000

    def __call__(self, waveform: Tensor, /) -> Tensor:
        """`(samples,)` → `(samples // 10, 1)`."""
        return waveform[9::10][:, None]  # (samples // 10, 1)

    def num_frames(self, num_samples: int, /) -> int:
        """One more."""
        return num_samples // 10 + 1
