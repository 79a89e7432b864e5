"""The training loop beside a plain loop and the Trainer of transformers: utterances a second.

    nox -s bench -- training FOLDER --checkpoint FOLDER [--speech FOLDER] [--cells NAME ...] [--repeats N]

FOLDER holds `train.jsonl` and `valid.jsonl` with audio and transcripts, `--checkpoint` the weights of a Whisper,
`--speech` a folder of the same kind for the cell without text. Three loops train the same model, with fused AdamW of
the same rates, decay, clipping and schedule:
- `vietmer`: what `vietmer train` runs, with its run folder, records of every step and deterministic algorithms.
- `plain`: a minimal loop over torch's DataLoader, the same dataset and the same batches, that logs the loss.
- `Trainer`: that of transformers with `train_sampling_strategy="group_by_length"`, the same batch size, and its own
  defaults; progress bar, saving and reporting are off.

Each has a process of its own, and the three take their steps in turn, so that other load falls on all alike. A step is
all from the end of the one before: loading, step, records. Of two epochs the second counts, all of it (the `Trainer`
puts its longest batch first), without the validation that ours makes before it. Rates are by the clock and by CPU time.
Two processes of one program differ by some per cent: each loop runs in so many as `--repeats` says, one after the
other, another loop begins in each, and the range is that of the repeats.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, final

import attrs
import torch
import yaml
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

from vietmer_core.batch import Batch
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.data.dataset import UtteranceDataset, collate
from vietmer_core.hooks import hookimpl
from vietmer_core.records import StepRecord
from vietmer_core.spec import ExperimentSpec
from vietmer_core.spec_loading import load_spec
from vietmer_core.training.experiment import Experiment, prepare, split_dataset
from vietmer_core.training.optimisation import learning_rate_factor, parameter_groups
from vietmer_core.training.runs import start_run

BATCH_SIZE: Final = 8
CLIP: Final = 1.0
EPOCHS: Final = 2  # the first warms up
LOOP: Final = "--loop"  # instead of a folder: one of the loops, in a process of its own


@attrs.frozen(kw_only=True)
class Cell:
    """What is trained."""

    title: str
    utterances: int
    sections: Mapping[str, Any]


def cells(checkpoint: Path) -> dict[str, Cell]:
    """Those that can be timed, by name."""
    encoders = {
        "text": {"kind": "syllable", "dim": 128},
        "audio": {"kind": "whisper", "checkpoint": str(checkpoint.absolute())},
    }
    whisper = {**encoders, "fusion": {"kind": "xattn", "dim": 128}, "pooler": "attn"}
    fourier = {"kind": "fourier2vec", "dim": 128, "num_layers": 3, "num_heads": 4, "hidden_dim": 256}
    speech = {"audio": fourier, "fusion": {"kind": "audio_only", "dim": 128}, "pooler": "attn"}
    return {
        "kept": Cell(
            title="frozen Whisper from the feature cache, `syllable` 128, `xattn` 128",
            utterances=480,
            sections={**whisper, "cache": {"folder": "./features"}},
        ),
        "frozen": Cell(title="frozen Whisper, not kept, `syllable` 128, `xattn` 128", utterances=160, sections=whisper),
        "scratch": Cell(title="`fourier2vec` 128 from scratch, `audio_only`", utterances=240, sections=speech),
    }


def write_spec(cell: Cell, folder: Path, data: Path) -> None:
    """A spec over so many utterances, spread evenly over the split."""
    folder.mkdir()
    lines = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    count = min(cell.utterances, len(lines))
    chosen = [lines[number * len(lines) // count] for number in range(count)]
    valid = (data / "valid.jsonl").read_text(encoding="utf-8").splitlines()[:BATCH_SIZE]
    for split, kept in (("train", chosen), ("valid", valid)):
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    document = {
        "labels": sorted({json.loads(line)["emotion"] for line in chosen}),
        "threads": torch.get_num_threads(),
        "data": {split: {"path": f"{split}.jsonl", "root": str(data.absolute())} for split in ("train", "valid")},
        "sampler": {"kind": "length_bucket", "batch_size": BATCH_SIZE},
        "training": {"epochs": EPOCHS, "device": "cpu", "gradient_clip": CLIP},
        **cell.sections,
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


@final
class Clock:
    """Tells the time of each step, and waits for the turn of the next one."""

    _began = (0.0, 0.0)

    def note(self, utterances: int) -> None:
        clock, cpu = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        print(json.dumps([clock, cpu, utterances]), flush=True)
        sys.stdin.readline()
        self._began = (time.perf_counter(), time.process_time())

    @hookimpl(trylast=True)
    def end_step(self, step: StepRecord) -> None:
        """A step of ours, after all others that watch the run."""
        self.note(step.num_utterances)

    @hookimpl(trylast=True)
    def end_epoch(self) -> None:
        """Ours validates between two epochs, the others do not."""
        self._began = (time.perf_counter(), time.process_time())


def ours(spec: ExperimentSpec, folder: Path) -> None:
    _, finish = start_run(spec, root=folder / "runs", observers=[Clock()])
    assert finish.outcome == "finished"


def dataset_of(experiment: Experiment) -> UtteranceDataset:
    """The training split, with kept states where there are any."""
    states = experiment.states.get("train")
    return split_dataset(experiment.train, experiment.frontends, experiment.spec, states=states)


def plain(spec: ExperimentSpec, _folder: Path) -> None:
    """A minimal loop."""
    clock = Clock()
    experiment = prepare(spec, installed_catalogue())
    model, training, batches = experiment.model, spec.training, experiment.batches
    loader = DataLoader(dataset_of(experiment), batch_sampler=batches, collate_fn=collate)
    optimiser = torch.optim.AdamW(parameter_groups(model, training), fused=True)  # as ours and as the Trainer's
    total = batches.total(EPOCHS)
    shape = partial(learning_rate_factor, total=total, warmup=round(training.warmup * total), schedule="cosine")
    schedule = LambdaLR(optimiser, shape)
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    log: list[float] = []
    model.train()
    for epoch in range(EPOCHS):
        batches.set_epoch(epoch)
        for batch in loader:
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(batch), batch.labels)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            clip_grad_norm_(weights, CLIP)
            optimiser.step()
            schedule.step()
            log.append(loss.item())
            clock.note(len(batch))


@final
class Rows(Dataset[dict[str, Any]]):
    """The dataset as the Trainer wants it, which groups by the length of `input_ids`: the audio."""

    def __init__(self, samples: UtteranceDataset) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self._samples[index]
        return {"input_ids": sample.audio, "sample": sample}

    def collated(self, rows: Sequence[dict[str, Any]]) -> dict[str, Batch]:
        return {"batch": collate([row["sample"] for row in rows])}


@final
class Wrapped(nn.Module):
    """The model as the Trainer wants it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        logits = self.model(batch)
        return {"loss": nn.functional.cross_entropy(logits, batch.labels), "logits": logits}  # type: ignore[arg-type]


