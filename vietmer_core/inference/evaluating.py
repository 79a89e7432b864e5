"""Evaluating a trained run on one of its splits: predictions, scores, interval, files."""

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.assembly import part_seed
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.manifest import Manifest
from vietmer_core.data.splits import open_split
from vietmer_core.errors import RunError
from vietmer_core.evaluation.intervals import Interval, clustered_interval, fast_macro_f1
from vietmer_core.evaluation.metrics import Scores, score
from vietmer_core.evaluation.predictions import Predictions, predict_split, prediction_rows, write_rows
from vietmer_core.features.filling import open_feature_cache, with_cache
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import CacheRecord
from vietmer_core.training.experiment import split_loader


@attrs.frozen(kw_only=True, eq=False)
class Evaluation:
    """The scores of one run on one split."""

    split: str
    scores: Scores
    macro_f1_interval: Interval
    predictions: Predictions
    manifest: Manifest

    @property
    def num_unknown_speakers(self) -> int:
        """Utterances whose speaker is unknown; each counts as a speaker of its own in the interval."""
        return int((self.manifest.speakers.codes[self.predictions.indices] < 0).sum())


def speaker_clusters(manifest: Manifest) -> NDArray[np.int64]:
    """The speaker of each utterance as a number; every utterance of an unknown speaker is a cluster of its own."""
    codes = manifest.speakers.codes.astype(np.int64)
    unknown = codes < 0
    codes[unknown] = codes.max(initial=0) + 1 + np.arange(int(unknown.sum()))
    return codes


def evaluate_run(
    run: TrainedRun,
    split: str,
    *,
    on_batch: Callable[[int], None] = lambda _: None,
    report: Callable[[CacheRecord], None] = lambda _: None,
    cache: str | None = None,
) -> Evaluation:
    """Predict and score a split with the best weights of a run; writes predictions and scores into its folder.

    A run that was trained from the feature cache is evaluated from it, too; from another folder, or not at all
    (`none`), where `cache` says so.

    Raises:
        RunError: if the spec of the run names no such split.
        VietmerError: if the split cannot be read.
    """
    if split not in dict(run.spec.data.splits()):
        named = ", ".join(name for name, _ in run.spec.data.splits())
        raise RunError(f"{run.folder.path}: the run's spec has no split `{split}`; it has: {named}.")
    manifest = open_split(run.spec, split, run.catalogue)
    opened = open_feature_cache(
        with_cache(run.spec, cache), run.catalogue, run.model, run.frontends, device=run.device, report=report
    )
    states = None if opened is None else opened.states_of(manifest, split)
    loader = split_loader(manifest, run.frontends, run.spec, device=run.device, states=states)
    labels = run.spec.labels
    found = predict_split(
        run.model, loader, num_classes=len(labels), device=run.device, passes=run.passes(), on_batch=on_batch
    )
    interval = clustered_interval(
        fast_macro_f1(len(labels)),
        found.truth,
        found.probabilities.argmax(axis=1),
        clusters=speaker_clusters(manifest)[found.indices],
        seed=part_seed(run.spec.seed, "interval") % 2**32,
    )
    evaluation = Evaluation(
        split=split,
        scores=score(found.probabilities, found.truth, labels),
        macro_f1_interval=interval,
        predictions=found,
        manifest=manifest,
    )
    _write(run, evaluation)
    return evaluation


def _write(run: TrainedRun, evaluation: Evaluation) -> None:
    rows = prediction_rows(evaluation.predictions, evaluation.manifest, run.spec.labels)
    write_rows(run.folder.predictions_path(evaluation.split), rows)
    content = run.spec.data.fingerprint == "content"
    scores = {
        "split": evaluation.split,
        "data": split_fingerprint(evaluation.manifest, content=content),
        "epoch": run.epoch,
        **evaluation.scores.as_json(),
        "macro_f1_interval": attrs.asdict(evaluation.macro_f1_interval),
    }
    run.folder.write_json(f"evaluation/{evaluation.split}/scores.json", scores)
