"""What `vietmer data check` found, for people and for programs. Torch-free."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from vietmer_core.data.faults import WARNING_CODES, Fault, Severity

REPORT_VERSION: Final = 1
"""Version of the JSON report; it rises when a field changes its meaning or goes."""


@attrs.frozen
class Finding:
    """One fault with its place; line 0 is the manifest as a whole."""

    source: int
    line: int
    severity: Severity
    fault: Fault


class FindingLog:
    """Every finding, in the order it was made."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    def __len__(self) -> int:
        return len(self._findings)

    def add(self, source: int, line: int, fault: Fault, *, error: bool = False) -> None:
        """Keep a fault; a code of `WARNING_CODES` is a warning unless `error`."""
        severity: Severity = "warning" if fault.code in WARNING_CODES and not error else "error"
        self._findings.append(Finding(source, line, severity, fault))

    def in_order(self) -> tuple[Finding, ...]:
        """The findings by manifest and line."""
        return tuple(sorted(self._findings, key=lambda finding: (finding.source, finding.line)))


@attrs.frozen(kw_only=True)
class CheckReport:
    """The outcome of a check.

    Attributes:
        files: The manifests as named.
        findings: By manifest and line.
        num_rows: Lines that hold an object, faulty or not.
        num_recordings: Distinct recordings, each decoded once.
        seconds: Audio that was decoded, s.
    """

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]
    num_rows: int
    num_recordings: int
    seconds: float

    def of_severity(self, severity: Severity) -> Sequence[Finding]:
        """The errors, or the warnings."""
        return [finding for finding in self.findings if finding.severity == severity]

    def place(self, finding: Finding) -> str:
        """`file:line: field`."""
        return finding.fault.at(self.files[finding.source], finding.line).where

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "version": REPORT_VERSION,
            "files": [str(path) for path in self.files],
            "counts": {
                "rows": self.num_rows,
                "recordings": self.num_recordings,
                "audio_seconds": round(self.seconds, 3),
                "errors": len(self.of_severity("error")),
                "warnings": len(self.of_severity("warning")),
                "by_code": dict(sorted(Counter(finding.fault.code for finding in self.findings).items())),
            },
            "problems": [self._problem(finding) for finding in self.findings],
        }

    def _problem(self, finding: Finding) -> dict[str, Any]:
        fault = finding.fault
        return {
            "file": str(self.files[finding.source]),
            "line": finding.line or None,
            "field": fault.field or None,
            "severity": finding.severity,
            "code": fault.code,
            "message": fault.message,
            "remedy": fault.remedy or None,
        }
