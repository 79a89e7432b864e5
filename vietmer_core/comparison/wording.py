"""What a comparison says, in words. Torch-free."""

from collections.abc import Iterator
from typing import Final

from vietmer_core.comparison.comparing import Comparison
from vietmer_core.comparison.pairs import Pair
from vietmer_core.comparison.resampling import MeanInterval
from vietmer_core.evaluation.cluster_sums import SHARES
from vietmer_core.evaluation.intervals import FEW_CLUSTERS

ALPHA: Final = 0.05
MINUS: Final = "−"


def signed(value: float) -> str:
    """A difference with its sign and three digits."""
    text = f"{abs(value):.3f}"
    return text if text == "0.000" else f"{'+' if value > 0 else MINUS}{text}"


def span(interval: MeanInterval, *, of_difference: bool = False) -> str:
    """The ends of an interval."""
    if interval.low is None or interval.high is None:
        return "none"
    written = signed if of_difference else "{:.3f}".format
    return f"{written(interval.low)} to {written(interval.high)}"


def p_text(p: float) -> str:
    """A p-value for a table."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _p_phrase(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def speakers(number: int) -> str:
    """A number of speakers."""
    return "1 speaker" if number == 1 else f"{number} speakers"


def conclusion(pair: Pair, comparison: Comparison) -> str:
    """One sentence: whether the two can be told apart, and by how much."""
    found = pair.difference
    corrected = f" after Holm's correction for {len(comparison.pairs)} pairs" if len(comparison.pairs) > 1 else ""
    figures = (
        f"difference in {pair.metric} {signed(found.value)}, {comparison.level:.0%} interval "
        f"{span(found.interval, of_difference=True)}"
    )
    if pair.smallest_p > ALPHA and pair.permutation.num_speakers:
        return (
            f"`{pair.first}` and `{pair.second}` cannot be told apart at {ALPHA:.0%}, however large the difference: "
            f"{speakers(pair.permutation.num_speakers)} of whom they differ allow no p below {pair.smallest_p:.3f}"
            f"{corrected} ({figures}{_leaves_out_0(found.interval)}). Test on more speakers."
        )
    if pair.p_holm > ALPHA:
        pair_of = f"`{pair.first}` and `{pair.second}`"
        return f"{pair_of} are not distinguishable: {figures}, {_p_phrase(pair.p_holm)}{corrected}."
    is_better = (found.value > 0) == (pair.metric in SHARES)
    better, worse = (pair.first, pair.second) if is_better else (pair.second, pair.first)
    gain = found.interval if found.value > 0 else found.interval.negated()
    return (
        f"`{better}` is better than `{worse}` by {abs(found.value):.3f} in {pair.metric}: {comparison.level:.0%} "
        f"interval {span(gain, of_difference=True)}, {_p_phrase(pair.p_holm)}{corrected}."
    )


def _leaves_out_0(interval: MeanInterval) -> str:
    """That an interval has one sign, where it has."""
    if interval.low is None or interval.high is None or interval.low <= 0 <= interval.high:
        return ""
    return ", which leaves out 0 but supposes that speakers differ as a normal distribution does"


def notes_of(comparison: Comparison) -> Iterator[str]:
    """What a reader must know to take the figures for what they are."""
    several = [pair for pair in comparison.pairs if len(pair.seeds) > 1]
    if any(len(pair.seeds) == 1 for pair in comparison.pairs):
        yield (
            "With one seed each, a test is about these trained models; whether the way of training is better needs "
            "several seeds."
        )
    if several:
        yield (
            "Over several seeds `p` is the larger of two: that of swapping speakers, and that of t over speakers and "
            "seeds."
        )
    if comparison.num_unknown_speakers:
        yield (
            f"{comparison.num_unknown_speakers} utterances have no speaker; each counts as one, so intervals are too "
            "narrow and p too small where speakers repeat."
        )
    if comparison.num_speakers == 1:
        yield "One speaker says nothing of others: there is no interval, and no test by speaker."
    elif comparison.num_speakers < FEW_CLUSTERS:
        yield f"{speakers(comparison.num_speakers)} are few: intervals rest on Student's t, and are wide."
    yield (
        "McNemar's test takes utterances for independent, which those of one speaker are not; no conclusion rests on "
        "it."
    )
    yield from _notes_on_seeds(comparison)


def _notes_on_seeds(comparison: Comparison) -> Iterator[str]:
    seeds = {system.name: system.seeds for system in comparison.systems}
    for pair in comparison.pairs:
        both = (seeds[pair.first], seeds[pair.second])
        if not pair.same_seeds:
            text = ", ".join(f"{one} with {other}" for one, other in pair.seeds)
            yield f"`{pair.first}` and `{pair.second}` share no seed; these are compared: {text}."
        elif any(len(own) > len(pair.seeds) for own in both):
            text = ", ".join(str(one) for one, _ in pair.seeds)
            yield f"`{pair.first}` and `{pair.second}` are compared over the seeds that both have: {text}."
