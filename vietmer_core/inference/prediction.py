"""Emotions of unlabelled speech: one file, or every row of a manifest."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import torch

from vietmer_core.components import Modality
from vietmer_core.data.audio import read_segment
from vietmer_core.data.dataset import Sample, UtteranceDataset, collate
from vietmer_core.data.loader import Fault, evaluation_batches, make_loader
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.data.preparing import prepare_audio, prepare_text, samples_added
from vietmer_core.data.splits import unread_rows
from vietmer_core.errors import DataError
from vietmer_core.evaluation.prediction_files import prediction_rows
from vietmer_core.evaluation.predictions import NOT_FINITE, predict_split
from vietmer_core.inference.trained_run import TrainedRun
from vietmer_core.training.experiment import EVALUATION_BATCH_SIZE

Channel = Literal["mono", "mix"] | int


@attrs.frozen(kw_only=True, eq=False)
class Prediction:
    """The emotion of one utterance.

    Attributes:
        label: The most probable label, or None where there is nothing that the model reads, or it gives no numbers.
        probabilities: Of each label, in the order of the label space, calibrated where the run is; empty where there is
            no label.
        reason: Why there is no label; empty otherwise.
        abstain: Whether the model is less sure than the threshold of the run, or has nothing that it reads.
        tokens_cut: Tokens left out of a transcript that was too long for the text encoder.
        samples_added: Samples added to audio that was too short for the audio encoder.
    """

    label: str | None
    probabilities: dict[str, float]
    reason: str = ""
    abstain: bool = False
    tokens_cut: int = 0
    samples_added: int = 0


def predict_utterance(
    run: TrainedRun,
    *,
    wav_path: Path | None,
    transcript: str | None,
    start: float | None = None,
    end: float | None = None,
    channel: Channel | None = None,
) -> Prediction:
    """The emotion of one utterance; the model abstains where it has nothing that it reads.

    Args:
        run: A trained model.
        wav_path: Recording, or None.
        transcript: What is said, or None.
        start: Begin of the segment, s.
        end: End of the segment, s.
        channel: As `DataSpec.channel`; the run's own setting by default.

    Raises:
        DataError: if the audio cannot be read or has no frame.
    """
    _check_bounds(start, end)
    text = audio = None
    cut = added = 0
    if run.frontends.text is not None:
        text = prepare_text(run.frontends.text, transcript)
        cut = run.frontends.text.tokens_cut(transcript or "")
    if run.frontends.audio is not None:
        waveform = torch.zeros(0)
        if wav_path is not None:
            rate = run.frontends.audio.sampling_rate
            chosen = run.spec.data.channel if channel is None else channel
            samples = read_segment(str(wav_path), start=start, end=end, channel=chosen, sampling_rate=rate)
            waveform = torch.from_numpy(samples)  # (samples,)
        audio = prepare_audio(run.frontends, waveform, place=str(wav_path))
        added = samples_added(run.frontends.audio, len(waveform))
    if not any(len(part) for part in (text, audio) if part is not None):
        return Prediction(label=None, probabilities={}, reason=_nothing_to_read(run), abstain=True)
    batch = collate([Sample(index=0, text=text, audio=audio, label=None)])
    passes = run.passes()
    with torch.inference_mode():
        logits = run.model(batch.to(run.device)) if passes is None else passes.logits([batch])  # (1, classes)
    own = logits.double().softmax(dim=-1).cpu()  # (1, classes)
    if not bool(own.isfinite().all()):
        return Prediction(label=None, probabilities={}, reason=NOT_FINITE, abstain=True)
    probabilities = run.calibrated(own.numpy())[0].tolist()
    named = dict(zip(run.spec.labels, probabilities, strict=True))
    label = max(named, key=lambda label: named[label])
    abstain = run.threshold is not None and named[label] < run.threshold
    return Prediction(label=label, probabilities=named, abstain=abstain, tokens_cut=cut, samples_added=added)


def _check_bounds(start: float | None, end: float | None) -> None:
    for name, value in (("start", start), ("end", end)):
        if value is not None and not 0 <= value < math.inf:
            raise DataError(f"`{name}` must be a number of seconds from 0, but is {value} instead.")
    if start is not None and end is not None and end <= start:
        raise DataError(f"`end` must be after `start`, but is {end} with a start of {start} instead.")


def _nothing_to_read(run: TrainedRun) -> str:
    names = {Modality.TEXT: "transcript", Modality.AUDIO: "audio"}
    wanted = " or ".join(names[modality] for modality in sorted(run.modalities))
    return f"the utterance has no {wanted}, all that this model reads"


def predict_manifest(
    run: TrainedRun,
    sources: Sequence[ManifestSource],
    *,
    channel: Channel | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Iterator[dict[str, Any]]:
    """One row for each row of the manifests, in their order.

    A row that has nothing the model reads, whose audio cannot be read, or of which the model gives no finite
    probabilities, gets `predicted: null` and a `reason`; the others are predicted all the same. Where the run has a
    threshold, every row says whether the model would `abstain`.

    Raises:
        DataProblemsError: if lines of a manifest are malformed.
    """
    manifest = Manifest.open(sources, label_field=run.spec.label_field, labels=None, require_labels=False)
    reasons = {row: _nothing_to_read(run) for row in unread_rows(manifest, run.modalities).tolist()}
    dataset = UtteranceDataset(
        manifest,
        frontends=run.frontends,
        labels=None,
        channel=run.spec.data.channel if channel is None else channel,
    )
    order = evaluation_batches(manifest.sizes, batch_size=EVALUATION_BATCH_SIZE)
    batches = [kept for batch in order if (kept := [row for row in batch if row not in reasons])]
    loader = make_loader(dataset, batches, loader=run.spec.loader, seed=0, pin_memory=run.device.type == "cuda")

    def note(fault: Fault) -> None:
        reasons[fault.index] = fault.sentence

    labels = run.spec.labels
    found = predict_split(
        run.model,
        loader,
        num_classes=len(labels),
        device=run.device,
        passes=run.passes(),
        on_fault=note,
        on_batch=on_batch,
    )
    reasons |= dict.fromkeys(found.indices[~found.is_finite].tolist(), NOT_FINITE)
    found = attrs.evolve(
        found,
        indices=found.indices[found.is_finite],
        probabilities=run.calibrated(found.probabilities[found.is_finite]),
        truth=found.truth[found.is_finite],
    )
    written = prediction_rows(found, manifest, labels, threshold=run.threshold)
    rows = dict(zip(found.indices.tolist(), written, strict=True))
    for row in range(len(manifest)):
        yield rows[row] if row in rows else _unread(manifest, row, reasons[row], marked=run.threshold is not None)


def _unread(manifest: Manifest, row: int, reason: str, *, marked: bool) -> dict[str, Any]:
    """The row of an utterance without a prediction."""
    utterance = manifest[row]
    return {
        "utterance_id": utterance.utterance_id,
        "speaker_id": utterance.speaker_id,
        "label": utterance.label,
        "predicted": None,
        **({"abstain": True} if marked else {}),
        "reason": reason,
    }


def is_manifest(path: Path) -> bool:
    """Whether a file given to `predict` is a manifest rather than a recording."""
    return path.suffix in (".jsonl", ".json", ".ndjson")


def checked_file(path: Path) -> Path:
    """The file, if it is there.

    Raises:
        DataError: if it is not.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. Give a recording or a manifest that ends in .jsonl.")
    return path
