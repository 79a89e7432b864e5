"""What a checkpoint says about its waveforms: their rate, and whether they are normalised."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, final

import attrs

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import Checkpoint

PREPROCESSOR_FILE: Final = "preprocessor_config.json"
PROCESSOR_FILE: Final = "processor_config.json"
"""Where newer transformers keep the same, under `feature_extractor`."""

DEFAULT_SAMPLING_RATE: Final = 16_000
"""transformers' default, Hz: that of every published checkpoint of these architectures."""


@final
@attrs.frozen(kw_only=True)
class Preprocessing:
    """How waveforms reach the network.

    Attributes:
        sampling_rate: Hz.
        normalise: Whether each is brought to mean 0 and variance 1.
    """

    sampling_rate: int
    normalise: bool


def read_preprocessing(checkpoint: Checkpoint, *, normalise: bool | None) -> Preprocessing:
    """How waveforms reach the network of a checkpoint.

    Without a file the rate is 16 kHz, and `normalise` must be given: published checkpoints differ in it.

    Args:
        checkpoint: Where to look.
        normalise: Overrides the checkpoint, unless None.

    Raises:
        CheckpointError: if the file is damaged or another network's, or is missing and `normalise` is None.
    """
    name = checkpoint.record.checkpoint
    stated = _stated(checkpoint.folder, name)
    if stated is None:
        if normalise is None:
            raise CheckpointError(
                f"checkpoint `{name}`: `{checkpoint.folder}` has no `{PREPROCESSOR_FILE}`, so it does not say whether "
                "waveforms are normalised. Set `normalise` to true or false, or add the file."
            )
        return Preprocessing(sampling_rate=DEFAULT_SAMPLING_RATE, normalise=normalise)
    rate, normalises = stated.get("sampling_rate", DEFAULT_SAMPLING_RATE), stated.get("do_normalize", True)
    _require(name, isinstance(rate, int) and not isinstance(rate, bool) and rate >= 1, "sampling_rate", rate, "a rate")
    _require(name, isinstance(normalises, bool), "do_normalize", normalises, "true or false")
    _require(name, stated.get("feature_size", 1) == 1, "feature_size", stated.get("feature_size"), "1 (raw samples)")
    return Preprocessing(sampling_rate=rate, normalise=normalises if normalise is None else normalise)


def _stated(folder: Path, name: str) -> Mapping[str, Any] | None:
    """The feature extractor's part of the first file that has one."""
    own = _read(folder / PREPROCESSOR_FILE, name)
    if own is not None:
        return own
    shared = _read(folder / PROCESSOR_FILE, name)
    part = None if shared is None else shared.get("feature_extractor")
    return part if isinstance(part, dict) else None


def _read(path: Path, name: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint `{name}`: `{path.name}` cannot be read: {error}. Download the checkpoint again."
        ) from None
    if not isinstance(values, dict):
        raise CheckpointError(f"checkpoint `{name}`: `{path.name}` must hold a JSON object. Download it again.")
    return values


def _require(name: str, holds: bool, field: str, found: object, rule: str) -> None:
    if not holds:
        raise CheckpointError(
            f"checkpoint `{name}`: `{field}` in its `{PREPROCESSOR_FILE}` must be {rule}, but is {found!r} instead. "
            "Take a checkpoint that reads waveforms, or correct the file."
        )
