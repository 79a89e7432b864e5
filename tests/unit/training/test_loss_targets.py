"""What the loss of a spec is built from, and what a training step gives it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from vietmer_core.assembly import build_loss
from vietmer_core.batch import Batch, absent_sequence
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.errors import AssemblyError
from vietmer_core.nn.losses import CrossEntropyLoss
from vietmer_core.spec import ExperimentSpec, TrainingSpec
from vietmer_core.training.processes import Processes
from vietmer_core.training.steps import Stepper

COUNTS = {"angry": 30, "sad": 10}
SOFT = torch.tensor([[0.25, 0.75], [1.0, 0.0]])


def spec_with(loss: Any) -> ExperimentSpec:
    parts = {"text": "syllable", "fusion": "text_only", "pooler": "mean", "sampler": "uniform"}
    data = {"train": "train.jsonl", "valid": "valid.jsonl"}
    return ExperimentSpec.model_validate({"labels": list(COUNTS), "data": data, **parts, "loss": loss})


def batch(soft_labels: Tensor | None) -> Batch:
    nothing = absent_sequence(2)
    labels = torch.tensor([1, 0])
    return Batch(text=nothing, audio=nothing, labels=labels, indices=torch.arange(2), soft_labels=soft_labels)


class Given(nn.Module):
    """Logits that are parameters."""

    def __init__(self, logits: nn.Parameter) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, batch: Batch) -> Tensor:
        return self.logits[: len(batch)]


@pytest.mark.parametrize("soft_labels", [SOFT, None])
def test_a_step_learns_soft_labels_where_the_batch_has_them(soft_labels: Tensor | None) -> None:
    logits = nn.Parameter(torch.tensor([[0.5, -0.5], [0.1, 0.3]]))
    optimiser = SGD([logits], lr=1.0)
    schedule = LambdaLR(optimiser, lambda _: 1.0)
    before = logits.detach().clone()
    processes = Processes.start(TrainingSpec(device="cpu"))
    stepper = Stepper(
        processes=processes,
        forward=Given(logits),
        loss=CrossEntropyLoss(),
        optimiser=processes.accelerator.prepare_optimizer(optimiser),
        schedule=schedule,
        gradient_clip=None,
        absent=lambda: batch(None),
    )
    stepper.take([batch(soft_labels)], num_utterances=2)
    target = SOFT if soft_labels is not None else torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    expected = before - (before.softmax(dim=1) - target) / 2  # the gradient of the mean cross-entropy
    torch.testing.assert_close(logits.detach(), expected, rtol=0, atol=1e-6)


def test_the_loss_of_a_spec_is_weighted_by_the_training_split() -> None:
    loss = build_loss(spec_with({"kind": "focal", "class_weights": "inverse_frequency"}), installed_catalogue(), COUNTS)
    found = loss(torch.zeros(2, 2), torch.tensor([0, 1]))
    assert float(found[1] / found[0]) == pytest.approx(3)


@pytest.mark.parametrize(
    ("loss", "counts", "sentence"),
    [
        (
            {"class_weights": "effective_number"},
            {"angry": 30, "sad": 0},
            (
                "`loss: cross_entropy` cannot be built: `class_weights: effective_number` needs training utterances "
                "of every label, but there is none of `sad`. Add some, give the weights as a mapping, or remove the "
                "label from `labels`."
            ),
        ),
    ],
    ids=["a label that is never heard"],
)
def test_what_does_not_fit_the_labels_is_said_in_one_sentence(
    loss: dict[str, Any], counts: dict[str, int], sentence: str
) -> None:
    with pytest.raises(AssemblyError) as error:
        build_loss(spec_with(loss), installed_catalogue(), counts)
    assert str(error.value) == sentence
