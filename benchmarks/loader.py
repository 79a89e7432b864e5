"""Is the loader ever the bottleneck? Reading, preparing and loading utterances against the time of the encoder.

    nox -s bench -- loader MANIFEST --checkpoint FOLDER [--utterances N] [--repeats N] [--workers N ...]

MANIFEST is a split with audio and transcripts, FOLDER holds the weights of a Whisper. The same audio is also written
into a temporary folder as 48 kHz stereo WAV (read as the mean of both channels), as 8 kHz µ-law WAV, and as one long
FLAC of which utterances are segments. Prints three Markdown tables:

1. One utterance at a time, in this process: segments read at the rate of the file, and at 16 kHz; log-mels of Whisper;
   normalisation for wav2vec 2.0; Whisper's encoder in padded batches of like length.
2. The utterances as given and in stereo through the loader, text included, by number of workers, which run already.
3. An epoch of training with the frozen encoder and without a feature cache: the share of it that the loop waits for the
   loader, for two widths of what is trained.
Repeats are in turn; the median stands in the tables, and the range in brackets.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import soundfile
import soxr
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor
from vietmer_audio_wav2vec2.frontend import Wav2Vec2Frontend

from vietmer_core.batch import Batch
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Modality
from vietmer_core.data.audio import Channel, audio_info, read_segment
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.loader import evaluation_batches, iterate, make_loader
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.data.utterance import Utterance
from vietmer_core.sequence import pad_rows
from vietmer_core.spec import LoaderSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.experiment import Experiment, prepare
from vietmer_core.training.processes import Processes
from vietmer_core.training.state import TrainingState

RATE: Final = 16_000
BATCH_SIZE: Final = 8
WIDTHS: Final = ((128, 768), (64, 64))  # of the text encoder and the fusion; the first are the defaults
EPOCH_WORKERS: Final = (0, 1)
ENCODER: Final = "Whisper's encoder"


@attrs.frozen(kw_only=True)
class Form:
    """How the recordings lie on the disk.

    Attributes:
        title: For the tables.
        path: Manifest over them.
        root: Folder that its paths are relative to.
        channel: How they are read.
    """

    title: str
    path: Path
    root: Path
    channel: Channel = "mono"

    def manifest(self) -> Manifest:
        """The split."""
        return Manifest.open([ManifestSource(path=self.path, root=self.root)], require_labels=False)


def chosen_rows(manifest: Path, utterances: int) -> list[dict[str, Any]]:
    """So many rows, spread evenly over a manifest."""
    lines = manifest.read_text(encoding="utf-8").splitlines()
    count = min(utterances, len(lines))
    return [json.loads(lines[number * len(lines) // count]) for number in range(count)]


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Rows as a manifest."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def segment(utterance: Utterance, *, channel: Channel, sampling_rate: int) -> NDArray[np.float32]:
    """The samples of an utterance."""
    assert utterance.wav_path is not None
    return read_segment(
        utterance.wav_path, start=utterance.start, end=utterance.end, channel=channel, sampling_rate=sampling_rate
    )


def forms_in(folder: Path, manifest: Path, rows: Sequence[dict[str, Any]]) -> list[Form]:
    """The recordings as given, and the same audio written in other forms."""
    given = Form(title="as given", path=written(folder / "given.jsonl", rows), root=manifest.parent)
    speech = [segment(row, channel="mono", sampling_rate=RATE) for row in given.manifest()]
    stereo, telephone, spans, begin = [], [], [], 0.0
    for number, (row, samples) in enumerate(zip(rows, speech, strict=True)):
        name, seconds = f"{number}.wav", len(samples) / RATE
        fine = soxr.resample(samples, RATE, 48_000)
        soundfile.write(folder / f"stereo_{name}", np.stack([fine, 0.5 * fine], axis=1), 48_000)
        soundfile.write(folder / f"telephone_{name}", soxr.resample(samples, RATE, 8_000), 8_000, subtype="ULAW")
        whole = {"start": None, "end": None}
        stereo.append({**row, **whole, "wav_path": f"stereo_{name}"})
        telephone.append({**row, **whole, "wav_path": f"telephone_{name}"})
        spans.append({**row, "wav_path": "long.flac", "start": begin, "end": begin + seconds})
        begin += seconds
    soundfile.write(folder / "long.flac", np.concatenate(speech), RATE)
    return [
        given,
        Form(title="WAV, 48 kHz, stereo", path=written(folder / "a.jsonl", stereo), root=folder, channel="mix"),
        Form(title="WAV, 8 kHz, µ-law", path=written(folder / "b.jsonl", telephone), root=folder),
        Form(title=f"segments of one FLAC of {begin:.0f} s", path=written(folder / "c.jsonl", spans), root=folder),
    ]


def experiment_of(folder: Path, form: Form, checkpoint: Path, *overrides: str) -> Experiment:
    """A model with a frozen Whisper over the utterances of a form."""
    source = {"path": str(form.path.absolute()), "root": str(form.root.absolute())}
    document = {
        "labels": sorted({row.label for row in form.manifest() if row.label is not None}),
        "threads": torch.get_num_threads(),
        "data": {"train": source, "valid": source, "channel": form.channel},
        "text": {"kind": "syllable"},
        "audio": {"kind": "whisper", "checkpoint": str(checkpoint.absolute())},
        "fusion": {"kind": "xattn"},
        "pooler": "attn",
        "sampler": {"kind": "length_bucket", "batch_size": BATCH_SIZE},
        "training": {"device": "cpu"},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return prepare(load_spec([folder / "spec.yaml"], overrides), installed_catalogue())


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def consume(values: Iterable[object]) -> None:
    """Take them one by one and keep none."""
    deque(values, maxlen=0)


def exhaust(loader: Any) -> None:
    """One pass over a loader."""
    consume(iterate(loader))


@torch.inference_mode()
def encode(experiment: Experiment, mels: Sequence[Tensor], batches: Sequence[Sequence[int]]) -> None:
    """The encoder alone."""
    for batch in batches:
        experiment.model.encode(Modality.AUDIO, pad_rows([mels[index] for index in batch]))


def steps_of(experiment: Experiment, forms: Sequence[Form]) -> dict[str, Callable[[], object]]:
    """What the first table times."""
    utterances = {form.title: list(form.manifest()) for form in forms}
    found: dict[str, Callable[[], object]] = {}

    def read(form: Form, rate: int) -> Callable[[], object]:
        rows, channel = utterances[form.title], form.channel
        return lambda: consume(segment(row, channel=channel, sampling_rate=rate) for row in rows)

    for form in forms:
        path = utterances[form.title][0].wav_path
        own = audio_info(path or "").sampling_rate
        found[f"read: {form.title}"] = read(form, own)
        if own != RATE:
            found[f"read and resampled: {form.title}"] = read(form, RATE)
    rows = utterances[forms[0].title]
    speech = [torch.from_numpy(segment(row, channel="mono", sampling_rate=RATE)) for row in rows]
    whisper: Any = experiment.frontends.audio
    mels = [whisper(waveform) for waveform in speech]
    samples = Wav2Vec2Frontend(sampling_rate=RATE, normalise=True, fewest_samples=400, pads_short=False)
    batches = evaluation_batches(experiment.train.sizes, batch_size=BATCH_SIZE)
    found["log-mels of Whisper"] = lambda: consume(map(whisper, speech))
    found["normalised for wav2vec 2.0"] = lambda: consume(map(samples, speech))
    found[ENCODER] = lambda: encode(experiment, mels, batches)
    return found


def loads_of(experiment: Experiment, forms: Sequence[Form], workers: Sequence[int]) -> dict[str, Callable[[], object]]:
    """What the second table times: each form through each loader, whose workers stay."""
    batches = evaluation_batches(experiment.train.sizes, batch_size=BATCH_SIZE)
    found: dict[str, Callable[[], object]] = {}
    for form in forms:
        dataset = UtteranceDataset(form.manifest(), frontends=experiment.frontends, labels=None, channel=form.channel)
        for number in workers:
            loader = make_loader(dataset, batches, loader=LoaderSpec(workers=number), seed=0, pin_memory=False)
            found[f"{form.title}, workers: {number}"] = partial(exhaust, loader)
    return found


def print_rows(ways: Mapping[str, Callable[[], object]], *, count: int, seconds: float, repeats: int) -> None:
    """Rows of a table, the last of which is the encoder."""
    taken: dict[str, list[float]] = {title: [] for title in ways}
    for turn in range(repeats + 1):
        for title, way in ways.items():
            spent = seconds_of(way)
            if turn:  # the first warms up
                taken[title].append(spent)
    encoder = list(taken.values())[-1]
    for title, times in taken.items():
        shares = [spent / whole for spent, whole in zip(times, encoder, strict=True)]
        rates = f"{spread([count / spent for spent in times])} | {spread([seconds / spent for spent in times])}"
        print(f"| {title} | {rates} | {spread(shares, 3)} |", flush=True)


def waiting(batches: Iterator[Batch], spent: list[float]) -> Iterator[Batch]:
    """The same batches; the seconds until each is there are added to `spent`."""
    while True:
        begin = time.perf_counter()
        batch = next(batches, None)
        spent.append(time.perf_counter() - begin)
        if batch is None:
            return
        yield batch


def shares_waited(experiment: Experiment, *, repeats: int) -> list[float]:
    """Of each epoch after the first, in which workers start."""
    state = TrainingState(experiment, Processes.start(experiment.spec.training), path=Path())
    loader, shares = experiment.train_loader(), []
    experiment.model.train()
    for epoch in range(repeats + 1):
        experiment.batches.set_epoch(epoch)
        spent: list[float] = []
        begin = time.perf_counter()
        for batch in waiting(iterate(loader), spent):
            state.stepper.take([batch.drawn(seed=0, epoch=epoch)], num_utterances=len(batch))
        shares.append(sum(spent) / (time.perf_counter() - begin))
    return shares[1:]


def print_epochs(folder: Path, form: Form, checkpoint: Path, *, repeats: int) -> None:
    """Print the third table."""
    print("\n| an epoch of training: width of `syllable`, `xattn` | workers | share of waiting |\n|---|--:|--:|")
    for text, fusion in WIDTHS:
        for workers in EPOCH_WORKERS:
            widths = f"text.dim={text}", f"text.hidden_dim={4 * text}", f"fusion.dim={fusion}"
            experiment = experiment_of(folder, form, checkpoint, f"loader.workers={workers}", *widths)
            shares = shares_waited(experiment, repeats=repeats)
            print(f"| {text}, {fusion} | {workers} | {spread(shares, 4)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, metavar="MANIFEST")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", required=True, help="weights of a Whisper")
    parser.add_argument("--utterances", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forms = forms_in(folder, given.manifest.absolute(), chosen_rows(given.manifest, given.utterances))
        experiment = experiment_of(folder, forms[0], given.checkpoint)
        steps = steps_of(experiment, forms)
        count, seconds = len(experiment.train), float(experiment.train.sizes.audio_seconds.sum())
        print(f"{count} utterances, {seconds:.0f} s of audio, {given.repeats} repeats, {given.threads} thread(s).\n")
        header = "utterances/s | s of audio / s | time ÷ that of the encoder |\n|---|--:|--:|--:|"
        print(f"| one utterance at a time | {header}")
        print_rows(steps, count=count, seconds=seconds, repeats=given.repeats)
        print(f"\n| through the loader, batches of {BATCH_SIZE} | {header}")
        loads = {**loads_of(experiment, forms[:2], given.workers), ENCODER: steps[ENCODER]}
        print_rows(loads, count=count, seconds=seconds, repeats=given.repeats)
        print_epochs(folder, forms[0], given.checkpoint, repeats=given.repeats)


if __name__ == "__main__":
    main()
