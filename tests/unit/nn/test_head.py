import torch
from torch import nn

from vietmer_core.builtin import MLPHeadParams, build_mlp_head
from vietmer_core.nn.head import MLPHead


def test_the_head_is_linear_leaky_relu_dropout_for_each_width() -> None:
    head = MLPHead(dim=8, num_classes=3, hidden_dims=[6, 4], dropout=0.1)
    kinds = [type(layer) for layer in head.layers]
    assert kinds == [*[nn.Linear, nn.LeakyReLU, nn.Dropout] * 2, nn.Linear]
    widths = [tuple(layer.weight.shape) for layer in head.layers if isinstance(layer, nn.Linear)]
    assert widths == [(6, 8), (4, 6), (3, 4)]
    assert head(torch.zeros(5, 8)).shape == (5, 3)


def test_by_default_it_has_two_hidden_layers_of_256_and_128() -> None:
    head = build_mlp_head(MLPHeadParams(), dim=8, num_classes=3)
    assert isinstance(head, MLPHead)
    assert [layer.out_features for layer in head.layers if isinstance(layer, nn.Linear)] == [256, 128, 3]
    assert {layer.p for layer in head.layers if isinstance(layer, nn.Dropout)} == {0.1}


def test_a_head_without_hidden_widths_is_linear() -> None:
    (layer,) = MLPHead(dim=8, num_classes=3, hidden_dims=[], dropout=0.1).layers
    assert isinstance(layer, nn.Linear)
