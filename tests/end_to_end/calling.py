"""Calling `vietmer` within the process of the test."""

from typer.testing import CliRunner, Result

from vietmer_core.cli.main import commands


def vietmer(*arguments: object) -> Result:
    """What the command printed, and its exit code; an error that it would tell is raised."""
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result
