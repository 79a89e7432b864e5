"""Figures for a paper and for the page: one drawing, as SVG, as PDF and as part of an HTML page.

3.4 inches wide, a column of most journals; text of 7 to 8 pt; fonts embedded as TrueType in the PDF and as outlines in
the SVG; the colours are of Okabe and Ito's set, and what they tell is told by marks, dashes or hatches, too. Imports
matplotlib.
"""

import io
import re
from collections.abc import Callable
from typing import Any, Final

import attrs
from matplotlib import rc_context, rcParams
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

COLUMN: Final = 3.4
"""Inches: the width of a column."""
INK: Final = "#010101"
"""Of text and axes: black on paper, and the colour of the text of the page on the page."""
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#7f7f7f"

_STYLE: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",  # has every letter of Vietnamese, and comes with matplotlib
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "vietmer",
    "text.parse_math": False,  # a `$` in a label is a `$`
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "hatch.color"), INK
    ),
}


@attrs.frozen(kw_only=True, eq=False)
class Drawing:
    """A figure that can be drawn.

    Attributes:
        name: Of its files, without suffix.
        caption: What it shows.
        alt: The same in words with its figures, for who does not see it.
        draw: Makes it.
    """

    name: str
    caption: str
    alt: str
    draw: Callable[[], Figure]


@attrs.frozen(kw_only=True, eq=False)
class Picture:
    """A figure that is drawn.

    Attributes:
        drawing: What it is of.
        svg: Content of the SVG file.
        pdf: Content of the PDF file.
    """

    drawing: Drawing
    svg: bytes
    pdf: bytes

    def inline(self, number: int) -> str:
        """The `<svg>` for a page: ids of its own, ink in the colour of the text, described for a screen reader.

        Args:
            number: Distinct in the page.
        """
        text = self.svg.decode()
        text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
        text = re.sub(r' id="([^"]+)"', rf' id="f{number}-\1"', text)
        text = re.sub(r'(href="#|url\(#)', rf"\g<1>f{number}-", text)
        text = text.replace(INK, "currentColor")
        return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def picture_of(drawing: Drawing, *, subject: str) -> Picture:
    """Draw a figure.

    Args:
        drawing: What to draw.
        subject: What its scores rest on; it stands in the files' metadata.
    """
    with rc_context():
        rcParams.update(_STYLE)  # type: ignore[arg-type]  # its stub wants a literal type for every key
        figure = drawing.draw()
        svg, pdf = io.StringIO(), io.BytesIO()
        FigureCanvasSVG(figure)
        about = {"Title": drawing.caption, "Description": subject, "Date": None, "Creator": "VietMER"}
        figure.savefig(svg, format="svg", transparent=True, metadata=about)
        figure.set_layout_engine("none")  # what was laid out stays so
        FigureCanvasPdf(figure)
        about = {"Title": drawing.caption, "Subject": subject, "CreationDate": None, "Creator": "VietMER"}
        figure.savefig(pdf, format="pdf", transparent=True, metadata=about)
    return Picture(drawing=drawing, svg=svg.getvalue().encode(), pdf=pdf.getvalue())


def sheet(height: float, *, width: float = COLUMN) -> Figure:
    """An empty figure, inches."""
    return Figure(figsize=(width, height), layout="constrained")
