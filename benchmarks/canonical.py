"""Predicting a split in padded batches, one by one and at canonical shapes: speed, and what neighbours change.

    nox -s bench -- canonical MANIFEST --checkpoint FOLDER [--utterances N] [--repeats N] [--threads N ...]
                                 [--frames N ...]

MANIFEST is a split with audio and transcripts, FOLDER holds the weights of a Whisper. The model is whole: `whisper`,
frozen, and `syllable`, fusion `xattn`, pooler `attn`, at their default sizes. Utterances are prepared beforehand, so
that the forward passes alone are timed. A pass of many rows is filled by utterances of the same edges only: with few
utterances most of its rows are dummies, so a small N is no measure of it. Prints two Markdown tables:

1. Utterances a second, and the largest difference of an utterance's probabilities between six batchings of the same
   utterances: batches of 1, 3, 8 and 16 of like length, 16 in random order, 16 with the longest beside the shortest.
   In float32 and under autocast to bfloat16, at each number of threads. Repeats are in turn; the median stands in the
   table, and the range in brackets.
2. The passes of one prediction: distinct shapes, real rows among all rows, real frames among all frames.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from vietmer_core.assembly import build_frontends, build_model
from vietmer_core.canonical import CanonicalPasses, canonical_passes
from vietmer_core.catalogue import installed_catalogue
from vietmer_core.data.dataset import UtteranceDataset
from vietmer_core.data.loader import iterate, make_loader
from vietmer_core.data.manifest import Manifest, ManifestSource
from vietmer_core.evaluation.predictions import predict_split
from vietmer_core.frontends import Frontends
from vietmer_core.model import EmotionModel
from vietmer_core.sequence import MaskedSequence
from vietmer_core.spec import ExperimentSpec, LoaderSpec, ShapesSpec
from vietmer_core.spec_fields import CATALOGUE_KEY

SPEED: Final = "16, like length"
"""The batching that is timed: the one of a prediction."""
DTYPES: Final[Mapping[str, torch.dtype]] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MEMORY_MIB: Final = 2**14
CPU: Final = torch.device("cpu")

Batches = list[list[int]]


def batchings(seconds: NDArray[np.floating], chosen: Sequence[int]) -> dict[str, Batches]:
    """The same utterances in six orders and batch sizes."""
    like = sorted(chosen, key=lambda index: float(seconds[index]))
    shuffled: list[int] = np.random.default_rng(0).permutation(like).tolist()
    mixed = [index for pair in zip(like, reversed(like), strict=True) for index in pair][: len(like)]
    orders = {f"{size}, like length": (like, size) for size in (1, 3, 8, 16)}
    orders |= {"16, random": (shuffled, 16), "16, longest beside shortest": (mixed, 16)}
    return {
        title: [order[start : start + size] for start in range(0, len(order), size)]
        for title, (order, size) in orders.items()
    }


@attrs.define(kw_only=True)
class Seen:
    """The passes that a module was given: their shapes, and how much of them was real."""

    shapes: set[tuple[int, ...]] = attrs.field(factory=set)
    rows: int = 0
    real_rows: int = 0
    frames: int = 0
    real_frames: int = 0

    def add(self, audio: MaskedSequence, *others: MaskedSequence) -> None:
        """Count one pass."""
        self.shapes.add((*audio.features.shape[:2], *(other.features.shape[1] for other in others)))
        lengths = torch.stack([sequence.lengths for sequence in (audio, *others)])  # (modalities, batch)
        self.rows += lengths.shape[1]
        self.real_rows += int((lengths.amax(dim=0) > 0).sum())
        self.frames += audio.features.shape[0] * audio.features.shape[1]
        self.real_frames += int(audio.lengths.sum())

    def cells(self) -> str:
        """For the second table."""
        rows, frames = self.real_rows / self.rows, self.real_frames / self.frames
        return f"{len(self.shapes)} | {rows:.3f} | {frames:.3f}"


@contextmanager
def watching(model: EmotionModel) -> Iterator[tuple[Seen, Seen]]:
    """Notes the passes of the audio encoder and of the fusion."""
    encoder, seen = model.audio, (Seen(), Seen())
    watched: Any = encoder
    original = watched.encode

    def encode(sequence: MaskedSequence) -> MaskedSequence:
        seen[0].add(sequence)
        states: MaskedSequence = original(sequence)
        return states

    def before(_module: object, _given: object, named: Mapping[str, MaskedSequence]) -> None:
        seen[1].add(named["audio"], named["text"])

    handle = model.fusion.register_forward_pre_hook(before, with_kwargs=True)
    watched.encode = encode
    try:
        yield seen
    finally:
        del watched.encode
        handle.remove()


@attrs.frozen(kw_only=True, eq=False)
class Way:
    """One way to predict.

    Attributes:
        title: For the tables.
        passes: Canonical ones, or None for padded batches.
        alone: Whether each utterance is a batch of its own, whatever the batching.
    """

    title: str
    passes: CanonicalPasses | None = None
    alone: bool = False


@attrs.frozen(kw_only=True, eq=False)
class Bench:
    """A model with the utterances that it predicts, prepared once and kept in memory."""

    model: EmotionModel
    dataset: UtteranceDataset
    batchings: Mapping[str, Batches]
    num_classes: int

    def probabilities(self, way: Way, batching: str) -> NDArray[np.float64]:
        """Of each utterance, `(utterances, classes)`, in the order of the split."""
        batches = self.batchings[batching]
        if way.alone:
            batches = [[index] for batch in batches for index in batch]
        loader = make_loader(self.dataset, batches, loader=LoaderSpec(), seed=0, pin_memory=False)
        found = predict_split(self.model, loader, num_classes=self.num_classes, device=CPU, passes=way.passes)
        return found.probabilities

    def measured(self, ways: Sequence[Way], *, repeats: int) -> tuple[list[list[float]], list[float]]:
        """Seconds of a prediction, repeat by repeat for each way; for each way, the largest difference of batchings."""
        found = [[self.probabilities(way, batching) for batching in self.batchings] for way in ways]
        seconds = []
        for _ in range(repeats):
            begins = [time.perf_counter()]
            for place, way in enumerate(ways):
                found[place].append(self.probabilities(way, SPEED))
                begins.append(time.perf_counter())
            seconds.append([end - begin for begin, end in itertools.pairwise(begins)])
        stacks = [np.stack(several) for several in found]  # (predictions, utterances, classes) each
        return seconds, [float((stack.max(axis=0) - stack.min(axis=0)).max()) for stack in stacks]


def spec_of(manifest: Path, checkpoint: Path) -> ExperimentSpec:
    """The model, over the labels of a manifest."""
    lines = manifest.read_text(encoding="utf-8").splitlines()
    document = {
        "labels": sorted({json.loads(line)["emotion"] for line in lines}),
        "data": {"train": manifest, "valid": manifest},
        "text": {"kind": "syllable"},
        "audio": {"kind": "whisper", "checkpoint": str(checkpoint.absolute())},
        "fusion": {"kind": "xattn"},
        "pooler": {"kind": "attn"},
        "sampler": {"kind": "uniform"},
    }
    return ExperimentSpec.model_validate(document, context={CATALOGUE_KEY: installed_catalogue()})


def bench_of(spec: ExperimentSpec, manifest: Path, frontends: Frontends, *, utterances: int) -> Bench:
    """Over so many utterances, spread evenly over the manifest."""
    split = Manifest.open([ManifestSource(path=manifest)], require_labels=False)
    count = min(utterances, len(split))
    found = batchings(split.sizes.audio_seconds, [number * len(split) // count for number in range(count)])
    dataset = UtteranceDataset(split, frontends=frontends, labels=None, channel="mono", cache_mib=MEMORY_MIB)
    for _ in iterate(make_loader(dataset, found[SPEED], loader=LoaderSpec(), seed=0, pin_memory=False)):
        pass  # from now on they are in memory
    model = build_model(spec, installed_catalogue())
    return Bench(model=model, dataset=dataset, batchings=found, num_classes=len(spec.labels))


def ways_of(model: EmotionModel, frontends: Frontends, *, budgets: Sequence[int]) -> list[Way]:
    """The way that others are compared to comes first; `budgets` are frames, and tokens, of a canonical pass."""

    def canonical(title: str, shapes: ShapesSpec) -> Way:
        return Way(title=title, passes=canonical_passes(model, frontends, shapes, device=CPU))

    return [
        Way(title="padded batches of 16"),
        Way(title="one by one, unpadded", alone=True),
        canonical("canonical, one row", ShapesSpec(frames_per_pass=1, tokens_per_pass=1)),
        *(
            canonical(f"canonical, {budget} frames", ShapesSpec(frames_per_pass=budget, tokens_per_pass=budget))
            for budget in budgets
        ),
    ]


def autocast(dtype: torch.dtype) -> AbstractContextManager[Any]:
    return nullcontext() if dtype == torch.float32 else torch.autocast("cpu", dtype=dtype)


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def print_speed(bench: Bench, ways: Sequence[Way], *, repeats: int, threads: Sequence[int]) -> None:
    """Print the first table."""
    count = sum(map(len, bench.batchings[SPEED]))
    print(f"| {count} utterances | dtype | threads | utterances/s | ÷ {ways[0].title} | largest difference |")
    print("|---|---|--:|--:|--:|--:|")
    for number in threads:
        torch.set_num_threads(number)
        for name, dtype in DTYPES.items():
            with autocast(dtype):
                turns, apart = bench.measured(ways, repeats=repeats)
            for place, way in enumerate(ways):
                rates = [count / turn[place] for turn in turns]
                ratios = [turn[0] / turn[place] for turn in turns]
                figures = f"{spread(rates)} | {spread(ratios)} | {apart[place]:.1e}"
                print(f"| {way.title} | {name} | {number} | {figures} |", flush=True)


def print_passes(bench: Bench, ways: Sequence[Way]) -> None:
    """Print the second table."""
    print("\n| | encoder: shapes | real rows | real frames | fusion: shapes | real rows | real frames |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for way in ways:
        with watching(bench.model) as (encoder, fusion):
            bench.probabilities(way, SPEED)
        print(f"| {way.title} | {encoder.cells()} | {fusion.cells()} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, metavar="MANIFEST")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", required=True, help="weights of a Whisper")
    parser.add_argument("--utterances", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, nargs="*", default=[400, 1600, 6400], help="budgets of canonical passes")
    given = parser.parse_args()
    torch.set_num_threads(given.threads[0])
    spec = spec_of(given.manifest.absolute(), given.checkpoint)
    frontends = build_frontends(spec, installed_catalogue())
    bench = bench_of(spec, given.manifest, frontends, utterances=given.utterances)
    ways = ways_of(bench.model, frontends, budgets=given.frames)
    print_speed(bench, ways, repeats=given.repeats, threads=given.threads)
    print_passes(bench, ways)


if __name__ == "__main__":
    main()
