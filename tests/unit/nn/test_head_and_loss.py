import pytest
import torch
from torch import nn

from vietmer_core.nn.head import MLPHead
from vietmer_core.nn.losses import CrossEntropyLoss


def test_the_head_is_linear_leaky_relu_dropout_for_each_width() -> None:
    head = MLPHead(dim=8, num_classes=3, hidden_dims=[6, 4], dropout=0.1)
    kinds = [type(layer) for layer in head.layers]
    assert kinds == [*[nn.Linear, nn.LeakyReLU, nn.Dropout] * 2, nn.Linear]
    widths = [tuple(layer.weight.shape) for layer in head.layers if isinstance(layer, nn.Linear)]
    assert widths == [(6, 8), (4, 6), (3, 4)]
    assert head(torch.zeros(5, 8)).shape == (5, 3)


def test_a_head_without_hidden_widths_is_linear() -> None:
    (layer,) = MLPHead(dim=8, num_classes=3, hidden_dims=[], dropout=0.1).layers
    assert isinstance(layer, nn.Linear)


def test_the_loss_is_minus_the_log_probability_of_each_label() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([1, 2])
    losses = CrossEntropyLoss()(logits, labels)
    expected = [-float(logits[row].softmax(0)[label].log()) for row, label in enumerate(labels.tolist())]
    assert losses.tolist() == pytest.approx(expected, abs=1e-12)


def test_the_loss_of_an_utterance_does_not_depend_on_its_neighbours() -> None:
    logits, labels = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])
    together = CrossEntropyLoss()(logits, labels)
    for row in range(4):
        assert torch.equal(together[row : row + 1], CrossEntropyLoss()(logits[row : row + 1], labels[row : row + 1]))
