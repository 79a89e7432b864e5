"""The critical-difference diagram (Demšar 2006). Drawn without a display."""

from collections.abc import Mapping
from typing import Final

import attrs
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vietmer_core.ablation_results.ranks import ALPHA, Ranks
from vietmer_core.comparison.wording import p_text

ROW: Final = 0.19
"""Inches from one name to the next."""
LETTER: Final = 0.066
"""Inches that a letter of a name takes."""
SCALE: Final = 3.4
"""Inches from the first rank to the last."""
LINE: Final = 0.95
"""Inches from the top to the line of the ranks."""
INK: Final = "#222222"
BAR: Final = "#b3384f"


@attrs.frozen(kw_only=True)
class _Scale:
    """Where a rank stands, in inches from the left."""

    left: float
    count: int

    @property
    def right(self) -> float:
        return self.left + SCALE

    def place(self, rank: float) -> float:
        return self.left + SCALE * (rank - 1) / (self.count - 1)


def ranks_figure(ranks: Ranks, names: Mapping[str, str]) -> Figure:
    """Groups at their mean ranks, the best at the left; a bar joins those that the critical difference does not part.

    Args:
        ranks: Mean ranks and cliques.
        names: What is written for each group.
    """
    count = len(ranks.names)
    margin = 0.75 + LETTER * max(len(names[name]) for name in ranks.names)
    scale = _Scale(left=margin, count=count)
    bars = 0.11 * len(ranks.cliques) + 0.12
    width, height = SCALE + 2 * margin, LINE + 0.2 + bars + ROW * ((count + 1) // 2)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    _draw_scale(axes, ranks, scale)
    _draw_names(axes, ranks, scale, names=names, top=LINE + bars + 0.12)
    for number, (first, last) in enumerate(ranks.cliques):
        ends = [ranks.mean_ranks[ranks.order[position]] for position in (first, last)]
        places = [scale.place(ends[0]) - 0.03, scale.place(ends[1]) + 0.03]
        axes.plot(places, [LINE + 0.12 + 0.11 * number] * 2, color=BAR, linewidth=3, solid_capstyle="butt")
    return figure


def _draw_names(axes: Axes, ranks: Ranks, scale: _Scale, *, names: Mapping[str, str], top: float) -> None:
    """The better half at the left, the other at the right, each with a line to its rank."""
    half = (scale.count + 1) // 2
    for position, index in enumerate(ranks.order):
        is_left = position < half
        level = top + ROW * (position if is_left else scale.count - 1 - position)
        end = scale.left - 0.15 if is_left else scale.right + 0.15
        place, name, rank = scale.place(ranks.mean_ranks[index]), names[ranks.names[index]], ranks.mean_ranks[index]
        axes.plot([place, place, end], [LINE, level, level], color=INK, linewidth=0.7)
        text = f"{name}  {rank:.1f}" if is_left else f"{rank:.1f}  {name}"
        side = "right" if is_left else "left"
        end += -0.06 if is_left else 0.06
        axes.text(end, level, text, ha=side, va="center", fontsize=7.5, color=INK, parse_math=False)


def _draw_scale(axes: Axes, ranks: Ranks, scale: _Scale) -> None:
    count, left = scale.count, scale.left
    axes.plot([left, scale.right], [LINE, LINE], color=INK, linewidth=1)
    step = max(1, round((count - 1) / 8))
    for rank in (*range(1, count - step // 2, step), count):
        axes.plot([scale.place(rank)] * 2, [LINE, LINE - 0.07], color=INK, linewidth=1)
        axes.text(scale.place(rank), LINE - 0.1, str(rank), ha="center", va="bottom", fontsize=8, color=INK)
    reach = min(ranks.critical_difference, count - 1.0)
    axes.plot([left, scale.place(1 + reach)], [0.5, 0.5], color=BAR, linewidth=2, solid_capstyle="butt")
    wider = ", wider than all ranks" if reach < ranks.critical_difference else ""
    said = f"critical difference {ranks.critical_difference:.1f} at {ALPHA:.0%}{wider}"
    axes.text(left, 0.44, said, ha="left", va="bottom", fontsize=8, color=BAR)
    p = p_text(ranks.p)
    friedman = f"Friedman's test over {ranks.num_speakers} speakers: p {p if p.startswith('<') else f'= {p}'}"
    axes.text(left, 0.22, f"mean ranks, 1 is best; {friedman}", ha="left", va="bottom", fontsize=8, color=INK)
