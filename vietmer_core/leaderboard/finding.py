"""Result files below a folder. Torch-free.

A result is `RUN/evaluation/SPLIT/scores.json` with the spec of its run; its predictions, where they are there, too.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Final, Literal

import attrs

from vietmer_core.ablation.job_folder import CELL_FILE
from vietmer_core.comparison.tested_runs import TestedRun, read_tested_run, resolved_spec
from vietmer_core.errors import RunError
from vietmer_core.training.run_folder import STATUS_FILE, RunFolder

Standing = Literal["audited", "no protocol", "not audited", "leak"]
METRICS: Final = ("macro_f1", "balanced_accuracy", "accuracy", "weighted_f1")
PARTS: Final = ("text", "audio", "fusion", "pooler")
LONGEST: Final = 160
"""Letters of a name."""


@attrs.frozen(kw_only=True, eq=False)
class Result:
    """One run and its scores of one split.

    Attributes:
        path: Of the run folder, below the folder that was searched.
        split: That was scored.
        name: Of the spec, or of the matrix that the run is a cell of.
        levels: Of that cell.
        model: Kinds of its parts: `syllable, whisper, xattn, mean`.
        seed: Of the spec.
        labels: The label space, sorted.
        classes: Utterances of each of these labels: label maps, which are no part of a fingerprint, decide them.
        data: The fingerprint of the split.
        source: The folder of the folder of its manifest, where the folds of one corpus lie beside one another.
        protocol: How the corpus was split, where the manifests say so.
        verdict: Of the audit.
        scores: Of `METRICS`.
        interval: Ends of that of the macro-F1, from `scores.json`; None where there is none.
        num_utterances: Scored.
        tested: Its predictions; None where they are not there.
    """

    path: str
    split: str
    name: str
    levels: Mapping[str, str]
    model: str
    seed: int
    labels: tuple[str, ...]
    classes: tuple[int, ...]
    data: str
    source: str
    protocol: str | None
    verdict: str
    scores: Mapping[str, float]
    interval: tuple[float, float] | None
    num_utterances: int
    tested: TestedRun | None

    @property
    def standing(self) -> Standing:
        """With which others it may stand in a table."""
        if self.verdict == "leak":
            return "leak"
        if self.verdict != "clean":
            return "not audited"
        return "audited" if self.protocol else "no protocol"


def find_results(folder: Path) -> Iterator[Result | str]:
    """Every result below a folder, by path; of a file that cannot be used, a sentence that names it.

    Raises:
        RunError: if there is no such folder.
    """
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such folder. Give one that holds run folders, at any depth.")
    for path in sorted(folder.glob("**/evaluation/*/scores.json")):
        try:
            yield read_result(path, root=folder)
        except RunError as error:
            yield printable(str(error), longest=1000)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield printable(f"{path}: is no result of `vietmer evaluate`: {error!r}. Evaluate the run again.")


def read_result(path: Path, *, root: Path) -> Result:
    """Read one `scores.json` and what stands beside it.

    Raises:
        RunError: if a file of the run cannot be used.
    """
    split, run = path.parent.name, path.parents[2]
    folder = RunFolder.open(run)
    scores, spec = folder.read_json(f"evaluation/{split}/scores.json"), resolved_spec(folder)
    values = {metric: _score(scores, metric, path=path) for metric in METRICS}
    status = folder.read_json(STATUS_FILE)
    if status and status.get("best_epoch") != scores.get("epoch"):
        raise RunError(f"{path}: the run has new weights since. Run `vietmer evaluate {run} --split {split}` again.")
    has_predictions = folder.predictions_path(split).exists()
    tested = read_tested_run(run, split=split) if has_predictions else None
    labels = tuple(sorted(str(label) for label in spec["labels"]))
    name, levels = _named(folder, spec)
    return Result(
        path=printable(run.relative_to(root).as_posix(), longest=1000),
        split=printable(split),
        name=name,
        levels=levels,
        model=printable(", ".join(_kinds(spec))),
        seed=int(spec["seed"]),
        labels=labels,
        classes=tuple(_classes(scores, tested).get(label, 0) for label in labels),
        data=str(scores["data"]),
        source=_source(spec, split),
        protocol=_protocol(scores),
        verdict=str((scores.get("audit") or {}).get("verdict") or "not audited"),
        scores=values,
        interval=_interval(scores),
        num_utterances=int(scores["num_utterances"]),
        tested=tested,
    )


def _score(scores: Mapping[str, Any], metric: str, *, path: Path) -> float:
    value = scores.get(metric)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RunError(f"{path}: `{metric}` must be a number, but is {value!r}. Evaluate the run again.")
    return float(value)


def _classes(scores: Mapping[str, Any], tested: TestedRun | None) -> dict[str, int]:
    """How many utterances have each label, by the predictions or, where there are none, by the scores."""
    if tested is not None:
        return dict(Counter(tested.labels[code] for code in tested.truth.tolist()))
    return {str(label): int(found["support"]) for label, found in (scores.get("per_class") or {}).items()}


def _source(spec: Mapping[str, Any], split: str) -> str:
    """`/corpora/one` of `/corpora/one/fold-0/test.jsonl`; empty of an installed corpus."""
    entries = spec["data"].get(split) or ()
    first = entries[0] if entries else {}
    path = first.get("path") if isinstance(first, Mapping) else first
    return str(PurePath(str(path)).parent.parent) if path else ""


def _protocol(scores: Mapping[str, Any]) -> str | None:
    protocol = scores.get("protocol")
    return printable(str(protocol), longest=1000) if protocol else None


def _interval(scores: Mapping[str, Any]) -> tuple[float, float] | None:
    found = (scores.get("intervals") or {}).get("macro_f1") or scores.get("macro_f1_interval") or {}
    low, high = found.get("low"), found.get("high")
    return None if low is None or high is None else (float(low), float(high))


def _kinds(spec: Mapping[str, Any]) -> Iterator[str]:
    for part in PARTS:
        entry = spec.get(part)
        if isinstance(entry, Mapping) and "kind" in entry:
            yield str(entry["kind"])


def _named(folder: RunFolder, spec: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The name of a run; of a cell that of its matrix, and its levels."""
    cell = folder.path.parent / CELL_FILE
    if not cell.exists():
        return printable(str(spec["name"])), {}
    levels = RunFolder(folder.path.parent).read_json(CELL_FILE).get("levels") or {}
    matrix = folder.path.parents[2].name
    return printable(matrix), {printable(str(axis)): printable(str(level)) for axis, level in levels.items()}


def printable(text: str, *, longest: int = LONGEST) -> str:
    """Text without what a terminal or a browser would obey, such as control characters and turns of direction."""
    shown = "".join(letter if letter.isprintable() else "�" for letter in text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
