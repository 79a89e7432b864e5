"""Evaluating a trained run on one of its splits: predictions, scores, intervals, files."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from vietmer_core.assembly import part_seed
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.manifest import Manifest
from vietmer_core.data.splits import open_split
from vietmer_core.errors import VietmerError
from vietmer_core.evaluation.fields import RowFields, row_fields
from vietmer_core.evaluation.intervals import Interval
from vietmer_core.evaluation.metrics import Scores
from vietmer_core.evaluation.outcomes import Outcomes, numbered_clusters, speaker_codes
from vietmer_core.evaluation.prediction_files import prediction_rows, write_rows
from vietmer_core.evaluation.predictions import Predictions, predict_split, require_finite
from vietmer_core.evaluation.scored_split import ScoredSplit, score_outcomes
from vietmer_core.features.filling import open_feature_cache, with_cache
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.records import CacheRecord
from vietmer_core.training.experiment import split_loader
from vietmer_core.training.run_spec import check_split

NOT_AUDITED: Final[Mapping[str, Any]] = MappingProxyType({"verdict": "not audited", "leaks": [], "cues": []})


@attrs.frozen(kw_only=True, eq=False)
class Evaluation:
    """The scores of one run on one split.

    Attributes:
        split: Its name.
        scored: Every score.
        predictions: With the probabilities that are reported: calibrated where the run is.
        manifest: The split.
        outcomes: The same probabilities beside truth and speakers.
        protocol: How the split was made; None where its rows do not say so.
        audit: `verdict`, `leaks` and `cues` of the splits of the run.
    """

    split: str
    scored: ScoredSplit
    predictions: Predictions
    manifest: Manifest
    outcomes: Outcomes
    protocol: str | None
    audit: dict[str, Any]

    @property
    def scores(self) -> Scores:
        """Headline, by class and confusion."""
        return self.scored.scores

    @property
    def macro_f1_interval(self) -> Interval:
        """Of macro-F1, by speaker."""
        return self.scored.intervals["macro_f1"]

    @property
    def num_unknown_speakers(self) -> int:
        """Utterances whose speaker is unknown; each counts as a speaker of its own in the intervals."""
        return self.outcomes.num_unknown_speakers


def audit_of_run(run: TrainedRun, *, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Whether a run's splits leak: `verdict`, `leaks` and `cues`, kept beside the runs once found.

    Where that cannot be told, for example since the training data is gone, the verdict is `not audited`, with `reason`.

    Args:
        run: A trained model.
        progress: Told how many segments of how many are decoded.
    """
    from vietmer_core.audit.verdicts import verdict_of_run

    try:
        found = verdict_of_run(run.spec, run.catalogue, runs_root=run.folder.path.parent, progress=progress)
    except VietmerError as error:
        return {**NOT_AUDITED, "reason": str(error)}
    return found.as_json()


def outcomes_of(predictions: Predictions, manifest: Manifest, labels: tuple[str, ...]) -> Outcomes:
    """The predictions of a labelled split beside its truth and speakers."""
    codes = speaker_codes(manifest.speakers.codes[predictions.indices], manifest.speakers.names)
    return Outcomes(
        labels=labels,
        probabilities=predictions.probabilities,
        truth=predictions.truth,
        clusters=numbered_clusters(codes),
        num_unknown_speakers=int((codes < 0).sum()),
    )


def predict_of_split(
    run: TrainedRun,
    split: str,
    *,
    on_batch: Callable[[int], None] = lambda _: None,
    report: Callable[[CacheRecord], None] = lambda _: None,
    cache: str | None = None,
) -> tuple[Manifest, Predictions]:
    """A labelled split of a run and the model's own probabilities for it, not calibrated.

    A run that was trained from the feature cache predicts from it, too; from another folder, or not at all (`none`),
    where `cache` says so.

    Raises:
        RunError: if the spec of the run names no such split, or the model gives no finite probabilities.
        VietmerError: if the split cannot be read.
    """
    check_split(run.folder, run.spec, split)
    manifest = open_split(run.spec, split, run.catalogue)
    opened = open_feature_cache(
        with_cache(run.spec, cache), run.catalogue, run.model, run.frontends, device=run.device, report=report
    )
    states = None if opened is None else opened.states_of(manifest, split)
    loader = split_loader(manifest, run.frontends, run.spec, device=run.device, states=states)
    found = predict_split(
        run.model,
        loader,
        num_classes=len(run.spec.labels),
        device=run.device,
        passes=run.passes(),
        on_batch=on_batch,
    )
    require_finite(found, place=str(run.folder.path), name_of=lambda row: manifest[row].utterance_id)
    return manifest, found


def evaluate_run(
    run: TrainedRun,
    split: str,
    *,
    on_batch: Callable[[int], None] = lambda _: None,
    report: Callable[[CacheRecord], None] = lambda _: None,
    cache: str | None = None,
    audit: Mapping[str, Any] = NOT_AUDITED,
) -> Evaluation:
    """Predict and score a split with the best weights of a run; writes predictions and scores into its folder.

    Args:
        run: With its calibration, if it is to be used.
        split: One that its spec names.
        on_batch: Told the number of utterances of each batch done.
        report: Told what is filled into the feature cache.
        cache: Another folder for it, or `none`.
        audit: What `audit_of_run` says.

    Raises:
        RunError: if the spec of the run names no such split.
        VietmerError: if the split cannot be read.
    """
    manifest, own = predict_of_split(run, split, on_batch=on_batch, report=report, cache=cache)
    found = attrs.evolve(own, probabilities=run.calibrated(own.probabilities))
    labels = run.spec.labels
    outcomes = outcomes_of(found, manifest, labels)
    fields = _fields(manifest, found)
    calibration = run.calibration
    scored = score_outcomes(
        outcomes,
        seed=part_seed(run.spec.seed, "interval") % 2**32,
        fields=fields.subgroups,
        uncalibrated=outcomes_of(own, manifest, labels),
        temperature=None if calibration is None else calibration.temperature,
        rule=None if calibration is None else calibration.abstain,
    )
    evaluation = Evaluation(
        split=split,
        scored=scored,
        predictions=found,
        manifest=manifest,
        outcomes=outcomes,
        protocol=fields.protocol,
        audit=dict(audit),
    )
    _write(run, evaluation)
    return evaluation


def _fields(manifest: Manifest, found: Predictions) -> RowFields:
    rows = found.indices.tolist()
    return row_fields((manifest[row] for row in rows), seconds=manifest.sizes.audio_seconds[rows])


def _write(run: TrainedRun, evaluation: Evaluation) -> None:
    rows = prediction_rows(evaluation.predictions, evaluation.manifest, run.spec.labels, threshold=run.threshold)
    write_rows(run.folder.predictions_path(evaluation.split), rows)
    content = run.spec.data.fingerprint == "content"
    scores = {
        "split": evaluation.split,
        "data": split_fingerprint(evaluation.manifest, content=content),
        "epoch": run.epoch,
        "num_unknown_speakers": evaluation.num_unknown_speakers,
        **evaluation.scored.as_json(),
        "protocol": evaluation.protocol,
        "audit": evaluation.audit,
    }
    run.folder.write_json(f"evaluation/{evaluation.split}/scores.json", scores)
