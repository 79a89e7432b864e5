from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, max_pool2d, relu
from vietmer_audio_dual.vggish import Vggish

CHANNELS = (4, 6, 8, 8, 10, 10)
CONVOLUTIONS = (0, 3, 6, 8, 11, 13)
POOLED_BEHIND = {0, 3, 8, 13}

Flatten = Callable[[Tensor], Tensor]


def vggish_of(*, channels: tuple[int, ...] = CHANNELS, dtype: torch.dtype = torch.float64) -> Vggish:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Vggish(patch_frames=96, channels=channels, hidden_dim=24, dim=12).to(dtype).eval()


def patches_of(count: int) -> Tensor:
    return torch.randn(count, 96, 64, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def height_width_channel(pooled: Tensor) -> Tensor:
    """As the published port writes it."""
    return torch.transpose(torch.transpose(pooled, 1, 3), 1, 2).reshape(len(pooled), -1)


def channel_height_width(pooled: Tensor) -> Tensor:
    """As a network of PyTorch would have it."""
    return pooled.reshape(len(pooled), -1)


def channel_swapped(pooled: Tensor) -> Tensor:
    """(width, height, channel): one transposition too few."""
    return torch.transpose(pooled, 1, 3).reshape(len(pooled), -1)


def reference(weights: dict[str, Tensor], patches: Tensor, flatten: Flatten = height_width_channel) -> Tensor:
    """VGGish in plain functions of torch."""
    states = patches[:, None]  # (patches, 1, 96, 64)
    for index in CONVOLUTIONS:
        states = relu(conv2d(states, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], padding=1))
        states = max_pool2d(states, 2) if index in POOLED_BEHIND else states
    states = flatten(states)
    for index in (0, 2, 4):
        states = relu(linear(states, weights[f"embeddings.{index}.weight"], weights[f"embeddings.{index}.bias"]))
    return states  # (patches, 12)


def test_names_and_shapes_are_those_of_the_published_weights() -> None:
    with torch.device("meta"):
        network = Vggish(patch_frames=96, channels=(64, 128, 256, 256, 512, 512), hidden_dim=4096, dim=128)
    expected = {
        "features.0": (64, 1, 3, 3),
        "features.3": (128, 64, 3, 3),
        "features.6": (256, 128, 3, 3),
        "features.8": (256, 256, 3, 3),
        "features.11": (512, 256, 3, 3),
        "features.13": (512, 512, 3, 3),
        "embeddings.0": (4096, 12_288),
        "embeddings.2": (4096, 4096),
        "embeddings.4": (128, 4096),
    }
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    weights = {f"{name}.weight": shape for name, shape in expected.items()}
    assert found == weights | {f"{name}.bias": shape[:1] for name, shape in expected.items()}
    assert sum(parameter.numel() for parameter in network.parameters()) == 72_141_184


def test_the_network_equals_plain_torch() -> None:
    network, patches = vggish_of(), patches_of(5)
    found = network(patches)
    assert found.shape == (5, 12)
    assert found.abs().max() > 0.1
    torch.testing.assert_close(found, reference(network.state_dict(), patches), rtol=0, atol=1e-12)


@pytest.mark.parametrize("flatten", [channel_height_width, channel_swapped])
def test_another_order_of_flattening_gives_other_numbers(flatten: Flatten) -> None:
    network, patches = vggish_of(), patches_of(5)
    wrong = reference(network.state_dict(), patches, flatten)
    assert (network(patches) - wrong).abs().max() > 0.05 * network(patches).abs().max()


def as_tensorflow(network: Vggish) -> dict[str, NDArray[np.float64]]:
    """The weights in TensorFlow's layout: convolutions (height, width, in, out), linear layers (in, out)."""
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    layouts = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    return {name: np.transpose(array, layouts[array.ndim]) for name, array in arrays.items()}


def tensorflow_forward(weights: dict[str, NDArray[np.float64]], patch: NDArray[np.float64]) -> NDArray[np.float64]:
    """One patch through VGGish in numpy as TensorFlow computes it: channels last, flattened as it lies in memory."""
    states = patch[:, :, None]  # (height, width, channels)
    for index in CONVOLUTIONS:
        padded = np.pad(states, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
        states = np.einsum("hwcij,ijco->hwo", windows, weights[f"features.{index}.weight"])
        states = np.maximum(states + weights[f"features.{index}.bias"], 0)
        if index in POOLED_BEHIND:
            height, width, channels = states.shape
            states = states.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    flat = states.reshape(-1)
    for index in (0, 2, 4):
        flat = np.maximum(flat @ weights[f"embeddings.{index}.weight"] + weights[f"embeddings.{index}.bias"], 0)
    return cast("NDArray[np.float64]", flat)


def test_weights_in_the_order_of_tensorflow_give_the_numbers_of_tensorflow() -> None:
    network, patches = vggish_of(), patches_of(2)
    found = network(patches)
    for patch, embedding in zip(patches, found, strict=True):
        expected = tensorflow_forward(as_tensorflow(network), patch.numpy())
        np.testing.assert_allclose(embedding.detach().numpy(), expected, rtol=0, atol=1e-12)


def test_layers_run_from_the_bottom_to_the_top() -> None:
    network = vggish_of()
    names = {id(module): name for name, module in network.named_modules()}
    expected = [f"features.{index}" for index in CONVOLUTIONS] + [f"embeddings.{index}" for index in (0, 2, 4)]
    assert [names[id(layer)] for layer in network.layers()] == expected


def test_no_patches_give_no_embeddings() -> None:
    assert vggish_of()(patches_of(0)).shape == (0, 12)


def test_a_random_network_keeps_the_scale_of_its_input() -> None:
    network = vggish_of(channels=(16, 16, 32, 32, 64, 64))
    linear_layers = [layer for layer in network.layers() if isinstance(layer, nn.Linear)]
    assert all(not layer.bias.any() for layer in linear_layers)
    assert 0.02 < float(network(patches_of(8)).detach().std()) < 50
