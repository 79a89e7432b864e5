"""What `vietmer doctor` says about pretrained encoders: their libraries, and the cache of the hub. Torch-free."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from vietmer_core.doctor_findings import Finding, Status, installed_version
from vietmer_core.probes import Probe

LIBRARIES: Final = ("transformers", "huggingface-hub", "peft", "safetensors")
INSTALL: Final = 'python -m pip install --upgrade "vietmer-core[pretrained]"'
SUBJECT: Final = "pretrained encoders"
CACHE_SUBJECT: Final = "cache of the hub"


def pretrained(found: Probe, *, needed_by: Sequence[str]) -> Iterator[Finding]:
    """The libraries of the extra `pretrained`, then the folder in which checkpoints are kept.

    Args:
        found: What the probe said.
        needed_by: The installed plugins that need the libraries.
    """
    installed = {name: installed_version(name) for name in LIBRARIES}
    facts = {"installed": installed, "needed_by": list(needed_by)}
    if not found.failure:
        versions = ", ".join(f"{name} {number}" for name, number in found.facts.items() if name != "cache")
        yield Finding(subject=SUBJECT, status=Status.GOOD, message=f"their libraries load: {versions}.", facts=facts)
        yield cache(Path(found.facts["cache"]))
        return
    if not needed_by and installed["transformers"] is None:
        message = "the extra `pretrained` is not installed; no installed plugin needs it."
        yield Finding(subject=SUBJECT, status=Status.GOOD, message=message, facts=facts)
        return
    needs = f", and {', '.join(needed_by)} needs them" if needed_by else ""
    yield Finding(
        subject=SUBJECT,
        status=Status.PROBLEM if needed_by else Status.NOTE,
        message=f"their libraries cannot be loaded{needs}: {found.failure}.",
        remedy=f"Install them together: {INSTALL}",
        facts=facts,
    )


def cache(folder: Path) -> Finding:
    """Can checkpoints be kept there; nothing is written to find out."""
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    facts = {"folder": str(folder)}
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        message = f"checkpoints are kept in {folder}."
        return Finding(subject=CACHE_SUBJECT, status=Status.GOOD, message=message, facts=facts)
    return Finding(
        subject=CACHE_SUBJECT,
        status=Status.NOTE,
        message=f"{folder} cannot be written, so no checkpoint can be fetched; those in it are read.",
        remedy="Name another folder: export HF_HOME=<folder>; or name checkpoints as folders in the spec.",
        facts=facts,
    )
