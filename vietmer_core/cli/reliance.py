"""`vietmer reliance`: what a run leans on."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from vietmer_core.cli.choices import check_name
from vietmer_core.cli.options import AsJson, CacheOption, Device, RunPath, Uncalibrated

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from vietmer_core.reliance.measuring import Plan
    from vietmer_core.training.run_folder import RunFolder

METRIC: Final = "macro_f1"
EXIT_CODES: Final = (
    "Exit codes: 0 done; 2 the command line cannot be used; 3 the split or a recording of noise cannot be read; 5 the "
    "run cannot be used or its folder written; 130 interrupted: what had been measured is kept."
)


def reliance(
    run: RunPath,
    split: Annotated[
        str | None, typer.Option(help="`test`, `valid` or `train`; test where the spec names one, else valid.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Groups, separated by commas: `removed`, `shuffled`, `noise`, `telephone`, `gain`, `words`, `marks`, "
            "`shares`; all by default. Earlier results of the others are kept."
        ),
    ] = None,
    snr: Annotated[str | None, typer.Option(help="Ratios of signal to noise, dB: `20,10,5,0,-5`.")] = None,
    noise: Annotated[
        str, typer.Option(metavar="COLOUR|FOLDER", help="`white`, `pink`, `brown`, or a folder of recordings.")
    ] = "pink",
    wer: Annotated[str | None, typer.Option(help="Word error rates, %: `10,20,40`.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Draws of what is shuffled and of wrong words.")] = 5,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every draw; the run's own by default.")] = None,
    device: Device = None,
    cache: CacheOption = None,
    uncalibrated: Uncalibrated = False,
    as_json: AsJson = False,
) -> None:
    """Evaluate a run without text, without audio, with those of others, in noise, by telephone, with wrong words."""
    from rich.console import Console

    from vietmer_core.cli.progress import CacheDisplay, utterance_bar
    from vietmer_core.inference.trained_run import TrainedRun
    from vietmer_core.reliance.measuring import measure_reliance
    from vietmer_core.training.run_folder import RunFolder
    from vietmer_core.training.run_spec import chosen_split

    plan = _plan(only, snr=snr, noise=noise, wer=wer, draws=draws, seed=seed)
    chosen = chosen_split(RunFolder.open(run), split)
    trained = TrainedRun.load(run, device=device, uncalibrated=uncalibrated)
    console = Console(stderr=True)
    with utterance_bar(console, f"{chosen} split, changed") as bar, closing(CacheDisplay(console)) as display:
        document = measure_reliance(trained, chosen, plan, cache=cache, on_batch=bar.advance, report=display.fill_cache)
    drawn = _draw(document, trained.folder)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    console = Console()
    show_reliance(console, document)
    folder = trained.folder.evaluation_path(chosen)
    written = ["reliance.json", *(["shares.jsonl"] if "shares" in plan.groups else []), *drawn]
    console.print(f"files in {folder}: {', '.join(written)}", soft_wrap=True, markup=False, highlight=False)


def _plan(only: str | None, *, snr: str | None, noise: str, wer: str | None, draws: int, seed: int | None) -> "Plan":
    """The options as a plan, refused before a model is loaded."""
    from vietmer_core.reliance.conditions import SNR_DB, WORD_ERROR_RATES, Levels, check_noise
    from vietmer_core.reliance.measuring import ALL_GROUPS, Plan

    groups = ALL_GROUPS if only is None else tuple(name.strip() for name in only.split(","))
    for name in groups:
        check_name(name, ALL_GROUPS, option="--only")
    check_noise(noise)
    snr_db = SNR_DB if snr is None else _numbers(snr, option="--snr", lowest=-100, highest=100)
    rates = WORD_ERROR_RATES if wer is None else _numbers(wer, option="--wer", lowest=0, highest=100)
    levels = Levels(
        snr_db=snr_db, word_error_rates=rates if wer is None else tuple(rate / 100 for rate in rates), noise=noise
    )
    return Plan(groups=groups, levels=levels, draws=draws, seed=seed)


def _numbers(text: str, *, option: str, lowest: float, highest: float) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(lowest <= number <= highest for number in numbers):
        raise typer.BadParameter(
            f"must be numbers from {lowest:g} to {highest:g}, separated by commas, but is `{text}`.", param_hint=option
        )
    if len(set(numbers)) < len(numbers):
        raise typer.BadParameter(f"must name each number once, but is `{text}`.", param_hint=option)
    return numbers


def _draw(document: dict[str, Any], folder: "RunFolder") -> list[str]:
    """Write the pictures that there are; their names."""
    from vietmer_core.evaluation.pictures import save_figure
    from vietmer_core.reliance.pictures import FIGURES

    drawn = []
    for name, draw in FIGURES.items():
        figure = draw(document)
        if figure is not None:
            save_figure(figure, folder.evaluation_path(document["split"]) / name)
            drawn.append(name)
    return drawn


def show_reliance(console: "Console", document: dict[str, Any]) -> None:
    """Print a table of the conditions and the mean shares."""
    speakers = "1 speaker" if document["num_speakers"] == 1 else f"{document['num_speakers']} speakers"
    head = f"{document['split']} split, {document['num_utterances']} utterances, {speakers}, unchanged: "
    console.print(f"{head}{METRIC} {document['unchanged'][METRIC]:.3f}", soft_wrap=True, markup=False)
    if document["conditions"]:
        console.print(_conditions_table(document))
        unknown, intervals = document["num_unknown_speakers"], [e["intervals"][METRIC] for e in document["conditions"]]
        if unknown:
            note = f"{unknown} utterances have no speaker; each counts as one: the intervals are too narrow."
            console.print(note, soft_wrap=True)
        elif any(interval["too_few"] for interval in intervals):
            console.print("too few speakers: take the intervals as narrower than the truth.", soft_wrap=True)
    for left in document["left_out"]:
        console.print(f"left out, {left['group']}: {left['reason']}", soft_wrap=True, markup=False, highlight=False)
    if document["shares"] is not None:
        console.print(_shares_table(document["shares"]))


def _conditions_table(document: dict[str, Any]) -> "Table":
    from rich.table import Column, Table

    names = ("n", METRIC, "change", "95% interval", "kept")
    right = [Column(name, justify="right", no_wrap=True) for name in names]
    table = Table("changed", *right, title=f"{METRIC} under changes", title_justify="left")
    group = None
    for entry in document["conditions"]:
        if group not in (None, entry["group"]):
            table.add_section()
        group = entry["group"]
        interval = entry["intervals"][METRIC]
        ends = "–" if interval["low"] is None else f"\\[{interval['low']:+.3f}, {interval['high']:+.3f}]"
        rate = f" (WER {entry['measured']['wer']:.1%})" if "wer" in entry["measured"] else ""
        figures = (f"{entry['scores'][METRIC]:.3f}", f"{entry['difference'][METRIC]:+.3f}", ends)
        table.add_row(entry["title"] + rate, str(entry["num_utterances"]), *figures, f"{entry['kept']:.0%}")
    return table


def _shares_table(shares: dict[str, Any]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    right = [Column(name, justify="right") for name in ("n", "text", "audio", "without text", "without audio")]
    title = "share of each modality, and the change of the probability without one"
    table = Table("utterances", *right, title=title, title_justify="left")

    def add(name: str, mean: dict[str, Any]) -> None:
        parts = [mean["share"][modality] for modality in ("text", "audio")]
        shown = ["–" if part is None else f"{part:.0%}" for part in parts]
        drops = [f"{0 - mean['drop'][modality]:+.3f}" for modality in ("text", "audio")]
        table.add_row(Text(name), str(mean["num_utterances"]), *shown, *drops)

    add("all", shares["mean"])
    for field, values in shares["by"].items():
        table.add_section()
        for value, mean in values.items():
            add(f"{field}: {value}", mean)
    return table
