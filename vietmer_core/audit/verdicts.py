"""`verdict_of_run`: whether the splits of a run leak, audited once for all runs on the same data. Torch-free."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.audit.auditing import audit_splits
from vietmer_core.audit.listening import Progress
from vietmer_core.audit.report import REPORT_VERSION, Verdict
from vietmer_core.catalogue import Catalogue
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.data.splits import manifest_sources
from vietmer_core.errors import RunError
from vietmer_core.files import write_atomically
from vietmer_core.spec import ExperimentSpec

AUDITS_FOLDER: Final = ".audits"
"""Folder below that of the runs, one file for each set of splits."""

RULES_VERSION: Final = 2
"""Version of the detectors; it rises when another verdict may come of the same data, so that it is audited again."""


@attrs.frozen(kw_only=True)
class RunVerdict:
    """Whether the splits of a run leak.

    Attributes:
        verdict: `clean` or `leak`.
        leaks: A sentence for each leak.
        cues: A sentence for each cue; of those that need no probe.
        fingerprint: Of the splits, the label maps and the version of the detectors.
    """

    verdict: Verdict
    leaks: tuple[str, ...]
    cues: tuple[str, ...]
    fingerprint: str

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "verdict": self.verdict,
            "leaks": list(self.leaks),
            "cues": list(self.cues),
            "fingerprint": self.fingerprint,
        }


def sources_of_splits(
    spec: ExperimentSpec, catalogue: Catalogue, *, root: Path | None = None
) -> dict[str, list[ManifestSource]]:
    """The manifests of every split that a spec names.

    Args:
        spec: A validated spec.
        catalogue: Where its corpora are looked up.
        root: Folder that `wav_path` starts from, over the spec's.
    """
    return {
        name: [attrs.evolve(source, root=root or source.root) for source in manifest_sources(manifests, catalogue)]
        for name, manifests in spec.data.splits()
    }


def verdict_of_run(
    spec: ExperimentSpec, catalogue: Catalogue, *, runs_root: Path, progress: Progress | None = None
) -> RunVerdict:
    """Audit the splits of a spec, or read what an earlier audit of the same data found.

    The verdict is kept in `<runs_root>/.audits/<fingerprint>.json`. A file there that is damaged is written anew; a
    folder that cannot be written costs the next run an audit, and nothing else.

    Args:
        spec: A validated spec.
        catalogue: Where its corpora are looked up.
        runs_root: Folder of the run folders.
        progress: Told after each decoded segment, where an audit is made.

    Raises:
        DataError: where a manifest cannot be read, a recording is missing, or none of the audio can be decoded.
        DataProblemsError: with the faults of the rows of a split.
    """
    splits = sources_of_splits(spec, catalogue)
    fingerprint = _fingerprint(spec, splits)
    path = runs_root / AUDITS_FOLDER / f"{fingerprint}.json"
    kept = _read(path, fingerprint)
    if kept is not None:
        return kept
    report = audit_splits(
        splits,
        label_field=spec.label_field,
        labels=spec.labels,
        probes=False,
        channel=spec.data.channel,
        progress=progress,
    )
    verdict = RunVerdict(
        verdict=report.verdict,
        leaks=tuple(map(str, report.leaks)),
        cues=tuple(map(str, report.cues)),
        fingerprint=fingerprint,
    )
    document = {"version": REPORT_VERSION, **verdict.as_json(), "report": report.as_json()}
    try:
        write_atomically(path, json.dumps(document, ensure_ascii=False, indent=1).encode())
    except RunError:
        return verdict
    return verdict


def _fingerprint(spec: ExperimentSpec, splits: Mapping[str, Sequence[ManifestSource]]) -> str:
    """Of the content of every split, what is read of it and how it is judged."""
    content = spec.data.fingerprint == "content"
    parts: list[object] = [RULES_VERSION, REPORT_VERSION, spec.label_field, list(spec.labels), spec.data.channel]
    for name, sources in splits.items():
        manifest = Manifest.open(sources, label_field=spec.label_field, labels=spec.labels, require_labels=False)
        maps = [[sorted(mapping.items()) for mapping in (source.label_map, *_named(source))] for source in sources]
        parts.append([name, split_fingerprint(manifest, content=content), maps])
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


def _named(source: ManifestSource) -> Iterator[Mapping[str, object]]:
    """What a named label map makes of each corpus, in a fixed order, each with its corpus beside it."""
    corpora = {} if source.named_map is None else source.named_map.corpora
    for corpus, mapping in sorted(corpora.items()):
        yield {"": corpus, **mapping}


def _read(path: Path, fingerprint: str) -> RunVerdict | None:
    """What an earlier audit found; None where there is none, or it cannot be used."""
    try:
        found = json.loads(path.read_bytes())
        verdict, leaks, cues = found["verdict"], tuple(found["leaks"]), tuple(found["cues"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if verdict != ("leak" if leaks else "clean") or found.get("fingerprint") != fingerprint:
        return None
    if not all(isinstance(sentence, str) for sentence in (*leaks, *cues)):
        return None
    return RunVerdict(verdict="leak" if leaks else "clean", leaks=leaks, cues=cues, fingerprint=fingerprint)
