"""The figures of a checkpoint's mel spectrogram, read from its files and held to what this encoder computes."""

import json
from collections.abc import Mapping
from typing import Any, Final, final

import attrs

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import Checkpoint

SAMPLING_RATE: Final = 16_000
HOP_SAMPLES: Final = 160
N_FFT: Final = 400
MEL_FRAMES_PER_SECOND: Final = SAMPLING_RATE // HOP_SAMPLES

FIGURE_FILES: Final = ("preprocessor_config.json", "processor_config.json")
"""Where a feature extractor is saved: alone, or with the tokenizer below `feature_extractor`."""


@final
@attrs.frozen(kw_only=True)
class MelFigures:
    """What differs between checkpoints.

    Attributes:
        num_mels: Mel bands, 80 or 128.
        longest_mel_frames: Mel frames that the encoder reads at once: 3,000, which are 30 s.
    """

    num_mels: int
    longest_mel_frames: int


def read_figures(checkpoint: Checkpoint, config: Mapping[str, Any]) -> MelFigures:
    """The figures of a checkpoint, given its configuration.

    Raises:
        CheckpointError: if there is no file with them, or they are others than Whisper's or the network's.
    """
    name, given = _read(checkpoint)
    mels, positions = config.get("num_mel_bins", 80), config.get("max_source_positions", 1500)
    wanted = {
        "sampling_rate": (SAMPLING_RATE, SAMPLING_RATE, "the rate that Whisper hears, Hz"),
        "hop_length": (HOP_SAMPLES, HOP_SAMPLES, "Whisper's"),
        "n_fft": (N_FFT, N_FFT, "Whisper's"),
        "dither": (0.0, 0.0, "since noise would give an utterance other features each time"),
        "feature_size": (80, mels, "the `num_mel_bins` of its `config.json`"),
        "chunk_length": (30, positions / 50, "the seconds of the `max_source_positions` of its `config.json`"),
    }
    for field, (default, expected, reason) in wanted.items():
        found = given.get(field, default)
        if found != expected:
            raise CheckpointError(
                f"checkpoint `{checkpoint.record.checkpoint}`: `{field}` in its `{name}` must be {expected:g}, "
                f"{reason}, but is {found} instead. Take the file that belongs to these weights."
            )
    return MelFigures(num_mels=int(mels), longest_mel_frames=2 * int(positions))


def _read(checkpoint: Checkpoint) -> tuple[str, Mapping[str, Any]]:
    for name in FIGURE_FILES:
        path = checkpoint.folder / name
        if not path.is_file():
            continue
        try:
            figures = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path}: cannot be read: {error}. Download the checkpoint again.") from None
        figures = figures.get("feature_extractor", figures) if isinstance(figures, dict) else None
        if isinstance(figures, dict):
            return name, figures
        raise CheckpointError(f"{path}: must hold the figures of a feature extractor. Download the checkpoint again.")
    raise CheckpointError(
        f"checkpoint `{checkpoint.record.checkpoint}` has no `{FIGURE_FILES[0]}`, which says how its mel spectrogram "
        "is computed. Copy that file from the checkpoint it was made of."
    )
