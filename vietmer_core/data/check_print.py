"""The findings of `vietmer data check` in a terminal. Torch-free."""

from collections import Counter
from typing import Final

from rich.console import Console
from rich.text import Text

from vietmer_core.data.check_report import CheckReport
from vietmer_core.data.faults import GATHERED_CODES, Fault, gathered

MAX_SIMILAR_WARNINGS: Final = 5
"""Warnings of one code in one manifest that are printed one by one; the JSON report holds all of them."""

_STYLES: Final = {"error": "bold red", "warning": "yellow"}


def print_report(report: CheckReport, console: Console) -> None:
    """Print every error, the first warnings of each kind and the counts."""
    printed: Counter[tuple[int, str]] = Counter()
    rows = Counter((one.source, one.fault) for one in report.findings if one.fault.code in GATHERED_CODES)
    told: set[tuple[int, Fault]] = set()
    for finding in report.findings:
        key = (finding.source, finding.fault.code)
        if finding.severity == "warning":
            printed[key] += 1
            if printed[key] > MAX_SIMILAR_WARNINGS:
                continue
        fault = finding.fault
        if fault.code in GATHERED_CODES:
            if (finding.source, fault) in told:
                continue
            told.add((finding.source, fault))
            fault = gathered(fault, rows[finding.source, fault])
        line = Text.assemble(
            report.place(finding),
            ": ",
            (finding.severity, _STYLES[finding.severity]),
            f" [{fault.code}] {fault.message}",
            f" {fault.remedy}" if fault.remedy else "",
        )
        console.print(line, soft_wrap=True)
    for (source, code), count in printed.items():
        if count > MAX_SIMILAR_WARNINGS:
            rest = f"{report.files[source]}: … and {count - MAX_SIMILAR_WARNINGS:,} more of [{code}]; --json lists all."
            console.print(Text(rest), soft_wrap=True)
    console.print(Text(_verdict(report)), soft_wrap=True)


def _verdict(report: CheckReport) -> str:
    errors, warnings = len(report.of_severity("error")), len(report.of_severity("warning"))
    found = ", ".join(_counted(count, noun) for count, noun in ((errors, "error"), (warnings, "warning")))
    hours = f"{_counted(report.num_recordings, 'recording')} checked ({report.seconds / 3600:.2f} h of audio)"
    return f"{_counted(report.num_rows, 'row')} and {hours}: {found}."


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
