"""Samplers side by side in one run: how much they pad, how many batches they make, how fresh these are.

Run: `python benchmarks/samplers.py --corpus visec durations.json --corpus ravdess train.jsonl valid.jsonl test.jsonl`.
A `.json` file holds `{"durations": [seconds, …]}`, and words are drawn at 2.5 to 4.5 a second; a `.jsonl` file is a
manifest with `start`, `end` and `transcript`. Splits of each size are drawn from these lengths with replacement, each
changed by up to 3 %. transformers and lhotse are compared where they are installed (`pip install transformers lhotse`);
nothing else needs lhotse. Prints Markdown tables; one thread.

Columns. audio, text: real ÷ computed frames of 20 ms and words, the mean of the epochs. ÷ fewest: batches ÷ the fewest
that any grouping within the limits has; a canonical sampler compares a budget with the edges, and so does this. fill:
rows ÷ the rows that the limits allow at the longest of the batch. shapes: distinct (rows, frames, words) of a pass;
a canonical pass always has the rows of its edges. mates: share of the pairs of batch-mates of an epoch that meet again
in the next. lockstep: mean ÷ largest computed frames of a step of four processes, averaged; what is missing to 1 is
waiting. most: largest batch ÷ budget. ms: of one epoch's order, best of the epochs. `batch_rebalance` splits steps of 8
batches; peers without a budget get as many rows a batch as make as many batches as `length_bucket` does, and lhotse is
shown at the same budget and at the same number of batches, as near as it gets.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from vietmer_core.catalogue import installed_catalogue
from vietmer_core.components import Role
from vietmer_core.data.batch_params import BatchLimits
from vietmer_core.data.batching import batches_in_order, cut, row_limits
from vietmer_core.data.sizes import UtteranceSizes
from vietmer_core.shapes import audio_edges, frames_of, text_edges

SIZES: Final = (64, 500, 5_000, 50_000)
EPOCHS: Final = 3
STEP: Final = 8
"""Batches that `batch_rebalance` balances at a time."""
PROCESSES: Final = 4
COUNTED: Final[tuple[dict[str, int], ...]] = ({"batch_size": 8}, {"batch_size": 16}, {"batch_size": 32})
BUDGETS: Final[tuple[dict[str, int], ...]] = ({"max_frames": 2000}, {"max_frames": 4000, "max_tokens": 320})
COLUMNS: Final = ("audio", "text", "batches", "÷ fewest", "fill", "shapes", "mates", "lockstep")
OURS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("uniform", {}),
    ("length_bucket", {}),
    ("length_bucket", {"jitter": 0.005}),
    ("length_bucket", {"pool_batches": 100}),
    ("length_bucket", {"canonical": True}),
    ("weighted", {}),
    ("weighted_bucket", {}),
    ("weighted_bucket", {"canonical": True}),
)

Batches = Sequence[Sequence[int]]
Draw = Callable[[int], Batches]
"""An epoch to its batches."""


@attrs.frozen(kw_only=True, eq=False)
class Split:
    """A split with its widths.

    Attributes:
        sizes: What samplers may know.
        frames: Of 20 ms, `(utterances,)`.
        words: `(utterances,)`.
    """

    sizes: UtteranceSizes
    frames: NDArray[np.int64]
    words: NDArray[np.int64]

    def rows(self, limits: BatchLimits, batch: Sequence[int]) -> int:
        """Rows that the limits allow at the longest of a batch."""
        chosen = list(batch)
        given = [limits.batch_size] if limits.batch_size else []
        widths = ((limits.max_frames, self.frames), (limits.max_tokens, self.words))
        return min([*given, *(budget // int(width[chosen].max()) for budget, width in widths if budget)])


def read(files: list[Path]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds and words of every utterance of some files."""
    seconds: list[float] = []
    words: list[float] = []
    for file in files:
        if file.suffix == ".jsonl":
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
            seconds += [row["end"] - row["start"] for row in rows]
            words += [len(row["transcript"].split()) for row in rows]
        else:
            found = json.loads(file.read_text(encoding="utf-8"))["durations"]
            seconds += found
            words += (np.array(found) * np.random.default_rng(0).uniform(2.5, 4.5, len(found))).tolist()
    return np.array(seconds), np.array(words)


