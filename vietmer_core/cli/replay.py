"""`vietmer replay`: a step that was not finite, once more, to find out why."""

import math

import typer

from vietmer_core.cli.options import RunPath
from vietmer_core.errors import EXIT_FOUND


def replay(run: RunPath) -> None:
    """Run the step that failed in a run again, and name the first part that gives numbers that are not finite.

    Leaves with 1 where the step fails again, with 0 where it does not.
    """
    from vietmer_core.training.replay import replay as replay_step

    found = replay_step(run)
    typer.echo(f"step {found.step} (epoch {found.epoch + 1}), saved in {found.path}: its {found.what} was not finite")
    if found.bad_weights:
        typer.echo(f"weights that are not finite already: {_shown(found.bad_weights)}")
    if found.first_module:
        typer.echo(f"first part that gives numbers that are not finite: {found.first_module}")
    if found.bad_gradients:
        typer.echo(f"gradients that are not finite: {_shown(found.bad_gradients)}")
    for utterance, loss in found.losses:
        typer.echo(f"  {utterance}: loss {loss:.4g}{'' if math.isfinite(loss) else '  <- not finite'}")
    if found.is_finite:
        typer.echo("run again on the CPU in fp32, the step is finite")
        return
    raise typer.Exit(EXIT_FOUND)


def _shown(names: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
