"""`vietmer doctor`: does this environment carry VietMER, and if not, what mends it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.errors import EXIT_FOUND

if TYPE_CHECKING:
    from vietmer_core.doctor_findings import Finding

MARKS: Final = {"good": "[green]✓[/green]", "note": "[yellow]![/yellow]", "problem": "[red]✗[/red]"}


def show_doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look at Python, torch, audio libraries, plugins and hardware; leaves with 1 where something is broken."""
    from vietmer_core.doctor import Status, examine

    findings = examine()
    problems = [finding for finding in findings if finding.status is Status.PROBLEM]
    if as_json:
        _print_json(findings, good=not problems)
    else:
        _print_report(findings, num_problems=len(problems))
    if problems:
        raise typer.Exit(EXIT_FOUND)


def _print_json(findings: Sequence["Finding"], *, good: bool) -> None:
    import json

    import attrs

    document = {"good": good, "findings": [attrs.asdict(finding) for finding in findings]}
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def _print_report(findings: Sequence["Finding"], *, num_problems: int) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    for finding in findings:
        line = f"{MARKS[finding.status]} [bold]{escape(finding.subject)}[/bold]: {escape(finding.message)}"
        console.print(line, soft_wrap=True)
        if finding.remedy:
            console.print(f"    {escape(finding.remedy)}", soft_wrap=True)
    verdict = "Nothing is broken." if not num_problems else f"Broken: {num_problems}."
    console.print(f"\n{verdict}")
