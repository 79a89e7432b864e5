"""Training on each corpus and testing on each; what is there is not computed again."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from vietmer_core.catalogue import Catalogue
from vietmer_core.crosscorpus.cells import NOT_AUDITED, Cell, FailedCell, Place, read_cell
from vietmer_core.crosscorpus.corpora import Corpus
from vietmer_core.crosscorpus.specs import Recipe, address_of_test, address_of_training, labels_to_train, tested_on
from vietmer_core.data.audio import Channel
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.manifest import ManifestSource
from vietmer_core.errors import DataError, RunError, VietmerError
from vietmer_core.evaluation.fields import row_fields
from vietmer_core.evaluation.prediction_files import prediction_rows
from vietmer_core.inference.evaluating import predict_of_split
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training.run_folder import find_runs
from vietmer_core.training.runs import resume_run, start_run

FINISHED = ("finished", "stopped_early")
RESUMABLE = ("interrupted", "killed")
Verdicts = dict[tuple[str, str], str]
"""On leaks, by the corpus trained on and the one tested on."""


@attrs.frozen(kw_only=True, eq=False)
class Matrix:
    """A matrix to be run.

    Attributes:
        recipe: How each model is trained.
        corpora: Trained and tested on.
        seeds: Of the models; None is the spec's own.
        folder: Of runs and cells.
        catalogue: Where components come from.
        observers: Makes those of one training.
        say: Takes a line for the user.
        audits: Whether each pair of a training and a test split is searched for leaks.
    """

    recipe: Recipe
    corpora: Sequence[Corpus]
    seeds: Sequence[int | None]
    folder: Path
    catalogue: Catalogue
    observers: Callable[[], list[object]] = list
    say: Callable[[str], None] = lambda _: None
    audits: bool = True


def run_matrix(matrix: Matrix) -> Iterator[Cell | FailedCell]:
    """Each cell, computed or as it was kept; one that cannot be had does not stop the others.

    Raises:
        SpecError: before anything is computed, if the spec is wrong.
        KeyboardInterrupt: if a training was interrupted; the same call goes on from there.
    """
    for corpus in matrix.corpora:
        matrix.recipe.spec(corpus, seed=matrix.seeds[0], catalogue=matrix.catalogue)
    verdicts: Verdicts = {}
    for corpus in matrix.corpora:
        for seed in matrix.seeds:
            yield from _row(matrix, corpus, seed, verdicts)


def _row(matrix: Matrix, corpus: Corpus, seed: int | None, verdicts: Verdicts) -> Iterator[Cell | FailedCell]:
    """The cells of one model."""
    recipe, catalogue = matrix.recipe, matrix.catalogue
    plain = recipe.spec(corpus, seed=seed, catalogue=catalogue)
    places = {test.name: Place(train=corpus.name, test=test.name, seed=plain.seed) for test in matrix.corpora}
    try:
        labels = labels_to_train(corpus, space=recipe.space, label_field=plain.label_field)
        spec = recipe.spec(corpus, seed=seed, catalogue=catalogue, labels=labels)
        training = address_of_training(spec, catalogue)
    except VietmerError as error:
        yield from (FailedCell.of(place, error) for place in places.values())
        return
    model = _Model(matrix=matrix, spec=spec, address=training, verdicts=verdicts)
    for test in matrix.corpora:
        try:
            yield _cell(model, corpus, test, place=places[test.name])
        except VietmerError as error:
            yield FailedCell.of(places[test.name], error)


@attrs.define(kw_only=True, eq=False)
class _Model:
    """The model of a corpus and seed, trained when a cell first needs it; a failure is not tried twice."""

    matrix: Matrix
    spec: ExperimentSpec
    address: str
    verdicts: Verdicts
    _run: TrainedRun | None = None
    _failure: VietmerError | None = None

    def run(self) -> TrainedRun:
        """The trained model.

        Raises:
            VietmerError: if it cannot be trained.
        """
        if self._failure is not None:
            raise self._failure
        if self._run is None:
            try:
                self._run = TrainedRun.load(_trained(self.matrix, self.spec, self.address))
            except VietmerError as error:
                self._failure = error
                raise
        return self._run


def _trained(matrix: Matrix, spec: ExperimentSpec, address: str) -> Path:
    """The run folder of a model: one that is there, one that goes on, or a new one."""
    root = matrix.folder / "models" / address
    runs = [(folder, status.get("outcome")) for folder, status in find_runs(root)]
    for folder, outcome in runs:
        if outcome in FINISHED:
            return folder.path
    title = f"{spec.name}, seed {spec.seed}"
    stopped = [folder for folder, outcome in runs if outcome in RESUMABLE]
    if stopped:
        matrix.say(f"{title}: goes on")
        try:
            folder, finish = resume_run(stopped[-1].path, observers=matrix.observers(), catalogue=matrix.catalogue)
        except RunError as error:
            raise RunError(f"{error} Remove {stopped[-1].path} to train anew.") from None
    else:
        matrix.say(f"{title}: trains")
        root.mkdir(parents=True, exist_ok=True)
        folder, finish = start_run(spec, root=root, observers=matrix.observers(), catalogue=matrix.catalogue)
    if finish.outcome == "interrupted":
        raise KeyboardInterrupt
    return folder.path


def _cell(model: _Model, corpus: Corpus, test: Corpus, *, place: Place) -> Cell:
    """The cell of a model and a test corpus."""
    matrix, spec = model.matrix, model.spec
    present = test.present("test", space=matrix.recipe.space, label_field=spec.label_field)
    common = tuple(label for label in spec.labels if label in present)
    if len(common) < 2:
        named = f"`{corpus.name}` has {', '.join(spec.labels)}; the test split of `{test.name}` {', '.join(present)}"
        raise DataError(f"fewer than two labels are common: {named}. Use another label map.")
    asked = tested_on(spec, test, labels=common)
    address = address_of_test(model.address, asked, matrix.catalogue)
    kept = read_cell(matrix.folder, address, place=place)
    if kept is not None and (kept.audit != NOT_AUDITED or not matrix.audits):
        return kept
    cell = _predicted(model, asked, place=place, common=common, address=address) if kept is None else kept
    if matrix.audits:
        pair = (corpus.name, test.name)
        if pair not in model.verdicts:
            model.verdicts[pair] = audit_of(corpus, test, label_field=spec.label_field, channel=spec.data.channel)
        cell = attrs.evolve(cell, audit=model.verdicts[pair])
    cell.write(matrix.folder)
    return cell


def _predicted(model: _Model, asked: ExperimentSpec, *, place: Place, common: tuple[str, ...], address: str) -> Cell:
    run = model.run()
    model.matrix.say(f"{place.train} → {place.test}, seed {place.seed}: is tested")
    manifest, found = predict_of_split(attrs.evolve(run, spec=_with_test(run.spec, asked)), "test")
    wanted = ("utterance_id", "speaker_id", "label", "probabilities")
    rows = prediction_rows(found, manifest, run.spec.labels)
    positions = found.indices.tolist()
    fields = row_fields((manifest[row] for row in positions), seconds=manifest.sizes.audio_seconds[positions])
    return Cell(
        place=place,
        run=str(run.folder.path.relative_to(model.matrix.folder)),
        address=address,
        trained_labels=run.spec.labels,
        labels=common,
        data=split_fingerprint(manifest, content=asked.data.fingerprint == "content"),
        protocol=fields.protocol,
        audit=NOT_AUDITED,
        rows=tuple({name: row[name] for name in wanted} for row in rows),
    )


def _with_test(spec: ExperimentSpec, asked: ExperimentSpec) -> ExperimentSpec:
    """The spec of a run, resolved as it was trained, with another test split."""
    return spec.model_copy(update={"data": spec.data.model_copy(update={"test": asked.data.test})})


def audit_of(train: Corpus, test: Corpus, *, label_field: str, channel: Channel) -> str:
    """The verdict on leaks from the training and validation splits of one corpus to the test split of another.

    Both made the model: one its weights, the other the choice among them. A leak between these two alone does not
    count. Recordings of several channels are heard as `channel` says. A verdict that cannot be had, as where no
    recording can be decoded, is `not audited`.
    """
    from vietmer_core.audit import audit_splits

    splits = {
        name: [ManifestSource(path=corpus.manifest(name), label_map=corpus.labels)]
        for name, corpus in (("train", train), ("valid", train), ("test", test))
    }
    try:
        report = audit_splits(splits, label_field=label_field, channel=channel, probes=False)
    except VietmerError:
        return NOT_AUDITED
    return "leak" if any("test" in leak.splits for leak in report.leaks) else "clean"
