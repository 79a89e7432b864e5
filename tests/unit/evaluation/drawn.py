"""Outcomes drawn for tests."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from vietmer_core.evaluation.outcomes import Outcomes

LABELS = ("a", "b", "c")


def some_outcomes(
    seed: int, *, count: int = 200, num_clusters: int = 25, labels: tuple[str, ...] = LABELS, skill: float = 1.0
) -> Outcomes:
    """Utterances of speakers who are not equally easy, from a model that is too sure of itself."""
    generator = np.random.default_rng(seed)
    clusters = np.sort(generator.integers(0, num_clusters, size=count))
    truth = generator.integers(0, len(labels), size=count)
    logits = (
        generator.normal(size=(count, len(labels))) + 0.5 * generator.normal(size=(num_clusters, len(labels)))[clusters]
    )
    logits[np.arange(count), truth] += skill
    return Outcomes(labels=labels, probabilities=softmax(3 * logits), truth=truth, clusters=clusters)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis."""
    powers: NDArray[np.float64] = np.exp(logits - logits.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


@st.composite
def outcomes(draw: st.DrawFn, *, least: int = 1, most: int = 40) -> Outcomes:
    """Any outcomes, with ties, certainties and classes that never occur."""
    count = draw(st.integers(least, most))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    num_classes = draw(st.integers(2, 4))
    probabilities = generator.dirichlet(np.full(num_classes, draw(st.sampled_from([0.02, 0.3, 1.0]))), size=count)
    if draw(st.booleans()):
        probabilities = np.round(probabilities, 1)
        probabilities[:, 0] += 1 - probabilities.sum(axis=1)
        probabilities = np.abs(probabilities) / np.abs(probabilities).sum(axis=1, keepdims=True)
    return Outcomes(
        labels=tuple("abcd"[:num_classes]),
        probabilities=probabilities,
        truth=generator.integers(0, draw(st.integers(1, num_classes)), size=count),
        clusters=generator.integers(0, draw(st.integers(1, 8)), size=count),
    )
