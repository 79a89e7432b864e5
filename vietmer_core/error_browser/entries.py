"""Which predictions are looked at, and what is known of them. Torch-free."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.catalogue import Catalogue
from vietmer_core.data.fingerprint import split_fingerprint
from vietmer_core.data.manifest import Manifest
from vietmer_core.data.splits import open_split
from vietmer_core.data.utterance import Utterance
from vietmer_core.error_browser.clips import Clip, clip_of
from vietmer_core.errors import DataError, RunError
from vietmer_core.evaluation.outcomes import Outcomes, outcomes_of_rows
from vietmer_core.evaluation.prediction_files import read_rows
from vietmer_core.evaluation.reliability import loss_by_utterance
from vietmer_core.spec import ExperimentSpec
from vietmer_core.training.run_folder import RunFolder
from vietmer_core.training.run_spec import check_split

WORST: Final = 50
Row = Mapping[str, Any]


@attrs.frozen(kw_only=True, eq=False)
class ErrorEntry:
    """One utterance of the page.

    Attributes:
        utterance_id: Its id.
        speaker_id: Who speaks, or None.
        label: The true label.
        predicted: The most probable one.
        probabilities: Label → probability, in the order of the label space.
        loss: Negative log-likelihood of the true label, nats.
        transcript: What is said, or None.
        duration: s; None where there is no audio.
        place: `file:line` of its row, without the folder.
        shares: Its row of `shares.jsonl`, or None.
        clip: Its sound, or None.
        clip_fault: Why there is no sound though there should be; else empty.
    """

    utterance_id: str
    speaker_id: str | None
    label: str
    predicted: str
    probabilities: Mapping[str, float]
    loss: float
    transcript: str | None
    duration: float | None
    place: str
    shares: Row | None = None
    clip: Clip | None = None
    clip_fault: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether the prediction is not the label."""
        return self.predicted != self.label

    @property
    def confidence(self) -> float:
        """Probability of the predicted label."""
        return self.probabilities[self.predicted]

    @property
    def share(self) -> Mapping[str, float] | None:
        """The share of each modality, where it is known."""
        return None if self.shares is None else self.shares.get("share")


@attrs.frozen(kw_only=True, eq=False)
class ErrorEntries:
    """The worst utterances of a run on a split.

    Attributes:
        name: Of the experiment.
        run: Name of the run's folder.
        split: Of the run's spec.
        labels: The label space.
        num_utterances: Utterances of the split.
        num_wrong: Those predicted wrongly.
        entries: The worst by loss first.
        outdated: What is of other weights than the run's best ones now, a sentence each.
    """

    name: str
    run: str
    split: str
    labels: tuple[str, ...]
    num_utterances: int
    num_wrong: int
    entries: tuple[ErrorEntry, ...]
    outdated: tuple[str, ...] = ()

    @property
    def clip_bytes(self) -> int:
        """Bytes of all clips."""
        return sum(len(entry.clip.content) for entry in self.entries if entry.clip is not None)

    @property
    def clip_faults(self) -> list[str]:
        """Why clips are missing."""
        return [entry.clip_fault for entry in self.entries if entry.clip_fault]


def worst_rows(outcomes: Outcomes, *, worst: int) -> NDArray[np.int64]:
    """Positions of the worst utterances by loss and of the most confident errors, `worst` of each, the worst first."""
    loss = loss_by_utterance(outcomes.probabilities, outcomes.truth)
    by_loss = np.argsort(-loss, kind="stable")[:worst]
    wrong = np.flatnonzero(~outcomes.hits)
    by_confidence = wrong[np.argsort(-outcomes.confidence[wrong], kind="stable")][:worst]
    chosen = np.union1d(by_loss, by_confidence)
    ordered: NDArray[np.int64] = chosen[np.argsort(-loss[chosen], kind="stable")]
    return ordered


