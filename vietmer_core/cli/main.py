"""The command `vietmer`: registers the sub-commands and turns a user's mistake into one sentence and an exit code."""

import codecs
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, Final, TextIO

import typer

from vietmer_core.cli import (
    ablate,
    ablation,
    cache,
    calibrate,
    compare,
    crosscorpus,
    data,
    data_audit,
    data_export,
    data_import,
    data_split,
    demo,
    doctor,
    errors,
    evaluate,
    leaderboard,
    plugins,
    predict,
    reliance,
    replay,
    report,
    reproduce,
    runs,
    search,
    train,
)
from vietmer_core.errors import ElsewhereError, VietmerError
from vietmer_core.pretrained.hub import quieten_libraries
from vietmer_core.pretrained.licences import LicenceWarning

commands: Final = typer.Typer(
    name="vietmer",
    help="Emotion recognition from Vietnamese speech and its transcript.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
commands.command("demo")(demo.demo)
commands.command("train")(train.train)
commands.command("evaluate")(evaluate.evaluate)
commands.command("calibrate", epilog=calibrate.EXIT_CODES)(calibrate.calibrate)
commands.command("compare", epilog=compare.COMPARE_EXIT_CODES)(compare.compare)
commands.command("crosscorpus", epilog=crosscorpus.CROSSCORPUS_EXIT_CODES)(crosscorpus.crosscorpus)
commands.command("ablate", epilog=ablate.EXIT_CODES)(ablate.ablate)
commands.add_typer(ablation.commands, name="ablation")
commands.add_typer(leaderboard.commands, name="leaderboard")
commands.command("search", epilog=search.EXIT_CODES)(search.search)
commands.command("predict")(predict.predict)
commands.command("reliance", epilog=reliance.EXIT_CODES)(reliance.reliance)
commands.command("errors", epilog=errors.EXIT_CODES)(errors.errors)
commands.command("report", epilog=report.REPORT_EXIT_CODES)(report.report)
commands.command("reproduce")(reproduce.reproduce)
commands.command("replay")(replay.replay)
commands.add_typer(runs.commands, name="runs")
data.commands.command("audit", epilog=data_audit.EXIT_CODES)(data_audit.audit)
data.commands.command("split", epilog=data_split.EXIT_CODES)(data_split.split)
data.commands.command("import", epilog=data_import.EXIT_CODES)(data_import.import_corpus)
data.commands.command("export", epilog=data_export.EXIT_CODES)(data_export.export)
commands.add_typer(data.commands, name="data")
commands.add_typer(cache.commands, name="cache")
commands.command("plugins")(plugins.show_plugins)
commands.command("doctor")(doctor.show_doctor)


def app() -> None:
    """Run the command line; the sentence of a `VietmerError` goes to standard error, never a traceback."""
    _write_utf8()
    quieten_libraries()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # of several processes each would warn in C++
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _one_line_for_licences(warnings.showwarning)
            commands()
    except ElsewhereError as error:
        sys.exit(error.exit_code)
    except VietmerError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


def _one_line_for_licences(show: Any) -> Callable[..., None]:
    """What shows warnings, except that one about a licence is a line without its place in the program."""

    def show_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, LicenceWarning):
            sys.stderr.write(f"warning: {message}\n")
        else:
            show(message, category, filename, lineno, file, line)

    return show_warning


def _write_utf8() -> None:
    """Make standard output and error UTF-8 where they are not, so that no letter or bar ends a command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and codecs.lookup(stream.encoding).name != "utf-8":
            reconfigure(encoding="utf-8", errors="replace")
