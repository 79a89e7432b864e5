"""`vietmer cache …`: what the feature cache holds, whether it is sound, and making it smaller."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.errors import EXIT_FOUND

if TYPE_CHECKING:
    from vietmer_core.cache.inventory import Progress, SpaceCheck
    from vietmer_core.cache.pruning import Item

commands: Final = typer.Typer(
    help="Show, verify and prune the features that frozen encoders gave.", no_args_is_help=True
)

VERIFY_EXIT_CODES: Final = (
    "Exit codes: 0 all as written; 1 damage was found; 2 the command line cannot be used; 5 the folder cannot be used; "
    "130 interrupted."
)
_UNITS: Final = {
    "": 1,
    "k": 1000,
    "ki": 2**10,
    "m": 10**6,
    "mi": 2**20,
    "g": 10**9,
    "gi": 2**30,
    "t": 10**12,
    "ti": 2**40,
}
_SIZE: Final = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[kmgt]i?|)b?", re.IGNORECASE)

Folder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="The cache folder; else $VIETMER_CACHE, else that of the user."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]


@commands.command("info")
def show_info(folder: Folder = None, as_json: AsJson = False) -> None:
    """Show what each space of the cache holds: encoder, utterances, size, last use."""
    from vietmer_core.cache.folder import free_bytes
    from vietmer_core.cache.inventory import summarise
    from vietmer_core.cache.wording import count, format_bytes

    root = _find(folder)
    summaries = [summarise(path) for path in _spaces(root)]
    size, free = sum(summary.num_bytes for summary in summaries), free_bytes(root)
    if as_json:
        spaces = [summary.as_json() for summary in summaries]
        _print_json({"folder": str(root), "free_bytes": free, "num_bytes": size, "spaces": spaces})
        return
    if not summaries:
        _say_empty(root)
        return
    from rich.console import Console

    from vietmer_core.cache.printing import print_summaries

    print_summaries(summaries, Console(highlight=False))
    total = count(sum(summary.num_entries for summary in summaries), "utterance")
    typer.echo(f"{root}:")
    typer.echo(f"{count(len(summaries), 'space')}, {total}, {format_bytes(size)}; {format_bytes(free)} are free there")


@commands.command("verify", epilog=VERIFY_EXIT_CODES)
def verify_cache(folder: Folder = None, as_json: AsJson = False) -> None:
    """Read every entry and compare it with its checksum; nothing is changed."""
    from vietmer_core.cache.inventory import verify

    root = _find(folder)
    with _progress() as progress:
        checks = [verify(path, progress=progress) for path in _spaces(root)]
    if as_json:
        _print_json({"folder": str(root), "spaces": [check.as_json() for check in checks]})
    elif checks:
        _show_checks(checks)
    else:
        _say_empty(root)
    if any(check.damage for check in checks):
        raise typer.Exit(EXIT_FOUND)


@commands.command("prune")
def prune_cache(
    folder: Folder = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Spaces that were not used for so many days.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The least recently used spaces until `10GiB`, say, are left.")
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Damaged shards and entries, and what dead writers left.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every space.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this it is only shown.")] = False,
) -> None:
    """Show what would be removed, and with `--yes` remove it; what a process has in use is kept."""
    if older_than is None and to is None and not damaged and not everything:
        raise typer.BadParameter("say what to remove: `--older-than`, `--to`, `--damaged` or `--all`.")
    if everything and not (older_than is None and to is None):
        raise typer.BadParameter("`--all` removes every space; leave `--older-than` and `--to` out.")
    from vietmer_core.cache.pruning import Wanted, plan

    most = None if to is None else parse_size(to)
    wanted = Wanted(older_than_days=older_than, to_bytes=most, damaged=damaged, everything=everything)
    root = _find(folder)
    if not _is_there(root):
        _say_empty(root)
        return
    planned = plan(root, wanted)
    for sentence in planned.kept:
        typer.echo(sentence)
    if planned.items:
        _prune(planned.items, yes=yes)
    else:
        typer.echo("nothing to remove")


def parse_size(text: str) -> int:
    """Bytes from `10GiB`, `500 MB` or `0`.

    Raises:
        typer.BadParameter: if it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"must be a size such as `10GiB` or `500MB`, but is `{text}`.", param_hint="--to")
    return round(float(match["number"]) * _UNITS[match["unit"].lower()])


def _find(given: Path | None) -> Path:
    """The cache folder; one that is named must exist."""
    from vietmer_core.cache.folder import cache_folder
    from vietmer_core.errors import CacheError

    root = cache_folder(given)
    if given is not None and not root.exists():
        raise CacheError(f"{root}: there is no such folder. Leave `--folder` out for the cache of the user.")
    return root


def _is_there(root: Path) -> bool:
    from vietmer_core.cache.folder import is_cache

    return is_cache(root)


def _spaces(root: Path) -> Sequence[Path]:
    from vietmer_core.cache.inventory import find_spaces

    return find_spaces(root) if _is_there(root) else ()


def _say_empty(root: Path) -> None:
    typer.echo(f"{root}: no features are cached here.")


def _show_checks(checks: "Sequence[SpaceCheck]") -> None:
    from rich.console import Console

    from vietmer_core.cache.printing import print_check
    from vietmer_core.cache.wording import count, format_bytes

    console = Console(highlight=False)
    for check in checks:
        print_check(check, console)
    read = format_bytes(sum(check.num_bytes for check in checks))
    total = count(sum(check.summary.num_entries for check in checks), "utterance")
    found = sum(len(check.damage) for check in checks)
    typer.echo(f"{total} read ({read}): {'all as written' if not found else count(found, 'fault')}")
    if found:
        typer.echo("What is damaged counts as absent: the next run that needs it computes it again.")
        typer.echo("`vietmer cache prune --damaged --yes` removes it.")


def _prune(items: "Sequence[Item]", *, yes: bool) -> None:
    from rich.console import Console

    from vietmer_core.cache.printing import print_items
    from vietmer_core.cache.pruning import carry_out
    from vietmer_core.cache.wording import format_bytes

    print_items(items, Console(highlight=False))
    if not yes:
        size = format_bytes(sum(item.num_bytes for item in items))
        typer.echo(f"{size} would be freed, and nothing was removed: add `--yes` to do so.")
        return
    freed = 0
    for item in items:
        kept = carry_out(item)
        if kept:
            typer.echo(kept)
        else:
            freed += item.num_bytes
    typer.echo(f"removed: {format_bytes(freed)} are free again")


def _print_json(document: object) -> None:
    import json

    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


@contextmanager
def _progress() -> "Iterator[Progress | None]":
    """What was read so far, on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TransferSpeedColumn

    columns = (SpinnerColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("read", total=None)
        yield lambda num_bytes: bar.advance(task, num_bytes)
