"""`vietmer runs …`: the run folders there are."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vietmer_core.cli.options import DEFAULT_RUNS, AsJson, RunPath, RunsRoot

commands: Final = typer.Typer(help="List, show and remove runs.", no_args_is_help=True)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _best(status: dict[str, Any]) -> str:
    monitor = status.get("monitor", "")
    best = status.get("best", {})
    return f"{monitor} {best[monitor]:.3f}" if monitor in best else "–"


@commands.command("list")
def list_runs(root: RunsRoot = DEFAULT_RUNS, as_json: AsJson = False) -> None:
    """Every run: how it ended, its best validation score, its size."""
    from vietmer_core.training.run_folder import find_runs

    found = list(find_runs(root))
    if as_json:
        typer.echo(json.dumps([{"run": str(folder.path), **status} for folder, status in found], ensure_ascii=False))
        return
    if not found:
        typer.echo(f"no runs in {root}")
        return
    from rich.console import Console
    from rich.table import Column, Table

    columns = [Column(name, no_wrap=True) for name in ("outcome", "epochs", "best, valid", "size")]
    table = Table(Column("run", overflow="fold"), *columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for folder, status in found:
        epochs = f"{status.get('epoch', 0)}/{status.get('epochs', '?')}"
        size = f"{_size(folder.path) / 2**20:.1f} MiB"
        table.add_row(str(folder.path), status.get("outcome", "unknown"), epochs, _best(status), size)
    Console().print(table)


@commands.command("show")
def show_run(run: RunPath, as_json: AsJson = False) -> None:
    """One run: its components, data, scores and files."""
    from vietmer_core.training.run_folder import RunFolder

    folder = RunFolder.open(run)
    status, made_with = folder.read_status(), folder.read_json("provenance.json")
    scores = {
        path.parent.name: folder.read_json(str(path.relative_to(folder.path)))
        for path in sorted(folder.path.glob("evaluation/*/scores.json"))
    }
    if as_json:
        everything = {"run": str(run), "status": status, "provenance": made_with, "scores": scores}
        typer.echo(json.dumps(everything, ensure_ascii=False))
        return
    typer.echo(f"{run}: {status.get('outcome', 'unknown')}, step {status.get('step', 0)}, best {_best(status)}")
    for part in made_with.get("components", []):
        used = "" if part["used"] else " (not read by the fusion)"
        typer.echo(f"  {part['role']:<8} {part['kind']:<16} {part['distribution']} {part['version']}{used}")
    typer.echo(
        f"  seed {made_with.get('seed')}, threads: {made_with.get('threads')}, started {made_with.get('started')}"
    )
    for name, fingerprint in made_with.get("data", {}).items():
        typer.echo(f"  data {name:<6} {fingerprint[:16]}")
    for split, values in scores.items():
        typer.echo(f"  {split}: macro_f1 {values['macro_f1']:.3f}, accuracy {values['accuracy']:.3f}")


@commands.command("prune")
def prune_runs(
    root: RunsRoot = DEFAULT_RUNS,
    keep: Annotated[int, typer.Option(min=0, help="Keep this many of the newest runs.")] = 10,
    failed: Annotated[bool, typer.Option("--failed", help="Remove every run that failed, and no other.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Remove old or failed runs; one under way, or whose status is damaged, is never touched."""
    from vietmer_core.training.run_folder import find_runs, remove_run

    ended = ("finished", "stopped_early", "interrupted", "failed", "killed")
    found = [(folder, status) for folder, status in find_runs(root) if status.get("outcome") in ended]
    doomed = [folder for folder, status in found if status.get("outcome") == "failed"] if failed else None
    if doomed is None:
        doomed = [folder for folder, _ in found[: max(0, len(found) - keep)]]
    if not doomed:
        typer.echo("nothing to remove")
        return
    for folder in doomed:
        typer.echo(f"  {folder.path}")
    if not yes and not typer.confirm(f"remove these {len(doomed)} runs?"):
        raise typer.Exit
    for folder in doomed:
        remove_run(folder)
    typer.echo(f"removed {len(doomed)} runs")
