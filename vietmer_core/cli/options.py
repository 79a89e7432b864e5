"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from vietmer_core.cli.choices import choice

DEFAULT_RUNS: Final = Path("runs")

SpecFiles = Annotated[
    list[Path], typer.Argument(metavar="SPEC...", help="Spec files, YAML or TOML; a later one wins over an earlier.")
]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="FIELD=VALUE", help="Override a field of the spec; may be repeated.")
]
RunsRoot = Annotated[Path, typer.Option("--runs", metavar="FOLDER", help="Where run folders live.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Device = Annotated[
    Literal["auto", "cpu", "cuda"] | None,
    choice(("auto", "cpu", "cuda"), text="Where to compute; the run's own setting by default."),
]
CacheOption = Annotated[
    str | None,
    typer.Option(
        "--cache", metavar="FOLDER", help="Another folder for the feature cache, or `none`; the run's own by default."
    ),
]
Uncalibrated = Annotated[
    bool, typer.Option("--uncalibrated", help="The model's own probabilities, whatever `vietmer calibrate` found.")
]
ChannelOption = Annotated[
    str | None,
    typer.Option("--channel", help="`mono`, `mix` or a channel number from 0; the run's own setting by default."),
]


def read_channel(text: str | None) -> str | int | None:
    """A channel setting from the command line.

    Raises:
        typer.BadParameter: if it is none of them.
    """
    if text is None or text in ("mono", "mix"):
        return text
    if text.isdigit():
        return int(text)
    raise typer.BadParameter(
        f"must be `mono`, `mix` or a number from 0, but is `{text}` instead.", param_hint="--channel"
    )
