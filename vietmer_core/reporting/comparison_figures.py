"""The figures of a comparison: the systems, and their differences."""

from matplotlib.figure import Figure

from vietmer_core.comparison.comparing import Comparison
from vietmer_core.comparison.resampling import MeanInterval
from vietmer_core.comparison.wording import p_text, signed, span
from vietmer_core.reporting.drawing import BLUE, INK, ORANGE, Drawing, sheet
from vietmer_core.reporting.wording import METRIC_NAMES, shortened, three


def comparison_drawings(comparison: Comparison) -> list[Drawing]:
    """The scores of the systems and, where there are pairs, their differences."""
    return [_systems(comparison), *([_pairs(comparison)] if comparison.pairs else [])]


def _systems(comparison: Comparison) -> Drawing:
    metric = comparison.metric
    name = METRIC_NAMES[metric]

    def draw() -> Figure:
        figure = sheet(0.5 + 0.26 * len(comparison.systems))
        axes = figure.add_subplot()
        for row, system in enumerate(comparison.systems):
            score = system.scores[metric]
            _line(figure, row, score.interval)
            if len(score.per_seed) > 1:
                axes.plot(score.per_seed, [row] * len(score.per_seed), "|", color=INK, markersize=6)
            axes.plot(score.mean, row, "o", color=BLUE, markersize=5)
        axes.set_yticks(range(len(comparison.systems)), [shortened(system.name) for system in comparison.systems])
        axes.set_ylim(len(comparison.systems) - 0.4, -0.6)
        axes.set_xlabel(f"{name}, {comparison.level:.0%} interval")
        return figure

    figures = "; ".join(
        f"{system.name} {three(system.scores[metric].mean)} ({span(system.scores[metric].interval)})"
        for system in comparison.systems
    )
    return Drawing(
        name="systems",
        caption=f"{name} of each system with its interval; small strokes are seeds.",
        alt=f"{name}: {figures}.",
        draw=draw,
    )


def _line(figure: Figure, row: int, interval: MeanInterval) -> None:
    if interval.low is not None and interval.high is not None:
        figure.axes[0].plot([interval.low, interval.high], [row, row], color=BLUE, linewidth=1.3)


def _pairs(comparison: Comparison) -> Drawing:
    name = METRIC_NAMES[comparison.metric]

    def draw() -> Figure:
        figure = sheet(0.5 + 0.3 * len(comparison.pairs))
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.8, linestyle=":")
        for row, pair in enumerate(comparison.pairs):
            _line(figure, row, pair.difference.interval)
            axes.plot(pair.difference.value, row, "D", color=ORANGE, markersize=4.5)
        names = [f"{shortened(pair.first, 16)} −\n{shortened(pair.second, 16)}" for pair in comparison.pairs]
        axes.set_yticks(range(len(comparison.pairs)), names)
        axes.set_ylim(len(comparison.pairs) - 0.4, -0.6)
        axes.set_xlabel(f"difference in {name}, {comparison.level:.0%} interval")
        return figure

    figures = "; ".join(
        f"{pair.first} minus {pair.second} {signed(pair.difference.value)} "
        f"({span(pair.difference.interval, of_difference=True)}), p after Holm {p_text(pair.p_holm)}"
        for pair in comparison.pairs
    )
    return Drawing(
        name="differences",
        caption=f"Differences in {name} over the same utterances, with intervals.",
        alt=f"Differences in {name}: {figures}.",
        draw=draw,
    )
