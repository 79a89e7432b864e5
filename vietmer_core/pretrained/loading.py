"""Building a transformers model from a checkpoint, strictly: every tensor of the encoder, and no stranger."""

import json
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import torch

from vietmer_core.errors import CheckpointError
from vietmer_core.pretrained.checkpoints import Checkpoint
from vietmer_core.pretrained.hub import quieten_libraries
from vietmer_core.pretrained.weights import ADAPTER_FILE, CONFIG_FILE, weight_files


def read_config(checkpoint: Checkpoint, *, model_types: Sequence[str]) -> dict[str, Any]:
    """The configuration of a checkpoint as plain values.

    Raises:
        CheckpointError: if it cannot be read, or is that of another architecture.
    """
    path = checkpoint.folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}. Download the checkpoint again.") from None
    found = config.get("model_type") if isinstance(config, dict) else None
    if found not in model_types:
        raise CheckpointError(
            f"checkpoint `{checkpoint.record.checkpoint}` must be of architecture {' or '.join(model_types)}, but is "
            f"{found or 'of none that it names'} instead. Choose the encoder that fits it, or another checkpoint."
        )
    return dict(config)


def load_model(
    model_class: Any,
    checkpoint: Checkpoint,
    *,
    changes: Mapping[str, Any],
    key_mapping: Mapping[str, str] | None = None,
    may_miss: Iterable[str] = (),
    may_have: Iterable[str] = (),
) -> Any:
    """A transformers model in float32 from a checkpoint, or with random weights where the record says so.

    The model's `names_not_in_checkpoint` holds the names of the tensors that the files did not have, so that
    `PretrainedBackbone` keeps those in the checkpoints of a run.

    Args:
        model_class: A `PreTrainedModel`.
        checkpoint: What `open_checkpoint` gave.
        changes: Values of the configuration to override, such as `{"layerdrop": 0.0}`.
        key_mapping: From names in the files to names in the model, by regular expression.
        may_miss: Regular expressions of tensors of the model that the files need not have.
        may_have: Regular expressions of tensors in the files that the model need not have (heads, a decoder).

    Raises:
        CheckpointError: naming the tensors that are missing, unexpected or of another shape, or the damaged file; if
            the folder holds an adapter of peft.
    """
    quieten_libraries()
    config = _configured(model_class, checkpoint, changes)
    if checkpoint.record.weights == "random":
        return _built(model_class, checkpoint, config)
    _require_no_adapter(checkpoint)
    with _silent():
        model, found = _read(model_class, checkpoint, config, key_mapping)
    _require_complete(checkpoint, found, may_miss=tuple(may_miss), may_have=tuple(may_have))
    model.names_not_in_checkpoint = frozenset(found["missing_keys"])
    return model


def _require_no_adapter(checkpoint: Checkpoint) -> None:
    """Refuse what transformers would put beside the weights unasked, and no record would name."""
    if (checkpoint.folder / ADAPTER_FILE).is_file():
        raise CheckpointError(
            f"checkpoint `{checkpoint.record.checkpoint}` must hold the weights of the whole network, but has low-rank "
            f"updates beside them (`{ADAPTER_FILE}`). Merge them with peft's `merge_and_unload` and save the network "
            f"into a folder of its own, or take `{ADAPTER_FILE}` away to read the weights without them."
        )


def _configured(model_class: Any, checkpoint: Checkpoint, changes: Mapping[str, Any]) -> Any:
    from huggingface_hub.errors import StrictDataclassError

    try:
        config = model_class.config_class.from_pretrained(checkpoint.folder, local_files_only=True)
        for name, value in changes.items():
            setattr(config, name, value)
    except (StrictDataclassError, OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"checkpoint `{checkpoint.record.checkpoint}`: its `{CONFIG_FILE}` cannot be used: {reason}"
        ) from error
    config.dtype = torch.float32
    return config


def _built(model_class: Any, checkpoint: Checkpoint, config: Any) -> Any:
    """The network with random weights.

    Raises:
        CheckpointError: if its configuration describes none, such as one of an activation that is not known.
    """
    try:
        return model_class(config)
    except Exception as error:  # the libraries raise what they please: KeyError, ZeroDivisionError, RuntimeError
        raise CheckpointError(
            f"checkpoint `{checkpoint.record.checkpoint}`: its `{CONFIG_FILE}` describes no {model_class.__name__} "
            f"({_told(error)}). Download the checkpoint again."
        ) from error


def _told(error: Exception) -> str:
    """What an error of a library says, on one short line; of pickles torch says it at length and with colours."""
    if isinstance(error, UnpicklingError):
        return "it holds other objects than tensors, or is damaged"
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _read(model_class: Any, checkpoint: Checkpoint, config: Any, key_mapping: Mapping[str, str] | None) -> Any:
    files = weight_files(checkpoint.folder)
    try:
        return model_class.from_pretrained(
            checkpoint.folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=files[0].suffix == ".safetensors",
            weights_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            key_mapping=None if key_mapping is None else dict(key_mapping),
        )
    except Exception as error:
        with torch.device("meta"):  # without memory: the fault may be the configuration's
            _built(model_class, checkpoint, config)
        names = ", ".join(path.name for path in files)
        raise CheckpointError(
            f"checkpoint `{checkpoint.record.checkpoint}`: {names} cannot be read: {_told(error)}. "
            "Only tensors are unpickled. Download the checkpoint again, or convert it to safetensors."
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Without transformers' report and bars: what matters of them becomes an error."""
    from transformers.utils import logging as untyped

    logging: Any = untyped

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _require_complete(
    checkpoint: Checkpoint, found: Mapping[str, Any], *, may_miss: Sequence[str], may_have: Sequence[str]
) -> None:
    faults = {
        "lack": _others(found["missing_keys"], may_miss),
        "hold, beside the model's,": _others(found["unexpected_keys"], may_have),
        "hold in another shape": sorted(
            str(item[0] if isinstance(item, tuple) else item) for item in found["mismatched_keys"]
        ),
    }
    told = [f"{verb} {_named(names)}" for verb, names in faults.items() if names]
    if told:
        raise CheckpointError(
            f"the weights of checkpoint `{checkpoint.record.checkpoint}` do not fit its `{CONFIG_FILE}`: they "
            f"{', and '.join(told)}. Download the checkpoint again, or take another."
        )


def _others(names: Iterable[str], allowed: Sequence[str]) -> list[str]:
    return sorted(name for name in names if not any(re.search(pattern, name) for pattern in allowed))


def _named(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
