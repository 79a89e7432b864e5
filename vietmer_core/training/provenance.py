"""What a run was made with."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import torch

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality, Role
from vietmer_core.features.identity import processor_model
from vietmer_core.spec import COMPONENT_FIELDS, ExperimentSpec, reads
from vietmer_core.text.abbreviations import ABBREVIATIONS_VERSION

PACKAGES: Final = (
    *("vietmer-core", "torch", "accelerate", "torchaudio", "numpy", "scipy", "soundfile", "soxr", "einops"),
    *("transformers", "safetensors", "peft", "timm", "sentencepiece", "underthesea", "pyvi"),
)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def hardware(device: torch.device) -> dict[str, Any]:
    """The machine: processor, memory, GPU."""
    import psutil

    found: dict[str, Any] = {
        "machine": platform.machine(),
        "processor": processor_model(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "device": str(device),
    }
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def _components(
    spec: ExperimentSpec, catalogue: Catalogue, pretrained: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    modalities = reads(spec, catalogue)
    rows = []
    for field, role in COMPONENT_FIELDS.items():
        params = getattr(spec, field)
        if params is None:
            continue
        offer = catalogue.find(role, spec.kind(field))
        licences = dict.fromkeys(str(record["licence"]) for record in pretrained.get(field, ()))  # of what was loaded
        rows.append(
            {
                "role": role.value,
                "kind": offer.component.kind,
                "distribution": offer.origin.distribution,
                "version": offer.origin.version,
                "licence": offer.component.licence,
                "weights_licence": " and ".join(licences) or offer.component.weights_licence,
                "used": role not in (Role.TEXT, Role.AUDIO) or field in {modality.value for modality in modalities},
            }
        )
    return [*rows, *_trackers(spec, catalogue)]


def _trackers(spec: ExperimentSpec, catalogue: Catalogue) -> list[dict[str, Any]]:
    offers = [catalogue.find(Role.TRACKER, str(getattr(params, "kind", ""))) for params in spec.trackers]
    return [
        {
            "role": Role.TRACKER.value,
            "kind": offer.component.kind,
            "distribution": offer.origin.distribution,
            "version": offer.origin.version,
            "licence": offer.component.licence,
            "weights_licence": None,
            "used": True,
        }
        for offer in offers
    ]


def _transcripts(spec: ExperimentSpec, catalogue: Catalogue) -> dict[str, Any]:
    """How transcripts are prepared, where the text encoder says so: the versions of the segmenter and of the table."""
    if Modality.TEXT not in reads(spec, catalogue):
        return {}
    found: dict[str, Any] = {}
    segmenter = getattr(spec.text, "segmenter", None)
    if segmenter is not None:
        found |= {"segmenter": segmenter, "segmenter_version": None if segmenter == "none" else _version(segmenter)}
    tone_style = getattr(spec.text, "tone_style", None)
    found |= {} if tone_style is None else {"tone_style": tone_style}
    reads_out = getattr(spec.text, "read_abbreviations", False)
    return {**found, "abbreviations_version": ABBREVIATIONS_VERSION} if reads_out else found


def provenance(
    spec: ExperimentSpec,
    catalogue: Catalogue,
    *,
    device: torch.device,
    fingerprints: Mapping[str, str],
    pretrained: Mapping[str, Sequence[Mapping[str, Any]]],
    initial: Mapping[str, Mapping[str, Any]],
    world_size: int = 1,
) -> dict[str, Any]:
    """Everything that a reader needs to know how a run came about.

    Args:
        spec: Resolved.
        catalogue: Where its components come from.
        device: Where it is trained.
        fingerprints: Of each split.
        pretrained: Records of the pretrained weights of each encoder.
        initial: The run from which each part that has one began, by part.
        world_size: Processes that train it.
    """
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],  # noqa: PTH119  # a name, not a path of the machine
        "python": platform.python_version(),
        "packages": {package: _version(package) for package in PACKAGES},
        "torch_build": torch.__version__,
        "components": _components(spec, catalogue, pretrained),
        "pretrained": dict(pretrained),
        "initialise": dict(initial),
        "transcripts": _transcripts(spec, catalogue),
        "seed": spec.seed,
        "threads": torch.get_num_threads(),
        "processes": world_size,
        "data": dict(fingerprints),
        "hardware": hardware(device),
    }