def drawn_split(seconds: NDArray[np.float64], words: NDArray[np.float64], *, size: int) -> Split:
    """A split of that many utterances with the lengths of a corpus, and labels of which some are rare."""
    generator = np.random.default_rng(size)
    chosen, factor = generator.integers(0, len(seconds), size), generator.uniform(0.97, 1.03, size)
    sizes = UtteranceSizes(
        audio_seconds=(seconds[chosen] * factor).astype(np.float32),
        text_words=np.maximum(1, np.round(words[chosen] * factor)).astype(np.int32),
        labels=np.append(np.arange(4), generator.choice(4, size - 4, p=[0.6, 0.2, 0.15, 0.05])).astype(np.int32),
    )
    return Split(sizes=sizes, frames=frames_of(sizes.audio_seconds), words=sizes.text_words.astype(np.int64))


def ours(kind: str, params: dict[str, Any], split: Split) -> Draw:
    """One of the house's samplers."""
    component = installed_catalogue().component(Role.SAMPLER, kind)
    return component.build(component.params.model_validate(params), sizes=split.sizes, seed=0).batches  # type: ignore[no-any-return]  # a sampler


def grouped(split: Split, *, rows: int) -> Draw:
    """Peer: transformers' `group_by_length`."""
    from transformers.trainer_pt_utils import LengthGroupedSampler

    lengths = split.frames.tolist()

    def draw(epoch: int) -> Batches:
        generator = torch.Generator().manual_seed(epoch)
        order = list(LengthGroupedSampler(rows, lengths=lengths, generator=generator))
        return [order[start : start + rows] for start in range(0, len(order), rows)]

    return draw


def rebalanced(split: Split, *, rows: int) -> Draw:
    """Peer: transformers' `batch_rebalance`."""
    from transformers.trainer_pt_utils import BatchRebalanceSampler

    lengths = split.frames.tolist()

    def draw(epoch: int) -> Batches:
        sampler = BatchRebalanceSampler(
            lengths, effective_batch_size=rows * STEP, dp_size=1, grad_accum=STEP, drop_last=False
        )
        sampler.set_epoch(epoch)
        return list(sampler)

    return draw


def dynamic(split: Split, *, buckets: int, rows: int | None = None, seconds: float | None = None) -> Draw:
    """Peer: lhotse's `DynamicBucketingSampler`, by a count or by a budget of seconds."""
    sampler_class = import_module("lhotse.dataset").DynamicBucketingSampler
    lhotse, lengths = import_module("lhotse"), (split.frames / 50).tolist()
    cuts = lhotse.CutSet.from_cuts(
        lhotse.MonoCut(id=str(index), start=0, duration=length, channel=0) for index, length in enumerate(lengths)
    )

    def draw(epoch: int) -> Batches:
        sampler = sampler_class(
            cuts, max_cuts=rows, max_duration=seconds, num_buckets=buckets, shuffle=True, drop_last=False, seed=0
        )
        sampler.set_epoch(epoch)
        return [[int(one.id) for one in batch] for batch in sampler]

    return draw


def dynamic_like(split: Split, *, buckets: int, batches: int, seconds: float) -> Draw:
    """Peer: lhotse's sampler at the budget at which it makes about so many batches."""
    draw = dynamic(split, buckets=buckets, seconds=seconds)
    for _ in range(6):
        found = len(draw(0))
        if abs(found - batches) <= 0.01 * batches:
            break
        seconds *= found / batches
        draw = dynamic(split, buckets=buckets, seconds=seconds)
    return draw


def installed(name: str) -> bool:
    """Whether a peer can be compared."""
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def competitors(split: Split, given: dict[str, int]) -> Iterator[tuple[str, dict[str, Any], Draw]]:
    """Name, our parameters and order of every sampler."""
    for kind, params in OURS:
        note = "".join(f", `{name}: {str(value).lower()}`" for name, value in params.items())
        yield f"`{kind}`{note}", params, ours(kind, given | params, split)
    batches = len(ours("length_bucket", dict(given), split)(0))
    rows = given.get("batch_size") or max(1, round(len(split.sizes) / batches))
    suffix = "" if "batch_size" in given else f", {rows} rows"
    if installed("transformers"):
        yield f"transformers `group_by_length`{suffix}", {}, grouped(split, rows=rows)
        if rows * STEP <= len(split.sizes):
            yield f"transformers `batch_rebalance`{suffix}", {}, rebalanced(split, rows=rows)
    for buckets in (10, 30) if installed("lhotse") else ():
        name = f"lhotse `DynamicBucketingSampler`, {buckets}"
        if "max_frames" not in given:
            yield name, {}, dynamic(split, buckets=buckets, rows=rows)
            continue
        seconds = given["max_frames"] / 50
        yield name, {}, dynamic(split, buckets=buckets, seconds=seconds)
        matched = dynamic_like(split, buckets=buckets, batches=batches, seconds=seconds)
        yield f"{name}, as many batches", {}, matched
    order = np.argsort(-split.frames, kind="stable")
    limits = row_limits(split.sizes, BatchLimits.model_validate(given))
    yield "full sort", {}, lambda _epoch: batches_in_order(order, cut(limits[order]))
    yield "batch of 1", {}, lambda _epoch: [[index] for index in range(len(split.sizes))]


