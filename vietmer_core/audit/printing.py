"""What an audit found, in a terminal. Torch-free."""

from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from vietmer_core.audit.finding import Finding, Severity
from vietmer_core.audit.phrases import counted, share
from vietmer_core.audit.report import AuditReport

SHOWN_EXAMPLES: Final = 2
"""Examples printed of each finding; the JSON report holds more, and every pair of copies."""

_STYLES: Final[dict[Severity, str]] = {"leak": "bold red", "cue": "yellow", "note": "cyan"}


def print_audit(report: AuditReport, console: Console) -> None:
    """Print every finding with its rule and first examples, then the verdict."""
    rows = ", ".join(f"{name} {counted(count, 'row')}" for name, count in report.num_rows.items())
    audio = f"; {share(report.num_decoded, report.num_audio)} segments decoded" if report.num_audio else "; no audio"
    _print(console, Text(f"{rows}{audio}."))
    for finding in report.findings:
        _print_finding(finding, console)
    counts = [(len(report.leaks), "leak"), (len(report.cues), "cue"), (len(report.notes), "note")]
    listed = ", ".join(counted(count, noun) for count, noun in counts)
    style = "bold red" if report.leaks else "bold green"
    _print(console, Text.assemble("verdict: ", (report.verdict, style), f" ({listed})"))


def _print_finding(finding: Finding, console: Console) -> None:
    head = (finding.severity, _STYLES[finding.severity])
    _print(console, Text.assemble(head, f" [{finding.code}] {finding}"))
    if finding.rule:
        _print(console, Text(f"rule: {finding.rule}", style="dim"), indent=True)
    for examples in finding.examples[:SHOWN_EXAMPLES]:
        _print(console, Text("e.g. " + " and ".join(map(str, examples)), style="dim"), indent=True)


def _print(console: Console, line: Text, *, indent: bool = False) -> None:
    if console.is_terminal:
        console.print(Padding(line, (0, 0, 0, 4 if indent else 0), expand=False))
    else:
        console.print(Text.assemble("    ", line) if indent else line, soft_wrap=True)
