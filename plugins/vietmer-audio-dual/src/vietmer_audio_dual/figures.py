"""The fixed figures of VGGish's log-mels. Torch-free."""

from typing import Final

SAMPLING_RATE: Final = 16_000
WINDOW_SAMPLES: Final = 400
HOP_SAMPLES: Final = 160
FRAMES_PER_SECOND: Final = SAMPLING_RATE // HOP_SAMPLES
NUM_MELS: Final = 64
LOG_OFFSET: Final = 0.01
SHRINKING: Final = 16
"""Four poolings halve both axes of a patch."""
