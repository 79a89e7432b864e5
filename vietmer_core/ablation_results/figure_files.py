"""Figures as bytes: the same figure gives the same bytes."""

import io
from typing import Final, Literal

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Format = Literal["svg", "pdf", "png"]
FORMATS: Final[tuple[Format, ...]] = ("svg", "pdf", "png")
_UNDATED: Final[dict[Format, dict[str, str | None]]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}


def figure_bytes(figure: Figure, kind: Format) -> bytes:
    """A figure as SVG (text stays text), PDF or PNG, without its date."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "vietmer", "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        figure.savefig(buffer, format=kind, dpi=150, metadata=_UNDATED[kind])
    return buffer.getvalue()
