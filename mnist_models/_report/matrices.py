"""Confusion matrices, one or a pair side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._report.axes import SMALL, VERMILLION, finish, new_axes, wrapped
from mnist_models._report.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_WITH_PERCENTS = 12  # classes; where there are more, a cell holds the count alone
_LABEL_WIDTH = 18  # characters
_MOST_CHARACTERS = 45  # of all labels; more are written upwards
_DARK = 0.65  # share from which white text is more legible on blue than black


class Matrix(NamedTuple):
    """A confusion matrix: counts with true classes in rows, the classes' names, and a title."""

    counts: NDArray[np.int64]
    labels: Sequence[str]
    title: str

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each count as a share of its true class, from 0 to 1."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    @property
    def worst(self) -> float:
        """The largest share off the diagonal; 1 if all are 0."""
        off_diagonal = ~np.eye(len(self.labels), dtype=bool)
        return float(np.max(self.shares, where=off_diagonal, initial=0)) or 1.0


def plot_confusion_matrix(matrix: Matrix, ax: "Axes | None" = None) -> "Axes":
    """Draw counts and row percents in every cell, the diagonal in blue, errors in red.

    Red has a scale of its own, up to the largest error: on the scale of the diagonal, 2 % would
    look like none beside 97 %.

    Parameters
    ----------
    matrix : Matrix
        Counts of shape (n_classes, n_classes).
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure, ``ax.figure`` of what is returned.

    Returns
    -------
    matplotlib.axes.Axes
    """
    side = _side(matrix)
    ax = new_axes(side * 1.2, side) if ax is None else ax
    _draw(matrix, ax, matrix.worst, with_bars=True)
    return ax


def plot_confusion_matrices(
    first: Matrix, second: Matrix, axes: "Sequence[Axes] | None" = None
) -> "tuple[Axes, Axes]":
    """Draw two matrices side by side, in the same colours.

    Parameters
    ----------
    first, second : Matrix
        Counts of shape (n_classes, n_classes).
    axes : sequence of two matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    tuple of two matplotlib.axes.Axes
    """
    side = max(_side(first), _side(second))
    left, right = new_axes(2.2 * side, side, columns=2) if axes is None else axes
    worst = max(first.worst, second.worst)
    _draw(first, left, worst, with_bars=False)
    _draw(second, right, worst, with_bars=True)
    return left, right


def _draw(matrix: Matrix, ax: "Axes", worst: float, *, with_bars: bool) -> None:
    from sklearn.metrics import ConfusionMatrixDisplay

    counts, shares = matrix.counts, matrix.shares
    labels = wrapped(matrix.labels, _LABEL_WIDTH)
    display = ConfusionMatrixDisplay(counts, display_labels=labels)
    display.plot(ax=ax, cmap="Blues", colorbar=False)
    display.im_.remove()
    right, wrong = _colour(matrix, ax, worst)
    if with_bars:
        _add_colour_bar(right, ax, 0.54, "right")
        _add_colour_bar(wrong, ax, 0.0, "wrong")
    few = len(labels) <= _MOST_WITH_PERCENTS
    dark = np.diag(np.diag(shares) >= _DARK)
    for place, text in np.ndenumerate(display.text_):
        text.set(
            text=_cell(int(counts[place]), float(shares[place]), with_percent=few),
            in_layout=False,  # inside anyway, and measuring thousands of them takes seconds
            fontsize=8 if few else 6,
            color="white" if dark[place] else "black",
        )
    finish(ax, matrix.title, "predicted", "true")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=None if few else 7)
    longest = max((len(line) for label in labels for line in label.splitlines()), default=0)
    if longest * len(labels) > _MOST_CHARACTERS:
        ax.tick_params(axis="x", rotation=90)


def _colour(matrix: Matrix, ax: "Axes", worst: float) -> tuple[Any, Any]:
    """Draw the diagonal and the other cells, each in its own colours."""
    from matplotlib.colors import LinearSegmentedColormap

    diagonal, percents = np.eye(len(matrix.labels), dtype=bool), 100 * matrix.shares
    reds = LinearSegmentedColormap.from_list("reds", ["#FFFFFF", VERMILLION])
    looks = ((~diagonal, "Blues", 100.0), (diagonal, reds, 100 * worst))
    right, wrong = (
        ax.imshow(np.ma.array(percents, mask=mask), colours, vmin=0, vmax=most)
        for mask, colours, most in looks
    )
    return right, wrong


def _cell(count: int, share: float, *, with_percent: bool) -> str:
    if count == 0:
        return ""
    return f"{count}\n{percent(share, 1)}" if with_percent else str(count)


def _add_colour_bar(image: Any, ax: "Axes", bottom: float, what: str) -> None:
    """Add a bar beside the matrix, half as high."""
    place = ax.inset_axes((1.03, bottom, 0.04, 0.46))
    bar = ax.figure.colorbar(image, cax=place)
    bar.set_label(f"{what}, % of the true class", fontsize=SMALL)
    bar.outline.set_visible(False)


def _side(matrix: Matrix) -> float:
    """The side of a new figure in inches: large enough for the text in the cells."""
    n = len(matrix.labels)
    longest = min(max(len(label) for label in matrix.labels), _LABEL_WIDTH)
    return max(4.0, (0.62 if n <= _MOST_WITH_PERCENTS else 0.3) * n) + 0.08 * longest
