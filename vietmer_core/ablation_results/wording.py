"""What a matrix tells, and what it cannot tell, in sentences. Torch-free."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vietmer_core.comparison.comparing import SystemScore
from vietmer_core.comparison.wording import ALPHA, p_text, signed, span, speakers
from vietmer_core.evaluation.intervals import FEW_CLUSTERS

if TYPE_CHECKING:
    from vietmer_core.ablation_results.results import Results


def counted(number: int, noun: str) -> str:
    """`1 group`, `3 groups`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def mean_text(score: SystemScore) -> str:
    """`.743 ± .012`, with three digits."""
    return f"{score.mean:.3f}" if score.deviation is None else f"{score.mean:.3f} ± {score.deviation:.3f}"


def size_of(results: "Results") -> str:
    """How many cells have scores, and of how many groups."""
    total, without = len(results.matrix.cells), len(results.missing)
    shape = " × ".join(f"{len(levels)} {axis}" for axis, levels in results.matrix.axes.items())
    scored = f"{total - without} of {counted(total, 'cell')} have scores"
    return f"{scored}; {counted(len(results.rows), 'group')} ({shape or 'no axis'})"


def conclusions_of(results: "Results") -> Iterator[str]:
    """A sentence or two on the best group, the reference and the axes."""
    if results.best is None:
        yield "No cell has a score yet."
        return
    yield from _on_the_best(results)
    yield from _on_the_reference(results)
    yield from _on_the_axes(results)


def _on_the_best(results: "Results") -> Iterator[str]:
    best, metric = results.best, results.metric
    if best is None:
        return
    row = next(row for row in results.rows if row.name == best.name)
    if row.scores is None:
        return
    score = row.scores.scores[metric]
    extreme = "highest" if results.higher_is_better else "lowest"
    yield (
        f"`{best.name}` has the {extreme} {metric}: {mean_text(score)}, {score.interval.level:.0%} interval "
        f"{span(score.interval)}."
    )
    others = len(best.p)
    if best.smallest_p is None:
        return
    if best.smallest_p > ALPHA:
        yield (
            f"Whether any of the other {others} is worse cannot be told, however large the difference: "
            f"{speakers(results.num_speakers)} allow no p below {best.smallest_p:.3f}, counted {others} times."
        )
        return
    number = len(best.possible) - 1
    yield (
        f"{number} of the other {others} may be as good: the truly best is among these and the {extreme} in 95 of 100 "
        f"such matrices at least (p, times {others}, above {ALPHA})."
    )


def _on_the_reference(results: "Results") -> Iterator[str]:
    comparison = results.comparison
    if comparison is None:
        reference = results.reference
        if reference is None or reference.scores is None:
            yield "The reference has no score, so that nothing is compared with it."
        return
    pairs = comparison.pairs
    found = sum(pair.p_holm <= ALPHA for pair in pairs)
    base, number = pairs[0].second, len(pairs)
    if min(pair.smallest_p for pair in pairs) > ALPHA:
        yield (
            f"None of {counted(number, 'group')} can be told from the reference, `{base}`, by swapping speakers, "
            f"however large the difference: {speakers(results.num_speakers)} allow no p below "
            f"{min(pair.permutation.smallest_p for pair in pairs):.3f}, and none below "
            f"{min(pair.smallest_p for pair in pairs):.3f} after Holm's correction. Test on more speakers."
        )
    else:
        yield (
            f"{found} of {counted(number, 'group')} differ from the reference, `{base}`, after Holm's correction "
            f"for {counted(number, 'test')}."
        )
    yield from _on_intervals(results)


def _on_intervals(results: "Results") -> Iterator[str]:
    """How many single intervals leave out 0, where that is all that can be said."""
    pairs = () if results.comparison is None else results.comparison.pairs
    ends = [(pair.difference.interval.low, pair.difference.interval.high) for pair in pairs]
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    if not known or min(pair.smallest_p for pair in pairs) <= ALPHA:
        return
    number = sum(low > 0 or high < 0 for low, high in known)
    yield (
        f"The intervals of {number} of these {len(known)} differences leave out 0. They suppose that speakers differ "
        f"as a normal distribution does, and are corrected for nothing: without any difference, "
        f"{ALPHA * len(known):.1f} of {len(known)} would on average."
    )


