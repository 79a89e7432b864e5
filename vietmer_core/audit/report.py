"""`AuditReport`: what an audit found, for people and for programs. Torch-free."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from vietmer_core.audit.finding import Finding, Severity
from vietmer_core.audit.probing import Probe

REPORT_VERSION: Final = 1
"""Version of the JSON report; it rises when a field changes its meaning or goes."""

Verdict = Literal["clean", "leak"]


@attrs.frozen(kw_only=True)
class AuditReport:
    """The outcome of an audit.

    Attributes:
        splits: The manifests of each split.
        num_rows: Rows of each split.
        label_field: The field that holds the label.
        num_decoded: Segments whose audio was decoded.
        num_audio: Segments that have audio.
        findings: Leaks, then cues, then notes.
        probes: Every probe, cue or not.
    """

    splits: Mapping[str, tuple[str, ...]]
    num_rows: Mapping[str, int]
    label_field: str
    num_decoded: int
    num_audio: int
    findings: tuple[Finding, ...]
    probes: tuple[Probe, ...]

    @property
    def verdict(self) -> Verdict:
        """`leak` where there is one, else `clean`; cues and notes do not count."""
        return "leak" if self.leaks else "clean"

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """What lets a test score rise without a better model."""
        return self._of("leak")

    @property
    def cues(self) -> tuple[Finding, ...]:
        """What a model may lean on instead of the emotion."""
        return self._of("cue")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is to be known."""
        return self._of("note")

    def _of(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "version": REPORT_VERSION,
            "verdict": self.verdict,
            "splits": {
                name: {"files": list(files), "rows": self.num_rows[name]} for name, files in self.splits.items()
            },
            "label_field": self.label_field,
            "audio": {"segments": self.num_audio, "decoded": self.num_decoded},
            "counts": {
                "leaks": len(self.leaks),
                "cues": len(self.cues),
                "notes": len(self.notes),
                "by_code": dict(sorted(Counter(finding.code for finding in self.findings).items())),
            },
            "findings": [finding.as_json() for finding in self.findings],
            "probes": [probe.as_json() for probe in self.probes],
        }
