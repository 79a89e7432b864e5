"""The page of a matrix: one HTML file that opens offline, tables and pictures inside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from vietmer_core.ablation_results.showing import effects_table, groups_table, levels_table, missing_table
from vietmer_core.ablation_results.wording import cautions_of, conclusions_of, notes_of, size_of
from vietmer_core.comparison.tables import TextTable
from vietmer_core.comparison.wording import speakers
from vietmer_core.pages.rendering import rendered, svg_address

if TYPE_CHECKING:
    from vietmer_core.ablation_results.results import Results

TEMPLATE: Final = Path(__file__).parent / "page.html.j2"
WIDE: Final = ("groups", "ranks", "levels")
"""Pictures that take the width of the page."""
EXPLANATIONS: Final = {
    "groups": "Shaded: the group that came out highest, and those that may be the best. Bold: the reference. "
    "“difference” is from the reference.",
    "effects": "Each effect is its part of the values of the groups, compared with what other speakers and other runs "
    "would have made of nothing (ANOVA-type statistic).",
    "levels": "Over those combinations of the other axes that have a score at every level of the axis. Differences are "
    "between the same speakers, so their intervals are narrower than those of the means.",
    "missing": "",
}


@attrs.frozen(kw_only=True)
class PagePicture:
    """A picture in the page.

    Attributes:
        name: Of its file.
        caption: What it shows.
        svg: Its bytes.
    """

    name: str
    caption: str
    svg: bytes

    @property
    def address(self) -> str:
        return svg_address(self.svg)

    @property
    def is_wide(self) -> bool:
        return self.name in WIDE


def page_html(results: "Results", pictures: Sequence[PagePicture]) -> str:
    """The whole page. It loads nothing: its policy forbids it.

    Args:
        results: Of the matrix.
        pictures: As SVG.
    """
    reference = results.reference
    heat = [picture for picture in pictures if picture.name not in WIDE]
    by_table: Mapping[str, list[PagePicture]] = {
        "groups": [picture for picture in pictures if picture.name in ("groups", "ranks")],
        "effects": heat,
        "levels": [picture for picture in pictures if picture.name == "levels"],
        "missing": [],
    }
    tables = {
        "groups": groups_table(results),
        "effects": effects_table(results),
        "levels": levels_table(results),
        "missing": missing_table(results),
    }
    cautions = list(cautions_of(results))
    values = {
        "name": results.matrix.name,
        "size": size_of(results),
        "metric": results.metric,
        "split": results.matrix.split,
        "num_utterances": results.num_utterances,
        "speakers": speakers(results.num_speakers),
        "protocols": results.protocols,
        "audits": results.audits,
        "reference": "" if reference is None else reference.name,
        "conclusions": list(conclusions_of(results)),
        "cautions": cautions,
        "notes": list(notes_of(results))[len(cautions) :],
        "tables": [
            _table(table, results, kind=kind, pictures=by_table[kind]) for kind, table in tables.items() if table.rows
        ],
    }
    return rendered(TEMPLATE, values)


def _table(table: TextTable, results: "Results", *, kind: str, pictures: list[PagePicture]) -> dict[str, Any]:
    marks = _marks(results) if kind == "groups" else [""] * len(table.rows)
    return {
        "title": table.title,
        "explanation": EXPLANATIONS[kind],
        "columns": table.columns,
        "num_left": table.num_left,
        "rows": list(zip(table.rows, marks, strict=True)),
        "wraps": kind == "missing",
        "pictures": pictures,
    }


def _marks(results: "Results") -> list[str]:
    """How each row of the table of groups is drawn."""
    without = [row for row in results.rows if row.scores is None]
    marks = []
    for row in (*results.scored, *without):
        classes = ["mark" if row.standing else "", "reference" if row.is_reference else ""]
        classes += ["missing"] if row.scores is None else []
        marks.append(" ".join(name for name in classes if name))
    return marks
