"""`split.json`: what a folder of splits holds and how it was made. Torch-free."""

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np

from vietmer_core import __version__
from vietmer_core.files import file_sha256
from vietmer_core.splitting.balance import SplitSummary, count_values
from vietmer_core.splitting.plan import SplitPlan

DOCUMENT_VERSION: Final = 1
"""Version of the JSON form; it rises when a field changes its meaning or goes."""


def describe_plan(plan: SplitPlan, *, written: Mapping[str, str]) -> dict[str, Any]:
    """The document as plain JSON values; the same rows and settings give the same document.

    Args:
        plan: What was planned.
        written: SHA-256 of each manifest, by its path below the folder; empty where nothing was written.
    """
    table, sizes = plan.table, np.bincount(plan.groups.of_row)
    return {
        "version": DOCUMENT_VERSION,
        "vietmer": __version__,
        "protocol": plan.protocol,
        "settings": _settings(plan),
        "label_field": plan.manifest.label_field,
        "source": {
            "fingerprint": plan.fingerprint,
            "manifests": [
                {"path": str(source.path), "sha256": file_sha256(source.path)} for source in plan.manifest.sources
            ],
        },
        "num_utterances": len(table),
        "num_groups": len(sizes),
        "largest_group": int(sizes.max()),
        "num_speakers": len(table.speakers.names),
        "num_unknown_speaker": table.speakers.num_absent,
        "classes": count_values(table.labels, np.ones(len(table), dtype=bool)),
        "cautions": list(plan.cautions),
        "folds": [
            {
                "folder": fold.name or ".",
                "held_out": list(fold.held_out),
                "splits": {part.name: _split(part, folder=fold.name, written=written) for part in parts},
            }
            for fold, parts in zip(plan.folds, plan.summaries, strict=True)
        ],
    }


def manifest_name(folder: str, split: str) -> str:
    """Path of a manifest below the folder of the splits."""
    return f"{folder}/{split}.jsonl" if folder else f"{split}.jsonl"


def _settings(plan: SplitPlan) -> dict[str, Any]:
    settings = attrs.asdict(plan.settings, recurse=False)
    return {
        **settings,
        "shares": list(plan.settings.shares),
        "disjoint": list(plan.settings.disjoint),
        "balance": list(plan.settings.balance),
        "patterns": [str(pattern) for pattern in plan.settings.patterns],
        "unknown_ids": sorted(plan.settings.unknown_ids),
    }


def _split(part: SplitSummary, *, folder: str, written: Mapping[str, str]) -> dict[str, Any]:
    name = manifest_name(folder, part.name)
    label, difference = part.deviation
    return {
        "manifest": name,
        "sha256": written.get(name),
        "num_utterances": part.num_utterances,
        "share": part.share,
        "num_groups": part.num_groups,
        "num_speakers": part.num_speakers,
        "num_unknown_speaker": part.num_unknown_speaker,
        "classes": dict(part.classes),
        "lacking": list(part.lacking),
        "divergence": part.divergence,
        "largest_deviation": {"label": label, "difference": difference},
        "balance": {field: dict(counts) for field, counts in part.balance.items()},
    }