def _on_the_axes(results: "Results") -> Iterator[str]:
    effects = results.effects
    if effects is None:
        return
    found = [effect for effect in effects.effects if effect.p_holm is not None and effect.p_holm <= ALPHA]
    tested = [effect for effect in effects.effects if effect.p is not None]
    if not tested:
        return
    rests = ", if speakers differ as a normal distribution does" if results.num_speakers < FEW_CLUSTERS else ""
    if not found:
        yield f"No effect of an axis or of two together is found after Holm's correction for {len(tested)}{rests}."
        return
    names = ", ".join(
        f"`{effect.name}` (p {_p(effect.p_holm)}, {effect.share:.0%} of the sum of squares)" for effect in found
    )
    yield f"Effects found after Holm's correction for {len(tested)}{rests}: {names}."
    yield from _on_levels(results, {effect.axes[0] for effect in found if len(effect.axes) == 1})


def _on_levels(results: "Results", axes: set[str]) -> Iterator[str]:
    for one in results.levels:
        difference = one.difference
        if one.axis in axes and difference is not None and difference.p_holm is not None and difference.p_holm <= ALPHA:
            base = results.matrix.reference[one.axis]
            yield (
                f"`{one.axis}={one.level}` instead of `{base}`: {signed(difference.value)} on average over the other "
                f"axes, p {_p(difference.p_holm)} after Holm's correction within the axis."
            )


def _p(value: float | None) -> str:
    text = "none" if value is None else p_text(value)
    return text if text.startswith("<") else f"= {text}"


def notes_of(results: "Results") -> Iterator[str]:
    """What a reader must know to take the figures for what they are, cautions first."""
    yield from cautions_of(results)
    if results.missing:
        yield (
            f"{counted(len(results.missing), 'cell')} of {len(results.matrix.cells)} have no score (see below); groups "
            "without one are left out of tests and effects."
        )
    apart = [row.name for row in results.rows if row.apart]
    if apart:
        yield (
            f"{counted(len(apart), 'group')} tested something else than the reference and are compared with no other: "
            f"{', '.join(f'`{name}`' for name in apart[:3])}{' and more' if len(apart) > 3 else ''}."
        )
    yield from _on_repeats(results)
    yield from _on_speakers(results)
    if results.effects is not None and not results.effects.is_balanced:
        yield (
            "Not every combination of levels has a score: each effect is what it adds to all others (type II), and the "
            "mean of a level is over combinations that every level of its axis has."
        )
    if results.effects is not None and results.effects.untold:
        yield f"The groups with scores cannot tell: {', '.join(results.effects.untold)}."


def cautions_of(results: "Results") -> Iterator[str]:
    """What stands against the data that the scores are of."""
    if results.matrix.split == "valid":
        yield "This split chose the checkpoints, so its scores are too good; score cells on the test split to report."
    if "leak" in results.audits:
        yield "The splits leak (`cell.json` says how): scores may be higher than for new speakers and recordings."
    if "not audited" in results.audits:
        yield "The splits were not searched for leaks."
    if results.best is not None and not results.protocols:
        yield "The manifests do not say how the corpus was split."
    if len(results.fingerprints) > 1 and not results.folds and not any(row.apart for row in results.rows):
        yield "The same utterances stand in test splits whose manifests or recordings differ between cells."


def _on_repeats(results: "Results") -> Iterator[str]:
    if results.folds:
        yield f"Folds ({', '.join(results.folds)}) are joined: each utterance is tested once in a replicate."
    most = max((len(row.scores.seeds) for row in results.rows if row.scores is not None), default=0)
    if most == 1:
        yield (
            "With one replicate, everything here is about these trained models; whether a way of training is better "
            "needs several seeds."
        )
    elif most > 1:
        yield (
            "± is the standard deviation over replicates. p is the larger of two: that of swapping speakers, and that "
            "of t over speakers and replicates."
        )


def _on_speakers(results: "Results") -> Iterator[str]:
    number = results.num_speakers
    if results.num_unknown_speakers:
        yield (
            f"{counted(results.num_unknown_speakers, 'utterance')} have no speaker; each counts as one, so intervals "
            "are too narrow and p too small where speakers repeat."
        )
    if number == 1:
        yield "One speaker says nothing of others: there is no interval and no test."
    elif 1 < number < FEW_CLUSTERS:
        yield (
            f"{speakers(number)} are few. What they can tell: the scores on them, and, if speakers differ as a normal "
            "distribution does, the intervals and the tests of effects. What they cannot: the shape of that "
            "distribution, and small differences."
        )
