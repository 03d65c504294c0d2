"""Reliability diagrams: accuracy over the probability of the predicted class."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._report.axes import BLUE, GREY, LIGHT_GREY, SMALL, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 10
# The standard error of a share of n rows is at most 1 / (2 √n): from 25 rows on, no more than the
# width of a bin. The accuracy of fewer rows may as well be that of a neighbouring bin.
_ENOUGH = 25
_LARGEST, _SMALLEST = 220, 12  # areas of the points, in square points


def plot_calibration(
    confidence: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
    title: str,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw accuracy over confidence in ten bins of equal width, and the share of rows in each.

    The area of a point is proportional to its rows. Points of fewer than 25 rows are hollow and no
    line goes through them: their standard error may exceed the width of a bin.

    Parameters
    ----------
    confidence : ndarray of float, shape (n,)
        The probability of the predicted class.
    right : ndarray of bool, shape (n,)
        Whether that is the true class.
    title : str
        The title.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(5.6, 5.2) if ax is None else ax
    confidence = np.clip(confidence, 0, 1)  # sums in float32 may exceed 1 a little
    edges = np.linspace(0, 1, _BINS + 1)
    bins = np.searchsorted(edges[1:-1], confidence)
    counts, hits, sums = (
        np.bincount(bins, weights, _BINS) for weights in (None, right, confidence)
    )
    error = float(np.sum(np.abs(hits - sums)) / len(right))
    _draw_counts(ax, edges[:-1] + 0.5 / _BINS, counts)
    ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    _draw_points(ax, sums / np.maximum(counts, 1), hits / np.maximum(counts, 1), counts)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    title = f"{title}\nexpected calibration error {error:.4f}"
    x = "probability of the predicted class"
    return finish(ax, title, x, "accuracy (points), share of the rows (bars)")


def _draw_counts(ax: "Axes", middles: NDArray[np.float64], counts: NDArray[Any]) -> None:
    ax.bar(middles, counts / counts.sum(), 0.9 / _BINS, color=LIGHT_GREY, zorder=0)
    for middle, count in zip(middles, counts, strict=True):
        ax.text(middle, 0.012, str(count), ha="center", fontsize=SMALL - 1, color="#404040")


def _draw_points(ax: "Axes", x: NDArray[Any], y: NDArray[Any], counts: NDArray[Any]) -> None:
    """A point for each bin that has rows, joined by lines where neighbours have enough."""
    enough, few = counts >= _ENOUGH, (counts > 0) & (counts < _ENOUGH)
    areas = np.maximum(_LARGEST * counts / counts.max(), _SMALLEST)
    ax.plot(x, np.where(enough, y, np.nan), color=BLUE)
    style: dict[str, Any] = {"edgecolors": BLUE, "clip_on": False, "zorder": 3}
    ax.scatter(x[enough], y[enough], areas[enough], BLUE, **style)
    if few.any():
        label = f"of fewer than {_ENOUGH} rows"
        ax.scatter(x[few], y[few], areas[few], "white", label=label, **style)
        ax.legend(loc="upper left", fontsize=SMALL)
