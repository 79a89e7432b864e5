"""What a run was made with, for people: no path of a machine, but what tells one run from another. Torch-free."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from vietmer_core.reporting.evidence import RunEvidence

LASTING: Final = 2
"""Parts of an absolute path that are shown, from its end."""


def made_with(run: RunEvidence) -> dict[str, str]:
    """Facts of a run, by what they are called."""
    found, status = run.provenance, run.status
    packages = {name: version for name, version in found.get("packages", {}).items() if version}
    hardware = found.get("hardware", {})
    facts = {
        "run folder": run.name,
        "started": found.get("started"),
        "outcome": status.get("outcome"),
        "epochs": _epochs(status),
        "seed": found.get("seed", run.resolved.get("seed")),
        "threads": found.get("threads"),
        "processes": found.get("processes"),
        "device": hardware.get("gpu") or hardware.get("device"),
        "processor": hardware.get("processor"),
        "Python": found.get("python"),
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
        "pretrained": "; ".join(_pretrained(found)),
        "began from": "; ".join(_began_from(found)),
        "transcripts": ", ".join(f"{name} {value}" for name, value in found.get("transcripts", {}).items()),
    }
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}


def _epochs(status: Mapping[str, Any]) -> str | None:
    if "best_epoch" not in status or status["best_epoch"] is None:
        return None
    done = f"{status.get('epoch', '?')} of {status.get('epochs', '?')}"
    return f"{done}; the checkpoint of epoch {status['best_epoch'] + 1} is reported, chosen by {status.get('monitor')}"


def _pretrained(provenance: Mapping[str, Any]) -> list[str]:
    return [
        f"{record['part']}: {short_path(str(record['checkpoint']))}"
        + (f" at {record['commit']}" if record.get("commit") else "")
        + f", licence {record['licence']}"
        for records in provenance.get("pretrained", {}).values()
        for record in records
    ]


def _began_from(provenance: Mapping[str, Any]) -> list[str]:
    parts: dict[str, list[str]] = {}
    for part, found in provenance.get("initialise", {}).items():
        source = f"run {found['run']}, epoch {found['epoch'] + 1}, checkpoint {found['checkpoint_sha256'][:16]}"
        parts.setdefault(source, []).append(part)
    return [f"{', '.join(names)}: {source}" for source, names in parts.items()]


def shown_spec(run: RunEvidence) -> str:
    """The resolved spec in YAML, absolute paths cut to their last parts."""
    return yaml.safe_dump(_short(dict(run.resolved)), sort_keys=False, allow_unicode=True, width=100)


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    return short_path(value) if isinstance(value, str) else value


def short_path(text: str) -> str:
    """An absolute path from its last parts on; other text as it is."""
    parts = Path(text).parts
    return text if not Path(text).is_absolute() or len(parts) <= LASTING else "…/" + "/".join(parts[-LASTING:])
