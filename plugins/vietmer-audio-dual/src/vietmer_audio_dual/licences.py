"""The published weights of VGGish and their licence. Torch-free."""

from typing import Final

PUBLISHED_FILE: Final = "vggish-10086976.pth"
"""The PyTorch port of the weights that tensorflow/models published."""

PUBLISHED_LICENCE: Final = "Apache-2.0"