def mates_kept(first: Batches, second: Batches) -> float:
    """Share of the pairs of `first` that are pairs of `second`."""
    place = {member: index for index, batch in enumerate(second) for member in batch}
    pairs = kept = 0
    for batch in first:
        counts = np.unique([place[member] for member in batch], return_counts=True)[1]
        pairs += len(batch) * (len(batch) - 1)
        kept += int((counts * (counts - 1)).sum())
    return kept / max(1, pairs)


def row(name: str, params: dict[str, Any], draw: Draw, split: Split, given: dict[str, int]) -> str:
    """One line of a table."""
    epochs, times = [], []
    for epoch in range(EPOCHS):
        begin = time.perf_counter()
        epochs.append(draw(epoch))
        times.append(time.perf_counter() - begin)
    limits, canonical = BatchLimits.model_validate(given), bool(params.get("canonical"))
    widths = (audio_edges(split.frames), text_edges(split.words)) if canonical else (split.frames, split.words)
    padded = attrs.evolve(split, frames=widths[0], words=widths[1])
    draws = [[index for batch in batches for index in batch] for batches in epochs]
    once = all(sorted(found) == list(range(len(split.sizes))) for found in draws)
    shares = []
    for real, width in ((split.frames, padded.frames), (split.words, padded.words)):
        computed = [sum(len(batch) * int(width[list(batch)].max()) for batch in batches) for batches in epochs]
        shares.append(float(np.mean([real[found].sum() / all_ for found, all_ in zip(draws, computed, strict=True)])))
    found = epochs[0]
    cost = np.array([len(batch) * int(padded.frames[list(batch)].max()) for batch in found])
    steps = cost[: len(cost) // PROCESSES * PROCESSES].reshape(-1, PROCESSES)  # (steps, processes)
    lockstep = f"{float((steps.mean(axis=1) / steps.max(axis=1)).mean()):.2f}" if len(steps) else "–"
    fill = sum(len(batch) for batch in found) / sum(padded.rows(limits, batch) for batch in found)
    rows = [0 if canonical else len(batch) for batch in found]
    tops = [(int(padded.frames[list(batch)].max()), int(padded.words[list(batch)].max())) for batch in found]
    fewest = len(cut(np.sort(row_limits(split.sizes, limits, canonical=canonical))))
    kept = f"{mates_kept(*epochs[:2]):.3f}" if once else "–"
    most = f" {cost.max() / given['max_frames']:.2f} |" if "max_frames" in given else ""
    return (
        f"| {name} | {shares[0]:.3f} | {shares[1]:.3f} | {len(found)} | {len(found) / fewest:.3f} | {fill:.2f} | "
        f"{len(set(zip(rows, tops, strict=True)))} | {kept} | {lockstep} |{most} {'yes' if once else 'no'} | "
        f"{1e3 * min(times):.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", nargs="+", action="append", required=True, metavar=("NAME", "FILE"))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, *files in arguments.corpus:
        seconds, words = read([Path(file) for file in files])
        for size in arguments.sizes:
            split = drawn_split(seconds, words, size=size)
            for given in (*COUNTED, *BUDGETS):
                limits = ", ".join(f"`{limit}: {value}`" for limit, value in given.items())
                most = " most |" if "max_frames" in given else ""
                print(f"\n### {name}, {size:,} utterances, {limits}\n")
                print(f"| sampler | {' | '.join(COLUMNS)} |{most} once | ms |")
                print(f"|---|{'--:|' * (len(COLUMNS) + 2 + bool(most))}")
                for sampler, params, draw in competitors(split, given):
                    print(row(sampler, params, draw, split, given), flush=True)


if __name__ == "__main__":
    main()
