"""`audit_splits`: whether the splits of an experiment leak, and what a model may lean on. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from vietmer_core.audit.columns import ABSENT, AuditRows
from vietmer_core.audit.copies import copy_findings
from vietmer_core.audit.finding import AUDIT_CODES, Finding, Severity
from vietmer_core.audit.listening import Heard, Progress, listen
from vietmer_core.audit.probing import Probe, run_probes
from vietmer_core.audit.quality import audio_findings, class_findings
from vietmer_core.audit.report import AuditReport
from vietmer_core.audit.scan import scan
from vietmer_core.audit.sharing import given, inferred
from vietmer_core.audit.speakers import is_false, one_label_findings, speaker_findings
from vietmer_core.audit.transcripts import transcript_findings
from vietmer_core.data.audio import Channel
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.errors import DataError

_ORDER: Final[Mapping[Severity, int]] = {"leak": 0, "cue": 1, "note": 2}


def audit_splits(
    splits: Mapping[str, Sequence[ManifestSource]],
    *,
    label_field: str = "emotion",
    labels: Sequence[str] | None = None,
    decode_audio: bool = True,
    probes: bool = True,
    channel: Channel = "mix",
    progress: Progress | None = None,
) -> AuditReport:
    """Audit one split within itself, or several against one another.

    Args:
        splits: The manifests of each split, by its name; an earlier one is what a later one may have seen.
        label_field: The field that holds the label.
        labels: The label space, or None where any label will do.
        decode_audio: Whether audio is decoded, to find copies and to measure it.
        probes: Whether to try what alone predicts the label.
        channel: Which channel of a recording of several; a row whose field `channel` is a number has that one.
        progress: Told after each decoded segment.

    Raises:
        DataError: where no split is named, a manifest cannot be read, or none of the audio can be decoded.
        DataProblemsError: with the faults of the rows of a split.
    """
    if not splits:
        raise DataError("an audit needs at least one split, but none is named.")
    manifests = {
        name: Manifest.open(sources, label_field=label_field, labels=labels, require_labels=False)
        for name, sources in splits.items()
    }
    rows = scan(manifests)
    num_audio = int((rows.keys["path"] != ABSENT).sum())
    heard = listen(rows, channel=channel, progress=progress) if decode_audio and num_audio else None
    probed = run_probes(rows, heard) if probes else []
    findings = list(_findings(rows, heard, probed, num_audio=num_audio))
    codes = list(AUDIT_CODES)
    findings.sort(key=lambda finding: (_ORDER[finding.severity], codes.index(finding.code)))
    return AuditReport(
        splits={name: tuple(str(source.path) for source in sources) for name, sources in splits.items()},
        num_rows={name: len(manifest) for name, manifest in manifests.items()},
        label_field=label_field,
        num_decoded=0 if heard is None else int(np.count_nonzero(heard.decoded)),
        num_audio=num_audio,
        findings=tuple(findings),
        probes=tuple(probed),
    )


def _findings(rows: AuditRows, heard: Heard | None, probed: Sequence[Probe], *, num_audio: int) -> Iterator[Finding]:
    yield from given(rows, false_speakers=is_false(rows))
    yield from inferred(rows)
    yield from transcript_findings(rows)
    yield from speaker_findings(rows)
    yield from one_label_findings(rows)
    yield from class_findings(rows)
    for probe in probed:
        if probe.is_cue:
            yield probe.finding(rows.names)
    if heard is not None:
        yield from copy_findings(rows, heard)
        yield from audio_findings(rows, heard)
    elif num_audio:
        yield Finding(
            code="audio-not-compared",
            sentence=f"the audio of {num_audio:,} rows was not decoded, so copies of it were not looked for.",
            splits=rows.names,
            count=num_audio,
            total=len(rows),
        )
