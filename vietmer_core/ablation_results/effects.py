"""Main effects of the axes of a matrix, and how two of them interact. Torch-free.

The values of the groups are decomposed as in an analysis of variance: each effect is the part of them that it adds to
all effects that do not hold it (type II; where no group is missing, the classical decomposition). Its size is compared
with what other speakers and other runs would have made of nothing: the ANOVA-type statistic (Brunner, Dette and Munk
1997, "Box-type approximations in nonparametric factorial designs")

    F = u'u / trace(C),    C = C_speakers + C_runs,

of its orthonormal contrasts u, with Box's degrees of freedom trace(C)² / trace(C²) (1954) above and those of the
estimated trace (Satterthwaite 1946) below. Neither equal variances nor sphericity is supposed. With one contrast and
one run it is the square of the t of `vietmer compare`.
"""

from collections.abc import Iterator
from itertools import combinations

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

from vietmer_core.ablation_results.design import Design
from vietmer_core.comparison.corrections import holm

TOLERANCE = 1e-9


@attrs.frozen(kw_only=True)
class Effect:
    """The effect of one axis, or the interaction of two.

    Attributes:
        axes: One name, or two.
        contrasts: Degrees of freedom of the decomposition.
        share: Of the sum of squares between the groups.
        statistic: F; None where there is no test.
        degrees: Of freedom, above and below.
        p: Of no effect; None with one speaker.
        p_holm: Corrected for the number of effects.
    """

    axes: tuple[str, ...]
    contrasts: int
    share: float
    statistic: float | None
    degrees: tuple[float, float] | None
    p: float | None
    p_holm: float | None

    @property
    def name(self) -> str:
        """`fusion`, or `fusion × pooler`."""
        return " × ".join(self.axes)


@attrs.frozen(kw_only=True)
class Effects:
    """The decomposition of the values of the groups.

    Attributes:
        effects: Of single axes, then of pairs; those that the groups cannot tell are left out.
        untold: Names of these.
        rest: The share of the sum of squares that three and more axes make together.
        deviation: Standard deviation (n - 1) of the values of the groups.
        num_groups: Groups that stand in it.
        is_balanced: Whether every combination of levels is one of them.
    """

    effects: tuple[Effect, ...]
    untold: tuple[str, ...]
    rest: float
    deviation: float
    num_groups: int
    is_balanced: bool


def effects_of(design: Design) -> Effects | None:
    """The effects of the axes that have several levels; None where there is none, or fewer than two groups."""
    varied = [index for index in range(design.codes.shape[1]) if len(set(design.codes[:, index].tolist())) > 1]
    if not varied or len(design.values) < 2:
        return None
    names = list(design.axes)
    terms = [*((index,) for index in varied), *combinations(varied, 2)]
    bases = {term: _contrasts(design, term, terms) for term in terms}
    spread = float(((design.values - design.values.mean()) ** 2).sum())
    found = [
        _effect(design, basis, axes=tuple(names[index] for index in term), total=spread)
        for term, basis in bases.items()
        if basis.shape[1]
    ]
    told = _basis(np.hstack([_indicators(design, term) for term in terms]))
    left = design.values - told @ (told.T @ design.values)
    sizes = [len(set(design.codes[:, index].tolist())) for index in varied]
    return Effects(
        effects=tuple(_corrected(found)),
        untold=tuple(" × ".join(names[i] for i in term) for term, basis in bases.items() if not basis.shape[1]),
        rest=float(left @ left) / spread if spread > TOLERANCE**2 else 0.0,
        deviation=float(design.values.std(ddof=1)),
        num_groups=len(design.values),
        is_balanced=len(design.values) == int(np.prod(sizes)),
    )


def _corrected(effects: list[Effect]) -> Iterator[Effect]:
    tested = [effect.p for effect in effects if effect.p is not None]
    adjusted = iter(holm(tested))
    for effect in effects:
        yield effect if effect.p is None else attrs.evolve(effect, p_holm=next(adjusted))


def _effect(design: Design, basis: NDArray[np.float64], *, axes: tuple[str, ...], total: float) -> Effect:
    """The effect of orthonormal contrasts `basis (groups, contrasts)`."""
    size = float(((basis.T @ design.values) ** 2).sum())
    share = size / total if total > TOLERANCE**2 else 0.0
    found = Effect(axes=axes, contrasts=basis.shape[1], share=share, statistic=None, degrees=None, p=None, p_holm=None)
    if design.num_speakers < 2:
        return found
    of_speakers = design.speaker_covariance(basis)
    covariance = of_speakers + basis.T @ (design.run_variances[:, None] * basis)
    trace = float(np.trace(covariance))
    if trace <= TOLERANCE**2:
        return attrs.evolve(found, p=1.0 if size <= TOLERANCE**2 else 0.0)
    above = trace**2 / float((covariance**2).sum())
    of_runs = (basis**2).sum(axis=1) * design.run_variances
    scale = float((of_speakers**2).sum()) / (design.num_speakers - 1) + design.scale_of_runs(of_runs)
    below = trace**2 / scale
    statistic = size / trace
    return attrs.evolve(found, statistic=statistic, degrees=(above, below), p=float(fisher.sf(statistic, above, below)))


def _contrasts(design: Design, term: tuple[int, ...], terms: list[tuple[int, ...]]) -> NDArray[np.float64]:
    """Orthonormal columns `(groups, q)` of what a term adds to all terms that do not hold it."""
    others = [other for other in terms if not set(term) <= set(other)]
    start = np.ones((len(design.values), 1))
    reduced = _basis(np.hstack([start, *(_indicators(design, other) for other in others)]))
    own = _indicators(design, term)
    return _basis(own - reduced @ (reduced.T @ own))


def _indicators(design: Design, term: tuple[int, ...]) -> NDArray[np.float64]:
    """`(groups, combinations)`: which combination of levels of some axes each group has."""
    _, inverse = np.unique(design.codes[:, list(term)], axis=0, return_inverse=True)
    return np.eye(int(inverse.max()) + 1)[inverse.ravel()]


def _basis(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """An orthonormal basis of the space of some columns."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    basis: NDArray[np.float64] = left[:, sizes > TOLERANCE * max(1.0, float(sizes.max(initial=0.0)))]
    return basis
