"""What decides the states of a frozen encoder, and the content that decides those of one utterance."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import BaseModel
from torch import nn

from vietmer_core.assembly import part_seed
from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality, Role
from vietmer_core.data.utterance import Utterance
from vietmer_core.errors import DataError
from vietmer_core.files import file_sha256
from vietmer_core.pretrained.backbone import backbones
from vietmer_core.pretrained.params import PretrainedParams
from vietmer_core.shapes import PassRows
from vietmer_core.spec import ExperimentSpec
from vietmer_core.text.abbreviations import ABBREVIATIONS_VERSION
from vietmer_core.training.weights import pretrained_records

NOT_IN_STATES: Final = frozenset(
    {"checkpoint", "revision", "freeze", "train_layers", "lora", "unfreeze", "gradient_checkpointing"}
    | {"normalise_layers"}
)
"""Fields of `PretrainedParams` that do not change the states: the files' sums stand for the checkpoint, and a frozen
encoder trains nothing."""
COMPUTED_BY: Final = (
    *("vietmer-core", "torch", "torchaudio", "transformers", "tokenizers", "sentencepiece", "timm"),
    *("soxr", "soundfile", "numpy"),
)


FORCED_KERNELS: Final = (
    *("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"),
    *("MKL_DEBUG_CPU_TYPE", "MKL_CBWR"),
)
"""Environment variables by which a user chooses other kernels."""


def space_identity(
    spec: ExperimentSpec,
    catalogue: Catalogue,
    modality: Modality,
    encoder: nn.Module,
    *,
    device: torch.device,
    rows: PassRows,
    frontend: object,
) -> dict[str, Any]:
    """All that decides what a frozen encoder computes of an utterance, to the last bit, as plain JSON values.

    Parameters of the encoder and its frontend, the SHA-256 of the files of its weights (of the weights themselves where
    they are random), the versions of what computes, the device, the number of threads and the rows of a pass.
    """
    params: BaseModel = getattr(spec, modality.value)
    origin = catalogue.origin(Role(modality), spec.kind(modality.value))
    records = pretrained_records(encoder)
    return {
        "role": modality.value,
        "kind": spec.kind(modality.value),
        "distribution": f"{origin.distribution} {origin.version}",
        "plugins": _parts(encoder),
        "params": _params(params),
        "sampling_rate": getattr(frontend, "sampling_rate", None),
        "weights": {name: dict(record.files) for name, record in records.items()},
        "random_weights": random_weights(spec, modality, encoder),
        "transcripts": _transcripts(params) if modality is Modality.TEXT else {},
        "versions": {package: _version(package) for package in COMPUTED_BY},
        "device": _processor() if device.type == "cpu" else _gpu(device),
        "threads": torch.get_num_threads(),
        "rows": {"frames": rows.frames, "tokens": rows.tokens, "most": rows.most},
    }


def _processor() -> dict[str, Any]:
    """What chooses the kernels of a CPU: its instructions, and its model where the system tells it."""
    return {
        "machine": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "model": processor_model(),
        "forced": {name: os.environ[name] for name in FORCED_KERNELS if name in os.environ},
    }


@cache
def processor_model() -> str:
    """The model of this machine's processor; what `platform` says where there is no `/proc/cpuinfo`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("vendor_id", "cpu family", "model", "model name", "CPU implementer", "CPU part")
    named = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {name.strip(): value.strip() for name, value in named.items()}
    return ", ".join(found[name] for name in wanted if name in found)


def _gpu(device: torch.device) -> dict[str, Any]:
    return {
        "name": torch.cuda.get_device_name(device),
        "cuda": torch.version.cuda,
        "matmul_precision": torch.get_float32_matmul_precision(),
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
    }


def _parts(encoder: nn.Module) -> list[str]:
    """The distributions of VietMER whose modules the encoder is made of, with their versions."""
    packages = {type(part).__module__.partition(".")[0] for part in encoder.modules()}
    names = sorted(package.replace("_", "-") for package in packages if package.startswith("vietmer_"))
    return [f"{name} {_version(name)}" for name in names]


def _params(params: BaseModel) -> dict[str, Any]:
    """Parameters as JSON without what does not change the states, in parts of them too."""
    left_out = NOT_IN_STATES if isinstance(params, PretrainedParams) else frozenset[str]()
    dumped = params.model_dump(mode="json")
    found: dict[str, Any] = {}
    for name in sorted(set(type(params).model_fields) - left_out):
        value = getattr(params, name)
        found[name] = _params(value) if isinstance(value, BaseModel) else dumped[name]
    return found


def random_weights(spec: ExperimentSpec, modality: Modality, encoder: nn.Module) -> str | None:
    """SHA-256 of the weights of the encoder's frozen part, or their seed, where any of them is not from a file."""
    records = pretrained_records(encoder).values()
    if records and all(record.weights == "pretrained" for record in records):
        # A checkpoint may lack tensors, which are then drawn from the seed.
        loaded = [part for part in encoder.modules() if hasattr(part, "names_not_in_checkpoint")]
        if not any(part.names_not_in_checkpoint for part in loaded):
            return None
        return f"drawn from seed {part_seed(spec.seed, modality.value)}"
    networks = [(name, part.model) for name, part in backbones(encoder)] or [("", encoder)]
    tensors = {f"{name}.{key}": value for name, part in networks for key, value in part.state_dict().items()}
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _transcripts(params: BaseModel) -> dict[str, Any]:
    segmenter = getattr(params, "segmenter", "none")
    return {
        "segmenter": None if segmenter == "none" else f"{segmenter} {_version(segmenter)}",
        "abbreviations": ABBREVIATIONS_VERSION if getattr(params, "read_abbreviations", False) else None,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def utterance_key(utterance: Utterance, modality: Modality, *, channel: str | int) -> str:
    """64 hexadecimal digits for what an encoder hears or reads of an utterance; "" where the modality is absent.

    The bytes of the recording, the span and the channel decide; where the file lies does not.

    Raises:
        DataError: if the recording cannot be read.
    """
    if modality is Modality.TEXT:
        return _digest({"transcript": utterance.transcript}) if utterance.has_text else ""
    if utterance.wav_path is None:
        return ""
    try:
        content = file_sha256(Path(utterance.wav_path))
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"{utterance.place}: audio file `{utterance.wav_path}` cannot be read: {reason}. Check `wav_path`."
        ) from None
    return _digest({"audio": content, "start": utterance.start, "end": utterance.end, "channel": channel})


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
