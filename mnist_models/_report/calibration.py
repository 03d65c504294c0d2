"""Reliability diagrams: how often a model is right when it is so sure."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from mnist_models._report.axes import BLUE, GREY, LIGHT_GREY, SMALL, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 10


def plot_calibration(
    confidence: NDArray[np.floating[Any]],
    right: NDArray[np.bool_],
    title: str,
    ax: "Axes | None" = None,
) -> "Axes":
    """Accuracy over confidence in ten bins of equal width, with the share of rows in each.

    Parameters
    ----------
    confidence : ndarray of float, shape (n,)
        The probability of the class predicted.
    right : ndarray of bool, shape (n,)
        Whether it is the true one.
    title : str
        What stands above.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(5.6, 5.2) if ax is None else ax
    confidence = np.clip(confidence, 0, 1)  # sums of 32 bits may be a little over 1
    accuracy, mean = calibration_curve(right.astype(int), confidence, n_bins=_BINS)
    edges = np.linspace(0, 1, _BINS + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], confidence), minlength=_BINS)
    error = float(np.sum(counts[counts > 0] * np.abs(accuracy - mean)) / len(right))

    middles = edges[:-1] + 0.5 / _BINS
    ax.bar(middles, counts / len(right), 0.9 / _BINS, color=LIGHT_GREY, zorder=0)
    ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    ax.plot(mean, accuracy, "o-", color=BLUE, markersize=6, clip_on=False)
    for middle, count in zip(middles, counts, strict=True):
        ax.text(middle, 0.012, str(count), ha="center", fontsize=SMALL - 1, color="#404040")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    title = f"{title}\nexpected calibration error {error:.4f}"
    x = "probability of the predicted class"
    return finish(ax, title, x, "accuracy (points), share of the rows (bars)")
