"""VGGish: a log-mel patch of 96 × 64 → 128 numbers. The trunk is timm's, the flattening the published weights'."""

from collections.abc import Iterator, Sequence
from typing import final

from einops import rearrange
from timm.models.vgg import VGG
from torch import Tensor, nn

from vietmer_audio_dual.figures import NUM_MELS, SHRINKING


def trunk_of(channels: Sequence[int]) -> nn.Sequential:
    """The convolutions of VGGish by timm: four groups of 3 × 3 convolutions with ReLU, each group pooled.

    Args:
        channels: Widths of the six convolutions; the groups have one, one, two and two of them.
    """
    first, second, *third_and_fourth = channels
    third, fourth = third_and_fourth[:2], third_and_fourth[2:]
    layout = [first, "M", second, "M", *third, "M", *fourth, "M"]
    whole = VGG(layout, num_classes=0, in_chans=1, mlp_ratio=1 / 4096)  # its head of 100 million weights is not wanted
    trunk = whole.features
    assert isinstance(trunk, nn.Sequential)
    return trunk


@final
class Vggish(nn.Module):
    """Log-mel patches `(patches, frames, mels)` → embeddings `(patches, dim)`, each 0 or more.

    Names of parameters are those of the published PyTorch weights: `features.{0,3,6,8,11,13}` and
    `embeddings.{0,2,4}`. A ReLU stands behind every layer, the last one too, as it does there. The whitening and the
    8-bit quantisation that were made for the release of AudioSet's features are left out.

    Hershey et al. 2017, "CNN architectures for large-scale audio classification".

    Args:
        patch_frames: Frames of a patch; a multiple of 16.
        channels: Widths of the six convolutions.
        hidden_dim: Width of the two hidden layers behind them.
        dim: Width of an embedding.
    """

    def __init__(self, *, patch_frames: int, channels: Sequence[int], hidden_dim: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.features = trunk_of(channels)
        flat = channels[-1] * (patch_frames // SHRINKING) * (NUM_MELS // SHRINKING)
        self.embeddings = nn.Sequential(
            nn.Linear(flat, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, dim),
            nn.ReLU(),
        )
        for layer in self.linear_layers():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def linear_layers(self) -> Iterator[nn.Linear]:
        """The layers behind the trunk, from the bottom to the top."""
        return (layer for layer in self.embeddings if isinstance(layer, nn.Linear))

    def layers(self) -> list[nn.Module]:
        """Everything that has weights, from the bottom to the top."""
        return [*(layer for layer in self.features if isinstance(layer, nn.Conv2d)), *self.linear_layers()]

    def forward(self, patches: Tensor) -> Tensor:
        """`(patches, frames, mels)` → `(patches, dim)`.

        The published weights of the first linear layer expect the pooled patch as (height, width, channel), time
        being the height: TensorFlow's order, not PyTorch's.
        """
        images = rearrange(patches, "patches frames mels -> patches 1 frames mels")
        pooled = self.features(images)  # (patches, channels, height, width)
        flat = rearrange(pooled, "patches channels height width -> patches (height width channels)")
        embeddings: Tensor = self.embeddings(flat)  # (patches, dim)
        return embeddings
