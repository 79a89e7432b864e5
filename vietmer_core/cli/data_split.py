"""`vietmer data split`: train, valid and test out of one corpus, such that nothing leaks from one to another."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vietmer_core.cli.choices import choice
from vietmer_core.cli.data import (
    DEFAULT_LABEL_FIELD,
    AsJson,
    Root,
    parse_list,
    print_json,
    refuse_field,
    refuse_repetition,
)
from vietmer_core.splitting.settings import PROTOCOLS, UNKNOWN_SPEAKERS, Protocol, UnknownSpeakers

if TYPE_CHECKING:
    from vietmer_core.splitting.plan import SplitPlan
    from vietmer_core.splitting.settings import KeyPattern, SplitSettings

EXIT_CODES: Final = (
    "Exit codes: 0 done; 2 the command line cannot be used; 3 a manifest cannot be used or split as asked, or the "
    "folder holds something or cannot be written; 130 interrupted."
)

DEFAULT_SHARES: Final = "0.7,0.15,0.15"
DEFAULT_FOLDS: Final = 5
DEFAULT_VALID_SHARE: Final = 0.15

Files = Annotated[list[Path], typer.Argument(metavar="MANIFEST", help="JSONL manifests, taken together as one corpus.")]
To = Annotated[Path, typer.Option(metavar="FOLDER", help="New folder for the splits; it is never overwritten.")]
ProtocolName = Annotated[
    Protocol,
    choice(PROTOCOLS, text="One split, k folds, or leave one speaker, one corpus or one value of `--by` out."),
]
Shares = Annotated[
    str | None,
    typer.Option(
        metavar="T,V,T", help=f"Of `holdout`: shares of train, valid, test; two: no test. By default {DEFAULT_SHARES}."
    ),
]
Folds = Annotated[int | None, typer.Option(help=f"Of `kfold`: how many; by default {DEFAULT_FOLDS}.")]
ValidShare = Annotated[
    float | None,
    typer.Option(help=f"Of folds: share of validation in what is not test; by default {DEFAULT_VALID_SHARE}."),
]
By = Annotated[str | None, typer.Option(metavar="FIELD", help="Of `leave-one-out`: a field, such as `session`.")]
Disjoint = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="What no two splits share: `speaker`, `recording`, `transcript` (same words), `content` (same bytes of "
        "audio) or metadata fields, separated by commas; or `none`.",
    ),
]
Patterns = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=REGEX", help="Nor what the first group of REGEX finds in a field; may be repeated."),
]
Unknown = Annotated[
    UnknownSpeakers,
    choice(
        UNKNOWN_SPEAKERS, text="Rows without a known speaker: refused, each a speaker of its own, or only trained on."
    ),
]
UnknownIds = Annotated[
    str | None, typer.Option(metavar="IDS", help="Values of `speaker_id` that mean unknown, separated by commas.")
]
Balance = Annotated[
    str | None, typer.Option(metavar="FIELDS", help="Metadata fields to spread like the labels, such as `gender`.")
]


def split(
    files: Files,
    to: To,
    protocol: ProtocolName = "holdout",
    shares: Shares = None,
    folds: Folds = None,
    by: By = None,
    valid_share: ValidShare = None,
    max_folds: Annotated[int, typer.Option(help="Refuse more folds than that, since each holds every row.")] = 100,
    disjoint: Disjoint = "speaker,recording",
    disjoint_pattern: Patterns = None,
    unknown_speakers: Unknown = "refuse",
    unknown_ids: UnknownIds = None,
    balance: Balance = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    label_field: Annotated[str, typer.Option(help="Field that holds the label.")] = DEFAULT_LABEL_FIELD,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Split a corpus: no speaker and no recording in two splits, the labels spread as evenly as that allows."""
    from vietmer_core.splitting.settings import SplitSettings

    refuse_repetition(files)
    refuse_field(label_field)
    _refuse_unused(protocol, shares=shares, folds=folds, valid_share=valid_share)
    settings = SplitSettings(
        protocol=protocol,
        shares=_read_shares(shares or DEFAULT_SHARES),
        num_folds=DEFAULT_FOLDS if folds is None else folds,
        by=by,
        valid_share=DEFAULT_VALID_SHARE if valid_share is None else valid_share,
        max_folds=max_folds,
        disjoint=() if disjoint.strip() == "none" else _names(disjoint, option="--disjoint"),
        patterns=tuple(_read_pattern(text) for text in disjoint_pattern or ()),
        unknown_speakers=unknown_speakers,
        unknown_ids=frozenset(_names(unknown_ids, option="--unknown-ids")),
        balance=_names(balance, option="--balance"),
        seed=seed,
    )
    _split(files, to, settings, label_field=label_field, root=root, as_json=as_json)


def _refuse_unused(protocol: str, *, shares: str | None, folds: int | None, valid_share: float | None) -> None:
    unused = {
        "--shares": shares is not None and protocol != "holdout",
        "--folds": folds is not None and protocol != "kfold",
        "--valid-share": valid_share is not None and protocol == "holdout",
    }
    for option, given in unused.items():
        if given:
            raise typer.BadParameter(f"means nothing to the protocol `{protocol}`. Leave it out.", param_hint=option)


def _names(text: str | None, *, option: str) -> tuple[str, ...]:
    return tuple(parse_list(text, option=option) or ())


def _split(
    files: Sequence[Path],
    folder: Path,
    settings: "SplitSettings",
    *,
    label_field: str,
    root: Path | None,
    as_json: bool,
) -> None:
    from vietmer_core.data.manifest import Manifest, ManifestSource
    from vietmer_core.splitting.plan import plan_splits
    from vietmer_core.splitting.writing import refuse_folder, write_splits

    refuse_folder(folder)
    sources = [ManifestSource(path=path, root=root) for path in files]
    plan = plan_splits(Manifest.open(sources, label_field=label_field, require_labels=False), settings)
    document = write_splits(plan, folder)
    if as_json:
        print_json(document)
    else:
        _show(plan, folder)


def _show(plan: "SplitPlan", folder: Path) -> None:
    from rich.console import Console

    from vietmer_core.splitting.printing import print_plan

    print_plan(plan, Console(highlight=False))
    for caution in plan.cautions:
        typer.echo(f"caution: {caution}")
    first, last = plan.folds[0].name, plan.folds[-1].name
    written = f"{first} to {last}" if first else ", ".join(f"{name}.jsonl" for name in plan.settings.splits)
    typer.echo(f"{folder}: {written} and split.json")


def _read_shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"must be numbers separated by commas, such as `0.7,0.15,0.15`, but is `{text}`.", param_hint="--shares"
        ) from None


def _read_pattern(text: str) -> "KeyPattern":
    from vietmer_core.splitting.settings import KeyPattern

    field, equals, pattern = text.partition("=")
    if not (field and equals and pattern):
        raise typer.BadParameter(
            f"must be FIELD=REGEX, such as `utterance_id=^(.*?)-`, but is `{text}`.", param_hint="--disjoint-pattern"
        )
    try:
        return KeyPattern(field=field, pattern=re.compile(pattern))
    except re.error as error:
        raise typer.BadParameter(
            f"`{pattern}` is no regular expression: {error}.", param_hint="--disjoint-pattern"
        ) from None
