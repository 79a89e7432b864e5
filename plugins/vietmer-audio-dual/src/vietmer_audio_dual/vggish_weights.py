"""VGGish's published weights from a file on this machine: found, read as tensors only, and checked by name."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from torch import Tensor, nn

from vietmer_audio_dual.licences import PUBLISHED_FILE, PUBLISHED_LICENCE
from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import CheckpointRecord
from vietmer_core.pretrained.licences import UNKNOWN, warn_of_licence

SAFE: Final = ("*.safetensors",)
PICKLED: Final = ("*.pth", "*.pt", "*.bin")
POSTPROCESSOR: Final = "pproc."
"""Tensors of the whitening, which some copies of the weights hold; it is not part of this encoder."""
PUBLISHED_SHA256: Final = "10086976"
"""First digits of the published file's SHA-256, as its name says."""

RANDOM_RECORD: Final = CheckpointRecord(
    checkpoint="random", revision=None, commit=None, weights="random", licence="none", files={}
)


def named_weights(weights: str | None) -> str:
    """The weights that a spec names.

    Raises:
        CheckpointError: if it names none.
    """
    if weights is None:
        raise CheckpointError(
            "`vggish.weights` must be named, since no stable address of VGGish's weights is known. Get "
            f"`{PUBLISHED_FILE}` (releases of github.com/harritaylor/torchvggish) and give its path, or choose "
            "`vggish: {weights: random}` to train VGGish from scratch."
        )
    return weights


def load_vggish(network: nn.Module, weights: str | None, *, licence: str | None) -> CheckpointRecord:
    """Fill VGGish with the weights that a spec names, and say where they come from.

    Args:
        network: With the names of the published PyTorch weights.
        weights: A file, a folder that holds one, or `random`, which leaves the network as it is.
        licence: Licence of the weights where the user states it.

    Raises:
        CheckpointError: if no file is named or found, it cannot be read, or its tensors are not those of the network.
    """
    if weights == "random":
        return RANDOM_RECORD
    file = _file_of(named_weights(weights))
    _fill(network, _read(file), file)
    digest = _sha256(file)
    known = PUBLISHED_LICENCE if digest.startswith(PUBLISHED_SHA256) else UNKNOWN
    found = licence or known
    warn_of_licence(str(weights), found)
    return CheckpointRecord(
        checkpoint=str(weights),
        revision=None,
        commit=None,
        weights="pretrained",
        licence=found,
        files={file.name: digest},
    )


def _file_of(weights: str) -> Path:
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise CheckpointError(
            f"`vggish.weights`: `{path.absolute()}` does not exist. Give the path of `{PUBLISHED_FILE}`, of the same "
            "tensors as safetensors, or of a folder that holds one of them."
        )
    for patterns in (SAFE, PICKLED):
        found = sorted(file for pattern in patterns for file in path.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"`{file.name}`" for file in found)
            raise CheckpointError(f"`vggish.weights`: the folder `{path.absolute()}` holds {names}. Name one of them.")
    wanted = ", ".join(SAFE + PICKLED)
    raise CheckpointError(f"`vggish.weights`: the folder `{path.absolute()}` holds no weights ({wanted}).")


def _read(file: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; nothing but tensors is unpickled."""
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        is_pickle = isinstance(error, UnpicklingError)  # of which torch says at length, and in bold, how to run it
        reason = "it holds other objects than tensors" if is_pickle else " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"`vggish.weights`: `{file.name}` cannot be read: {reason}. Only tensors are unpickled. Download the file "
            "again, or convert it to safetensors."
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(
            f"`vggish.weights`: `{file.name}` must hold tensors by name, but holds {type(content).__name__} with other "
            "values instead. Save the network's `state_dict()`."
        )
    return dict(content)


def _fill(network: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    own = network.state_dict()
    given = {name: value for name, value in tensors.items() if not name.startswith(POSTPROCESSOR)}
    if not set(own) & set(given):
        raise CheckpointError(
            f"`vggish.weights`: `{file.name}` must hold VGGish's tensors (`features.0.weight`, …), but holds "
            f"{_named(sorted(tensors))} instead, which is another architecture."
        )
    shapes = [
        f"`{name}` {tuple(given[name].shape)} in place of {tuple(value.shape)}"
        for name, value in own.items()
        if name in given and given[name].shape != value.shape
    ]
    faults = {
        "lacks": _named([name for name in own if name not in given]),
        "holds, beside VGGish's,": _named(sorted(set(given) - set(own))),
        "holds in another shape": _shown(shapes),
    }
    told = [f"{verb} {names}" for verb, names in faults.items() if names]
    if told:
        raise CheckpointError(
            f"`vggish.weights`: `{file.name}` does not fit: it {', and '.join(told)}. Take `{PUBLISHED_FILE}`, or set "
            "the figures of `vggish` to those of the file."
        )
    network.load_state_dict(given, strict=True)


def _named(names: Iterable[str]) -> str:
    return _shown([f"`{name}`" for name in names])


def _shown(parts: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(parts[:most])
    return shown if len(parts) <= most else f"{shown} and {len(parts) - most} more"


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
