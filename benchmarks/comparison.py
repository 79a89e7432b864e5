"""How often each test finds a difference between two systems that are alike: 5 % is right, more is a false finding.

Run `python benchmarks/comparison.py`. Two systems are right on an utterance with the same probability on average, which
varies from speaker to speaker, for each system in its own way, and, with several seeds, from seed to seed. It prints a
Markdown table and imports no torch.
"""

import argparse
import sys
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vietmer_core.comparison.pairs import Pair, compare_pair
from vietmer_core.comparison.systems import System

NUM_SPEAKERS: Final = (4, 16, 50)
NUM_CLASSES: Final = 4
PER_SPEAKER: Final = 20
ACCURACY_LOGIT: Final = 0.6
"""0.65 of the utterances are right."""
SPEAKER_DEVIATION: Final = 0.5
"""Of the logit, from speaker to speaker, for each system in its own way."""
SEED_DEVIATION: Final = 0.15
"""Of the logit, from seed to seed."""
ALPHA: Final = 0.05


def draw_system(
    name: str, truth: NDArray[np.int64], speakers: NDArray[np.int64], *, seeds: int, rng: np.random.Generator
) -> System:
    of_speaker = SPEAKER_DEVIATION * rng.standard_normal(speakers.max() + 1)
    of_seed = SEED_DEVIATION * rng.standard_normal(seeds) if seeds > 1 else np.zeros(1)
    logit = ACCURACY_LOGIT + of_speaker[speakers] + of_seed[:, None]  # (seeds, utterances)
    right = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    wrong = (truth + rng.integers(1, NUM_CLASSES, size=logit.shape)) % NUM_CLASSES
    predicted = np.where(right, truth, wrong)
    return System(
        name=name,
        labels=tuple(map(str, range(NUM_CLASSES))),
        utterance_ids=tuple(map(str, range(len(truth)))),
        speakers=tuple(map(str, speakers)),
        truth=truth,
        probabilities=np.where(np.arange(NUM_CLASSES) == predicted[..., None], 0.7, 0.1),
        seeds=tuple(range(seeds)),
    )


def draw_pair(num_speakers: int, *, seeds: int, draw: int) -> Pair:
    rng = np.random.default_rng([draw, num_speakers, seeds])
    speakers = np.repeat(np.arange(num_speakers), PER_SPEAKER)
    truth = rng.integers(0, NUM_CLASSES, size=len(speakers))
    systems = [draw_system(name, truth, speakers, seeds=seeds, rng=rng) for name in ("first", "second")]
    return compare_pair(*systems, metric="macro_f1", seed=draw)


def findings(pair: Pair) -> list[bool]:
    interval = pair.difference.interval
    assert interval.low is not None
    assert interval.high is not None
    assert pair.difference.p_t is not None
    return [
        pair.mcnemar[0].p <= ALPHA,
        pair.mcnemar[0].mid_p <= ALPHA,
        not interval.drawn_low <= 0 <= interval.drawn_high,
        not interval.low <= 0 <= interval.high,
        pair.difference.p_t <= ALPHA,
        pair.permutation.p <= ALPHA,
        pair.p <= ALPHA,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--speakers", type=int, nargs="+", default=list(NUM_SPEAKERS))
    given = parser.parse_args()
    print(f"{given.draws} draws, Python {sys.version.split()[0]}, numpy {np.__version__}\n")
    print("| seeds | speakers | McNemar | mid-p | percentiles of draws | interval | t | swaps of speakers | `p` | s |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for seeds in given.seeds:
        for num_speakers in given.speakers:
            begin = time.perf_counter()
            found = np.mean(
                [findings(draw_pair(num_speakers, seeds=seeds, draw=draw)) for draw in range(given.draws)], axis=0
            )
            seconds = time.perf_counter() - begin
            shares = " | ".join(f"{share:.3f}" for share in found)
            print(f"| {seeds} | {num_speakers} | {shares} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
