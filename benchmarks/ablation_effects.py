"""How often an effect is found in a matrix whose groups are all alike: `python benchmarks/ablation_effects.py`.

Nine groups, 3 × 3, of models that are right .65 of the time with a deviation of .5 (logit) from speaker to speaker, for
each group in its own way, beside what all share, and, with 3 runs, of .15 from run to run. 20 utterances a speaker.
`--effect` plants one on the first axis, in logits, to see how often it is found.
"""

import argparse
from typing import Final

import numpy as np

from vietmer_core.ablation_results.design import design_of
from vietmer_core.ablation_results.effects import effects_of
from vietmer_core.comparison.systems import System

LEVELS: Final = ("a", "b", "c")
LABELS: Final = ("w", "x", "y", "z")
PER_SPEAKER: Final = 20
GROUPS: Final = [(first, second) for first in range(3) for second in range(3)]


def systems(generator: np.random.Generator, *, speakers: int, runs: int, effect: float) -> list[System]:
    """One system a group."""
    count = speakers * PER_SPEAKER
    speaker = np.repeat(np.arange(speakers), PER_SPEAKER)
    truth = generator.integers(4, size=count)
    shared = 0.62 + generator.normal(0, 0.5, size=speakers)[speaker] + generator.normal(0, 0.7, size=count)
    found = []
    for first, second in GROUPS:
        own = shared + generator.normal(0, 0.5, size=speakers)[speaker] + effect * (first - 1)
        luck = generator.normal(0, 0.15 if runs > 1 else 0.0, size=(runs, 1))
        right = generator.random((runs, count)) < 1 / (1 + np.exp(-(own + luck)))
        wrong = (truth + generator.integers(1, 4, size=(runs, count))) % 4
        chosen = np.where(right, truth, wrong)
        found.append(
            System(
                name=f"{first}{second}",
                labels=LABELS,
                utterance_ids=tuple(f"{index:05d}" for index in range(count)),
                speakers=tuple(map(str, speaker.tolist())),
                truth=truth,
                probabilities=np.eye(4)[chosen] * 0.9 + 0.025,
                seeds=tuple(range(runs)),
            )
        )
    return found


def p_values(generator: np.random.Generator, *, speakers: int, runs: int, effect: float) -> list[float]:
    """Of the first axis, the second, and both."""
    levels = [{"first": LEVELS[first], "second": LEVELS[second]} for first, second in GROUPS]
    made = systems(generator, speakers=speakers, runs=runs, effect=effect)
    design = design_of(made, levels, axes={"first": LEVELS, "second": LEVELS}, metric="macro_f1")
    effects = effects_of(design)
    assert effects is not None
    return [1.0 if one.p is None else one.p for one in effects.effects]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matrices", type=int, default=1000)
    parser.add_argument("--effect", type=float, default=0.0)
    arguments = parser.parse_args()
    print("| runs | speakers | first ≤ .05 | first ≤ .20 | second ≤ .05 | second ≤ .20 | both ≤ .05 | both ≤ .20 |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for runs in (1, 3):
        for speakers in (4, 8, 24):
            generator = np.random.default_rng(1000 * runs + speakers)
            drawn = [
                p_values(generator, speakers=speakers, runs=runs, effect=arguments.effect)
                for _ in range(arguments.matrices)
            ]
            values = np.array(drawn)
            shares = [f"{(values[:, effect] <= level).mean():.3f}" for effect in range(3) for level in (0.05, 0.20)]
            print(f"| {runs} | {speakers} | {' | '.join(shares)} |".replace(" 0.", " ."), flush=True)


if __name__ == "__main__":
    main()
