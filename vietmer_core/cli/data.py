"""`vietmer data …`: what a manifest and its audio hold."""

from typing import Final

import typer

commands: Final = typer.Typer(help="Check and describe manifests.", no_args_is_help=True)
