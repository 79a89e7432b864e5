"""How often an interval holds the score of all speakers: by simulation, for 4 to 100 test speakers.

Run: `python benchmarks/coverage.py`. Prints a Markdown table; one thread.

A test set is simulated again and again: speakers from one population, 5 to 150 utterances each (log-normal, median
25), seven classes from 25 % to 6 %, each speaker with a mix of its own (Dirichlet, concentration 20). A model's
logits for an utterance are its skill on the true class plus noise, where each speaker has a skill of its own, a
leaning of its own to each class, and confusions of its own between each two classes; all are normal. So utterances of
one speaker are right or wrong together; the correlation that results is printed. A second model hears the same
utterances: three quarters of the variance of what is a speaker's is common to both. The score of all speakers is that
of 60,000 of them.

Columns. ours: `vietmer_core.evaluation.intervals`, macro-F1, unweighted average recall, and macro-F1 of one model
minus that of the other. percentile: the plain percentiles of draws of whole speakers. unclustered: the same of draws
of single utterances; a draw of n utterances is one of the counts of (true, predicted), so it is made so. width: mean
of high minus low, macro-F1. 95 % is what each says of itself.
"""

import argparse
from typing import Final

import attrs
import numpy as np
from numpy.typing import NDArray

from vietmer_core.evaluation.cluster_sums import METRICS, metrics_of_sums
from vietmer_core.evaluation.intervals import NUM_DRAWS, bootstrap, intervals_of_sums

SIZES: Final = (4, 8, 16, 24, 50, 100)
SHARES: Final = np.array([0.25, 0.20, 0.17, 0.13, 0.10, 0.09, 0.06])
SKILL: Final = (1.9, 1.7)
SKILL_SD: Final = 0.45
LEANING_SD: Final = 0.45
CONFUSION_SD: Final = 0.40
COMMON: Final = 0.75
LEVEL: Final = 0.95
POPULATION: Final = 60_000
SHOWN: Final = [METRICS.index("macro_f1"), METRICS.index("balanced_accuracy")]

Floats = NDArray[np.float64]


@attrs.frozen(kw_only=True, eq=False)
class TestSet:
    """What two models make of the same utterances: sums `(speakers, features)` of each; utterances a speaker."""

    sums: tuple[Floats, Floats]
    counts: NDArray[np.int64]


def both(generator: np.random.Generator, shape: tuple[int, ...], *, sd: float) -> tuple[Floats, Floats]:
    """The same effect for two models, partly common to them."""
    common = generator.normal(size=shape) * np.sqrt(COMMON)
    first, second = (common + generator.normal(size=shape) * np.sqrt(1 - COMMON) for _ in range(2))
    return sd * first, sd * second


def simulate(num_speakers: int, generator: np.random.Generator) -> TestSet:
    """Draw speakers, their utterances, and what two models say of them."""
    num_classes = len(SHARES)
    counts = np.clip(np.round(np.exp(generator.normal(np.log(25), 0.6, num_speakers))), 5, 150).astype(np.int64)
    speaker = np.repeat(np.arange(num_speakers), counts)
    mixes = generator.dirichlet(20 * SHARES, size=num_speakers).cumsum(axis=1)
    drawn = generator.random((len(speaker), 1))
    truth = np.minimum((drawn > mixes[speaker]).sum(axis=1), num_classes - 1)
    skills = both(generator, (num_speakers,), sd=SKILL_SD)
    leanings = both(generator, (num_speakers, num_classes), sd=LEANING_SD)
    confusions = both(generator, (num_speakers, num_classes, num_classes), sd=CONFUSION_SD)
    sums = []
    for model in range(2):
        logits = leanings[model][speaker] + confusions[model][speaker, truth]
        logits += generator.normal(size=logits.shape)
        logits[np.arange(len(truth)), truth] += SKILL[model] + skills[model][speaker]
        cells = (speaker * num_classes + truth) * num_classes + logits.argmax(axis=1)
        confusion = np.bincount(cells, minlength=num_speakers * num_classes**2).reshape(num_speakers, -1)
        sums.append(np.hstack([confusion.astype(np.float64), np.zeros((num_speakers, 2))]))
    return TestSet(sums=(sums[0], sums[1]), counts=counts)


