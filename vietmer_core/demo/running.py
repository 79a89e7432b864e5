"""Training the demo's three models and scoring them on the same test utterances."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.assembly import part_seed
from vietmer_core.evaluation.intervals import Interval, difference_interval
from vietmer_core.inference.evaluating import Evaluation, audit_of_run, evaluate_run
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.runs import start_run

SPEC_FILE: Final = Path(__file__).parent / "demo.yaml"
FUSIONS: Final = (("text_only", "text alone"), ("audio_only", "voice alone"), ("xattn", "both, fused"))
CUES: Final = ("voice", "words", "both")


@attrs.frozen(kw_only=True, eq=False)
class DemoResult:
    """One of the three models.

    Attributes:
        title: What it reads.
        run: The trained model.
        evaluation: Its scores on the test split.
        by_cue: Accuracy on the test utterances whose emotion only the voice tells, only the words, or both.
    """

    title: str
    run: TrainedRun
    evaluation: Evaluation
    by_cue: dict[str, float]

    @property
    def macro_f1(self) -> float:
        return self.evaluation.scores.summary["macro_f1"]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """`(utterances,)` classes, in the order of the test split."""
        classes: NDArray[np.int64] = self.evaluation.predictions.probabilities.argmax(axis=1)
        return classes


def demo_spec(fusion: str) -> ExperimentSpec:
    """The spec of one of the three models."""
    dim = [] if fusion == "xattn" else ["fusion.dim=64"]
    name = fusion.replace("_", "-")
    return load_spec([SPEC_FILE], [f"fusion.kind={fusion}", *dim, f"name=demo-{name}"])


def run_demo(
    root: Path, *, overrides: Sequence[str] = (), observers: Callable[[], list[object]] = list
) -> list[DemoResult]:
    """Train text alone, voice alone and both; score each on the test split.

    Args:
        root: Where the run folders go.
        overrides: Of the demo's spec, for all three.
        observers: Makes the observers of one run.

    Raises:
        VietmerError: if a plugin is missing or a run cannot be written.
    """
    results = []
    for fusion, title in FUSIONS:
        spec = demo_spec(fusion) if not overrides else _overridden(fusion, overrides)
        folder, finish = start_run(spec, root=root, observers=observers())
        if finish.outcome == "interrupted":
            raise KeyboardInterrupt
        run = TrainedRun.load(folder.path)
        evaluation = evaluate_run(run, "test", audit=audit_of_run(run))
        results.append(DemoResult(title=title, run=run, evaluation=evaluation, by_cue=_by_cue(evaluation)))
    return results


def _overridden(fusion: str, overrides: Sequence[str]) -> ExperimentSpec:
    resolved = demo_spec(fusion)
    fixed = [f"fusion={{kind: {fusion}, dim: 64}}", f"name={resolved.name}"]
    return load_spec([SPEC_FILE], [*fixed, *overrides])


def _by_cue(evaluation: Evaluation) -> dict[str, float]:
    found = evaluation.predictions
    cues = [str(evaluation.manifest[index].metadata.get("cue")) for index in found.indices.tolist()]
    hits = found.probabilities.argmax(axis=1) == found.truth
    chosen = {cue: np.array([found_cue == cue for found_cue in cues]) for cue in CUES}
    return {cue: float(hits[rows].mean()) for cue, rows in chosen.items() if rows.any()}


def gain_of_fusion(results: Sequence[DemoResult]) -> tuple[float, Interval]:
    """Fused macro-F1 minus that of the better single modality, with its paired interval by speaker."""
    *single, fused = results
    better = max(single, key=lambda result: result.macro_f1)
    interval = difference_interval(
        fused.evaluation.outcomes,
        better.evaluation.outcomes,
        metric="macro_f1",
        seed=part_seed(fused.run.spec.seed, "interval") % 2**32,
    )
    return fused.macro_f1 - better.macro_f1, interval


def telling_utterance(results: Sequence[DemoResult]) -> int:
    """A test utterance of neutral words in a voice that is not: one that the fused model has right, if there is any."""
    fused = results[-1]
    found, manifest = fused.evaluation.predictions, fused.evaluation.manifest
    neutral = fused.run.spec.labels.index("neutral")
    cues = [manifest[index].metadata.get("cue") for index in found.indices.tolist()]
    telling = np.array([cue == "voice" for cue in cues]) & (found.truth != neutral)
    right = telling & (fused.predicted == found.truth)
    return int(found.indices[np.flatnonzero(right if right.any() else telling)[0]])


def metrics_by_epoch(result: DemoResult) -> list[dict[str, Any]]:
    """The epoch records of a run."""
    return [record for record in result.run.folder.records() if record["record"] == "epoch"]