def trainer(spec: ExperimentSpec, folder: Path) -> None:
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    clock, training = Clock(), spec.training
    experiment = prepare(spec, installed_catalogue())

    class Ends(TrainerCallback):
        def on_step_end(self, *given: object, **named: object) -> None:
            del given, named
            clock.note(BATCH_SIZE)

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=BATCH_SIZE,
        num_train_epochs=EPOCHS,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        max_grad_norm=CLIP,
        lr_scheduler_type=training.schedule,
        warmup_steps=round(training.warmup * experiment.batches.total(EPOCHS)),
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    rows = Rows(dataset_of(experiment))
    model = Wrapped(experiment.model)
    loop = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=rows.collated, callbacks=[Ends()])
    loop.remove_callback(PrinterCallback)
    loop.train()


LOOPS: Final[dict[str, Callable[[ExperimentSpec, Path], None]]] = {"vietmer": ours, "plain": plain, "Trainer": trainer}
Step = tuple[float, float, int]  # seconds by the clock, CPU seconds, utterances


def steps_in_turn(folder: Path, *, first: int) -> dict[str, list[Step]]:
    """The steps of the last epoch, of each loop; one of them begins."""
    command = (sys.executable, __file__, LOOP, str(folder))
    start = partial(subprocess.Popen[str], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    titles = sorted(LOOPS, key=lambda title: ([*LOOPS].index(title) - first) % len(LOOPS))
    started = {title: start([*command, title]) for title in titles}
    steps: dict[str, list[Step]] = {title: [] for title in titles}
    lines = {title: process.stdout.readline() for title, process in started.items() if process.stdout}
    while any(lines.values()):
        for title, process in started.items():
            if lines[title] and process.stdin and process.stdout:
                steps[title].append(json.loads(lines[title]))
                process.stdin.write("\n")
                process.stdin.flush()
                lines[title] = process.stdout.readline()
    if any(process.wait() for process in started.values()):
        sys.exit("A loop has failed; what it wrote stands above.")
    return {title: found[len(found) // EPOCHS * (EPOCHS - 1) :] for title, found in steps.items()}


def each(steps: Sequence[Step], kind: int) -> float:
    """Seconds an utterance."""
    return sum(step[kind] for step in steps) / sum(step[2] for step in steps)


def ratios(steps: Sequence[Step], own: Sequence[Step], kind: int, *, repeats: int) -> str:
    """What the steps take ÷ what ours take: of all, and the range over the repeats."""
    edges = [len(own) * number // repeats for number in range(repeats + 1)]
    found = [each(steps[a:b], kind) / each(own[a:b], kind) for a, b in pairwise(edges)]
    return f"{each(steps, kind) / each(own, kind):.3f} ({min(found):.3f}–{max(found):.3f})"


def print_cell(cell: Cell, steps: Mapping[str, Sequence[Step]], *, repeats: int) -> None:
    """Rows of the table."""
    for title, found in steps.items():
        shares = [ratios(found, steps["vietmer"], kind, repeats=repeats) for kind in (0, 1)]
        figures = [f"{1 / each(found, 0):.1f}", f"{1000 * each(found, 1):.2f}", *shares]
        print(f"| {cell.title} | `{title}` | {' | '.join(figures)} |", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1:2] == [LOOP]:
        LOOPS[sys.argv[3]](load_spec([Path(sys.argv[2], "spec.yaml")]), Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, metavar="FOLDER")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--speech", type=Path, metavar="FOLDER")
    parser.add_argument("--cells", nargs="+", default=list(cells(Path())), choices=list(cells(Path())))
    parser.add_argument("--repeats", type=int, default=2, metavar="N")
    given = parser.parse_args()
    print(
        "| model | loop | utterances/s | CPU ms an utterance | `vietmer` ÷ it, by the clock | by CPU time |\n"
        "|---|---|--:|--:|--:|--:|"
    )
    with tempfile.TemporaryDirectory() as name:
        for key in given.cells:
            cell = cells(given.checkpoint)[key]
            folder = Path(name) / key
            write_spec(cell, folder, given.data if "text" in cell.sections else given.speech or given.data)
            prepare(load_spec([folder / "spec.yaml"]), installed_catalogue())  # fills the feature cache, if any
            runs = [steps_in_turn(folder, first=number) for number in range(given.repeats)]
            steps = {title: [step for run in runs for step in run[title]] for title in LOOPS}
            print_cell(cell, steps, repeats=given.repeats)


if __name__ == "__main__":
    main()