def scores(sums: Floats) -> Floats:
    """Macro-F1 and unweighted average recall `(…, 2)`."""
    found: Floats = metrics_of_sums(sums)[..., SHOWN]
    return found


def difference(sums: Floats) -> Floats:
    """Macro-F1 of the first model minus that of the second, of their sums side by side."""
    width = sums.shape[-1] // 2
    found: Floats = scores(sums[..., :width])[..., 0] - scores(sums[..., width:])[..., 0]
    return found


def intraclass_correlation(found: TestSet) -> float:
    """Of being right, within a speaker, by the analysis of variance (Donner 1986)."""
    right = np.einsum("gii->g", found.sums[0][:, :-2].reshape(len(found.counts), len(SHARES), len(SHARES)))
    counts, groups, total = found.counts, len(found.counts), found.counts.sum()
    mean = right.sum() / total
    between = (counts * (right / counts - mean) ** 2).sum() / (groups - 1)
    within = (right * (1 - right / counts)).sum() / (total - groups)
    size = (total - (counts**2).sum() / total) / (groups - 1)
    return float((between - within) / (between + (size - 1) * within))


def holds(ends: Floats, truth: Floats) -> NDArray[np.bool_]:
    """Whether `ends (2, metrics)` enclose the truth `(metrics,)`."""
    inside: NDArray[np.bool_] = (ends[0] <= truth) & (truth <= ends[1])
    return inside


def measure(num_speakers: int, truth: Floats, gain: Floats, *, repetitions: int) -> str:
    """One row of the table."""
    generator = np.random.default_rng(num_speakers)
    hits, widths, tails = np.zeros(7), np.zeros(3), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    for repetition in range(repetitions):
        found = simulate(num_speakers, generator)
        sums = found.sums[0]
        ours = intervals_of_sums(sums, scores, seed=repetition, level=LEVEL, bounds=[(0.0, 1.0)] * 2)
        (gap,) = intervals_of_sums(
            np.hstack(found.sums), difference, seed=repetition, level=LEVEL, bounds=[(-1.0, 1.0)]
        )
        plain = np.quantile(bootstrap(sums, scores, seed=repetition, num_draws=NUM_DRAWS), tails, axis=0)
        total = sums.sum(axis=0)
        anew = generator.multinomial(int(total.sum()), total / total.sum(), size=NUM_DRAWS).astype(np.float64)
        alone = np.quantile(scores(anew), tails, axis=0)
        ends = np.array([[part.low, part.high] for part in ours]).T
        gained = holds(np.array([[gap.low], [gap.high]]), gain)
        hits += np.concatenate([holds(ends, truth), gained, holds(plain, truth), holds(alone, truth)])
        widths += [ends[1, 0] - ends[0, 0], plain[1, 0] - plain[0, 0], alone[1, 0] - alone[0, 0]]
    share, width = hits / repetitions, widths / repetitions
    cells = [
        f"{num_speakers} | {ours[0].method}",
        *(f"{value:.3f}" for value in share[:3]),
        f"{width[0]:.2f}",
        *(f"{value:.3f}" for value in share[3:5]),
        f"{width[1]:.2f}",
        *(f"{value:.3f}" for value in share[5:]),
        f"{width[2]:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000, help="test sets of each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of speakers")
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    parts = [simulate(POPULATION // 20, generator) for _ in range(20)]
    whole = np.sum([np.hstack(part.sums).sum(axis=0) for part in parts], axis=0)
    truth, gain = scores(whole[: len(whole) // 2]), np.atleast_1d(difference(whole))
    error = 1.96 * np.sqrt(LEVEL * (1 - LEVEL) / arguments.repetitions)
    print(
        f"macro-F1 {truth[0]:.3f}, UAR {truth[1]:.3f}, difference {gain[0]:.3f}; correlation within a speaker", end=" "
    )
    print(f"{intraclass_correlation(parts[0]):.3f}; {arguments.repetitions} test sets each: ± {error:.3f} at .95\n")
    ours, others = "F1 | UAR | difference | width", "F1 | UAR | width"
    print(f"| speakers | method | {ours} | percentile {others} | unclustered {others} |")
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for size in arguments.sizes:
        print(measure(size, truth, gain, repetitions=arguments.repetitions), flush=True)


if __name__ == "__main__":
    main()
