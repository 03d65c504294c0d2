"""What all plots share: new Axes without pyplot, colours, labels shown literally."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mnist_models._report.text import legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that the colour-blind can tell apart: M. Okabe and K. Ito, "Color Universal Design", 2008,
# https://jfly.uni-koeln.de/color/. Of their eight, black is kept for averages; yellow is too pale
# for a line on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
BLUE, _, _, VERMILLION, _, _ = COLOURS
GREY, LIGHT_GREY = "#737373", "#D9D9D9"
SMALL = 8  # points, for legends and captions


def new_axes(width: float, height: float, columns: int = 1) -> Any:
    """One Axes, or a row of them, on a new figure outside pyplot, of that size in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    return figure.subplots(ncols=columns)


def finish(ax: "Axes", title: str, x: str, y: str) -> "Axes":
    """Add a title and names of the axes; remove the frame above and to the right."""
    lines = (plain(line) for line in title.splitlines())
    ax.set_title("\n".join(lines), fontsize="medium")
    ax.set(xlabel=x, ylabel=y)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plain(text: str) -> str:
    r"""Text that matplotlib shows literally: on one line, with no formula begun by a dollar.

    Examples
    --------
    >>> plain("costs $5\n or $6")
    'costs \\$5 or \\$6'
    """
    return " ".join(legible(text).split()).replace("$", r"\$")


def short(label: str, width: int) -> str:
    """A label cut to at most ``width`` characters.

    Examples
    --------
    >>> short("four", 8), short("handwritten", 8)
    ('four', 'handwri…')
    """
    label = " ".join(label.split())
    return plain(label if len(label) <= width else f"{label[: width - 1]}…")


def wrapped(labels: Sequence[str], width: int) -> list[str]:
    """Labels wrapped to at most three lines of ``width`` characters."""
    return [
        "\n".join(plain(line) for line in textwrap.wrap(label, width, max_lines=3, placeholder="…"))
        for label in labels
    ]
