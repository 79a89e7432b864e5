"""Checks of losses: they take what several raters said as well as a single label."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from vietmer_core.testing.candidates import NUM_CLASSES
from vietmer_core.testing.cases import Case
from vietmer_core.testing.failures import largest_of, require_same
from vietmer_core.testing.subjects import Testable
from vietmer_core.testing.value_checks import for_every_case, place_of


def soft_labels(tested: Testable) -> None:
    """Soft labels give one number a row, whatever its neighbours; a one-hot row gives what its class gives."""
    subject = tested.subject()

    def holds(case: Case, dtype: torch.dtype, module: nn.Module) -> None:
        inputs = subject.pad(subject.rows(case), dtype)
        logits = inputs["logits"].features[:, 0]  # (batch, classes)
        labels = inputs["label"].features[:, 0, 0]  # (batch,)
        place = place_of("soft_labels", subject, case, dtype)
        with torch.no_grad():
            hard, soft = module(logits, labels), module(logits, one_hot(labels, NUM_CLASSES).to(dtype))
            largest = largest_of(hard)
            require_same(place, expected=hard, found=soft, largest=largest, what="a one-hot row in place of the class")
            raters = _raters(len(case), case.seed).to(dtype)
            together = module(logits, raters)
            alone = torch.cat([module(logits[row, None], raters[row, None]) for row in range(len(case))])
            largest = largest_of(alone)
            require_same(place, expected=alone, found=together, largest=largest, what="the batch around a soft label")

    for_every_case(subject, holds)


def _raters(size: int, seed: int) -> Tensor:
    """Soft labels `(batch, classes)` float64, rows sum to 1."""
    votes = torch.rand(size, NUM_CLASSES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return votes / votes.sum(dim=1, keepdim=True)