def worst_entries(
    folder: RunFolder, split: str, *, spec: ExperimentSpec, catalogue: Catalogue, worst: int = WORST, clips: bool = True
) -> ErrorEntries:
    """The worst predictions of an evaluated run; without torch, from the files that `evaluate` and `reliance` left.

    Args:
        folder: Of the run.
        split: A split that was evaluated.
        spec: Of the run.
        catalogue: Where its components come from.
        worst: How many by loss, and how many confident errors beside.
        clips: Whether sound is read.

    Raises:
        RunError: if the run has no predictions of the split, or the split is not what they were made of.
        VietmerError: if the split cannot be read.
    """
    path = folder.predictions_path(split)
    check_split(folder, spec, split)
    if not path.is_file():
        raise RunError(f"{folder.path}: holds no predictions of `{split}`. Run `vietmer evaluate` on that split first.")
    rows = read_rows(path)
    outcomes = outcomes_of_rows(rows, place=str(path))
    manifest = open_split(spec, split, catalogue)
    _check_data(folder, split, manifest, content=spec.data.fingerprint == "content")
    wanted = worst_rows(outcomes, worst=worst).tolist()
    found = _utterances(manifest, {str(rows[row]["utterance_id"]) for row in wanted})
    missing = next((row for row in wanted if rows[row]["utterance_id"] not in found), None)
    if missing is not None:
        name = rows[missing]["utterance_id"]
        raise RunError(f"{path}: `{name}` is not in the split `{split}`. Run `vietmer evaluate` again.")
    shares = _shares(folder, split)
    loss = loss_by_utterance(outcomes.probabilities, outcomes.truth)
    entries = [
        _entry(rows[row], *found[rows[row]["utterance_id"]], loss=float(loss[row]), shares=shares) for row in wanted
    ]
    if clips:
        entries = [_with_clip(entry, found[entry.utterance_id][0], spec) for entry in entries]
    return ErrorEntries(
        name=spec.name,
        run=folder.path.resolve().name,
        split=split,
        labels=outcomes.labels,
        num_utterances=len(outcomes),
        num_wrong=int((~outcomes.hits).sum()),
        entries=tuple(entries),
        outdated=tuple(_outdated(folder, split, has_shares=bool(shares))),
    )


def _outdated(folder: RunFolder, split: str, *, has_shares: bool) -> Iterator[str]:
    """What was made before the run went on to better weights."""
    best = folder.read_status().get("best_epoch")
    since = "are of earlier weights than the run's best ones now"
    if folder.read_json(f"evaluation/{split}/scores.json").get("epoch", best) != best:
        yield f"The predictions {since}; run `vietmer evaluate {folder.path} --split {split}` again."
    if has_shares and folder.read_json(f"evaluation/{split}/reliance.json").get("epoch", best) != best:
        yield f"The shares of text and audio {since}; run `vietmer reliance {folder.path} --split {split}` again."


def _check_data(folder: RunFolder, split: str, manifest: Manifest, *, content: bool) -> None:
    """Refuse a split that has changed since it was evaluated, where the scores say what it was."""
    scored = folder.read_json(f"evaluation/{split}/scores.json").get("data")
    if scored is not None and scored != split_fingerprint(manifest, content=content):
        raise RunError(
            f"{folder.path}: the split `{split}` has changed since it was evaluated. Run `vietmer evaluate` again."
        )


def _utterances(manifest: Manifest, wanted: set[str]) -> dict[str, tuple[Utterance, float]]:
    """The utterances of some ids, each with its duration in seconds."""
    seconds = manifest.sizes.audio_seconds
    return {
        utterance.utterance_id: (utterance, float(seconds[place]))
        for place, utterance in enumerate(manifest)
        if utterance.utterance_id in wanted
    }


def _shares(folder: RunFolder, split: str) -> dict[str, Row]:
    path = folder.evaluation_path(split) / "shares.jsonl"
    return {row["utterance_id"]: row for row in read_rows(path)} if path.is_file() else {}


def _entry(row: Row, utterance: Utterance, seconds: float, *, loss: float, shares: Mapping[str, Row]) -> ErrorEntry:
    known = shares.get(utterance.utterance_id)
    return ErrorEntry(
        utterance_id=utterance.utterance_id,
        speaker_id=utterance.speaker_id,
        label=row["label"],
        predicted=row["predicted"],
        probabilities=row["probabilities"],
        loss=loss,
        transcript=utterance.transcript,
        duration=seconds if utterance.has_audio else None,
        place=Path(utterance.place).name,
        shares=known if known is not None and known["predicted"] == row["predicted"] else None,
    )


def _with_clip(entry: ErrorEntry, utterance: Utterance, spec: ExperimentSpec) -> ErrorEntry:
    try:
        return attrs.evolve(entry, clip=clip_of(utterance, channel=spec.data.channel))
    except DataError as error:
        return attrs.evolve(entry, clip_fault=str(error))


def speakers_of(entries: Sequence[ErrorEntry]) -> list[str]:
    """Every known speaker once, sorted."""
    return sorted({entry.speaker_id for entry in entries if entry.speaker_id is not None})
