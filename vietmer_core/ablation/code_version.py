"""The version of the code that computes a cell. Torch-free.

The version of a distribution says too little of one that is being worked on: its sources are hashed, too, whether it is
installed from a wheel or from a folder, so that both have the same digest where their sources are equal. Sources of the
core that no cell runs, such as the command line, are left out: an edit there leaves finished cells finished.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from vietmer_core.catalogue import Catalogue
from vietmer_core.components import Modality, Role
from vietmer_core.plugins import CORE_DISTRIBUTION
from vietmer_core.spec import COMPONENT_FIELDS, SPLITS, ExperimentSpec, reads

COMPUTED_BY: Final = (
    *("torch", "accelerate", "torchaudio", "numpy", "scipy", "soundfile", "soxr", "einops", "transformers"),
    *("tokenizers", "safetensors", "peft", "timm", "sentencepiece", "underthesea", "pyvi"),
)
NOT_IN_A_CELL: Final = frozenset(
    {
        *("ablation", "ablation_results", "audit", "cli", "comparison", "crosscorpus", "demo", "error_browser"),
        *("label_maps", "leaderboard", "pages", "reliance", "reporting", "splitting", "testing"),
    }
)
"""Folders of the core that do not change the scores of a cell."""
_REQUIREMENT: Final = re.compile(r"vietmer-[a-z0-9-]+")


def code_version(spec: ExperimentSpec, catalogue: Catalogue) -> dict[str, Any]:
    """Versions and digests of the distributions that make a cell, and versions of the libraries below them."""
    used = dict.fromkeys([CORE_DISTRIBUTION, *_distributions(spec, catalogue)])
    return {
        "distributions": {name: _described(name, package) for name, package in sorted(_with_required(used))},
        "libraries": {name: found for name in COMPUTED_BY if (found := _version(name)) is not None},
    }


def _distributions(spec: ExperimentSpec, catalogue: Catalogue) -> Iterator[str]:
    unread = {modality.value for modality in set(Modality) - reads(spec, catalogue)}
    for field, role in COMPONENT_FIELDS.items():
        if field not in unread and getattr(spec, field) is not None:
            yield catalogue.origin(role, spec.kind(field)).distribution
    manifests = [manifest for split in SPLITS for manifest in getattr(spec.data, split) or ()]
    for manifest in manifests:
        if manifest.corpus is not None:
            yield catalogue.origin(Role.CORPUS, str(getattr(manifest.corpus, "kind", ""))).distribution


def _with_required(names: dict[str, None]) -> set[tuple[str, str]]:
    """The distributions, with those of the house that they need, and the package of each."""
    found: set[tuple[str, str]] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        package = "vietmer_core" if name == CORE_DISTRIBUTION else name.replace("-", "_").lower()
        if (name, package) not in found:
            found.add((name, package))
            waiting += _required(name)
    return found


@cache
def _required(distribution: str) -> tuple[str, ...]:
    if distribution == CORE_DISTRIBUTION:
        return ()
    try:
        lines = requires(distribution) or []
    except PackageNotFoundError:
        return ()
    names = [match[0] for line in lines if (match := _REQUIREMENT.match(line)) and "extra ==" not in line]
    return tuple(name for name in names if name != CORE_DISTRIBUTION)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


@cache
def _described(distribution: str, package: str) -> str:
    """`0.1.0 4f66632e4d7c842f…`: the version and the digest of the sources, where there are any."""
    digest = sources_digest(package, without=NOT_IN_A_CELL if distribution == CORE_DISTRIBUTION else frozenset())
    return " ".join(part for part in (_version(distribution) or "not installed", digest) if part)


def sources_digest(package: str, *, without: frozenset[str] = frozenset()) -> str:
    """SHA-256 over the names and bytes of the `.py` files of a package; "" where it is not there."""
    found = find_spec(package)
    if found is None:
        return ""
    digest = hashlib.sha256()
    for root in map(Path, found.submodule_search_locations or ()):
        for file in sorted(root.rglob("*.py")):
            name = file.relative_to(root)
            if name.parts[0] not in without:
                content = file.read_bytes()
                digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()
