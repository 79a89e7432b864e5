"""Padding efficiency, freshness and speed of the samplers, as a Markdown table.

Run: `python benchmarks/samplers.py durations.json`, where the file holds `{"durations": [seconds, …]}`.
Padding efficiency is real ÷ padded audio seconds. The share of batch-mates kept is the share of pairs that shared a
batch in one epoch and share one again in the next. Word counts are drawn at 2.5 to 4.5 words a second.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vietmer_sampler_length_bucket.plugin import LengthBucketSamplerParams
from vietmer_sampler_length_bucket.plugin import build as build_length_bucket
from vietmer_sampler_uniform.plugin import UniformSamplerParams
from vietmer_sampler_uniform.plugin import build as build_uniform

from vietmer_core.protocols import Sampler, UtteranceSizes

NUM_EPOCHS = 20
LARGE = 100_000

Batches = Sequence[Sequence[int]]
BuildAt = Callable[[UtteranceSizes, int], Sampler]


def sizes_of(seconds: NDArray[np.float32]) -> UtteranceSizes:
    """Sizes with word counts at a plausible rate of speech."""
    rate = np.random.default_rng(0).uniform(2.5, 4.5, len(seconds))
    return UtteranceSizes(
        audio_seconds=seconds,
        text_words=np.round(seconds * rate).astype(np.int32),
        labels=np.zeros(len(seconds), np.int32),
    )


def padding_efficiency(batches: Batches, seconds: NDArray[np.float32]) -> float:
    """Real ÷ padded seconds."""
    padded = sum(len(batch) * float(seconds[list(batch)].max()) for batch in batches)
    return float(seconds.sum(dtype=np.float64)) / padded


def share_of_mates_kept(first: Batches, second: Batches) -> float:
    """Share of the pairs of `first` that are pairs of `second`."""
    place = {member: index for index, batch in enumerate(second) for member in batch}
    pairs = kept = 0
    for batch in first:
        counts = np.unique([place[member] for member in batch], return_counts=True)[1]
        pairs += len(batch) * (len(batch) - 1)
        kept += int((counts * (counts - 1)).sum())
    return kept / pairs


def seconds_an_epoch(build_at: BuildAt, seconds: NDArray[np.float32], batch_size: int) -> float:
    """Best of three epochs of 100,000 utterances."""
    drawn = np.random.default_rng(0).choice(seconds, LARGE)
    sampler = build_at(sizes_of(drawn), batch_size)
    times = []
    for epoch in range(3):
        start = time.perf_counter()
        sampler.batches(epoch)
        times.append(time.perf_counter() - start)
    return min(times)


def uniform(sizes: UtteranceSizes, batch_size: int) -> Sampler:
    return build_uniform(UniformSamplerParams(batch_size=batch_size), sizes=sizes, seed=0)


def length_bucket(pool_batches: int) -> BuildAt:
    def build_at(sizes: UtteranceSizes, batch_size: int) -> Sampler:
        params = LengthBucketSamplerParams(batch_size=batch_size, pool_batches=pool_batches)
        return build_length_bucket(params, sizes=sizes, seed=0)

    return build_at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("durations", type=Path, help='JSON file: {"durations": [seconds, …]}')
    path: Path = parser.parse_args().durations
    seconds = np.asarray(json.loads(path.read_text())["durations"], np.float32)
    default = LengthBucketSamplerParams().pool_batches
    samplers: list[tuple[str, BuildAt]] = [("`uniform`", uniform)]
    for pool_batches in (25, 50, 100, 200, 0):
        note = " (default)" if pool_batches == default else ""
        samplers.append((f"`length_bucket`, `pool_batches: {pool_batches}`{note}", length_bucket(pool_batches)))
    print(f"{len(seconds)} utterances, mean of {NUM_EPOCHS} epochs.\n")
    print("| sampler | batch | padding efficiency | batch-mates kept | time of 100,000 |")
    print("|---|---:|---:|---:|---:|")
    for batch_size in (8, 16, 32):
        for name, build_at in samplers:
            sampler = build_at(sizes_of(seconds), batch_size)
            epochs = [sampler.batches(epoch) for epoch in range(NUM_EPOCHS)]
            efficiency = np.mean([padding_efficiency(batches, seconds) for batches in epochs])
            kept = np.mean([share_of_mates_kept(epochs[i], epochs[i + 1]) for i in range(NUM_EPOCHS - 1)])
            took = seconds_an_epoch(build_at, seconds, batch_size)
            print(f"| {name} | {batch_size} | {efficiency:.3f} | {kept:.2%} | {1e3 * took:.0f} ms |")
        order = np.argsort(seconds).tolist()
        ideal = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        print(f"| full sort (ideal) | {batch_size} | {padding_efficiency(ideal, seconds):.3f} | 100.00% | |")


if __name__ == "__main__":
    main()
