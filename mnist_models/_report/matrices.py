"""Confusion matrices, one or a pair side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._report.axes import finish, new_axes, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_WITH_PERCENTS = 12  # classes; where there are more, a cell holds the count alone
_LABEL_WIDTH = 18  # characters
_CHARACTERS_SIDE_BY_SIDE = 45


class Matrix(NamedTuple):
    """What is drawn: counts with true classes in rows, what to call the classes, and a title."""

    counts: NDArray[np.int64]
    labels: Sequence[str]
    title: str


def plot_confusion_matrix(matrix: Matrix, ax: "Axes | None" = None) -> "Axes":
    """Counts and row percents in every cell, coloured by row percent.

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
    ax = new_axes(side * 1.12, side) if ax is None else ax
    _add_colour_bar(_draw(matrix, ax), [ax], 0.046)
    return ax


def plot_confusion_matrices(
    first: Matrix, second: Matrix, axes: "Sequence[Axes] | None" = None
) -> "tuple[Axes, Axes]":
    """Two of them side by side, with one colour bar.

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
    left, right = new_axes(2.15 * side, side, columns=2) if axes is None else axes
    _draw(first, left)
    _add_colour_bar(_draw(second, right), [left, right], 0.023)
    return left, right


def _draw(matrix: Matrix, ax: "Axes") -> Any:
    """The cells, coloured; the image, which a colour bar can explain."""
    from matplotlib.colors import PowerNorm
    from sklearn.metrics import ConfusionMatrixDisplay

    counts, labels = matrix.counts, wrapped(matrix.labels, _LABEL_WIDTH)
    percents = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    display = ConfusionMatrixDisplay(percents, display_labels=labels)
    # the square root of the percents: beside 97 on the diagonal, 1 and 2 would look like 0
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    display.plot(ax=ax, cmap="Blues", colorbar=False, im_kw={"norm": norm})
    few = len(labels) <= _MOST_WITH_PERCENTS
    for text, count, percent in zip(
        display.text_.ravel(), counts.ravel(), percents.ravel(), strict=True
    ):
        text.set(
            text=_cell(int(count), float(percent), with_percent=few),
            in_layout=False,  # it is inside, and thousands of them take seconds to measure
            fontsize=8 if few else 6,
            color="white" if norm(percent) > 0.6 else "#08306b",
        )
    finish(ax, matrix.title, "predicted", "true")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=None if few else 7)
    longest = max((len(line) for label in labels for line in label.splitlines()), default=0)
    if longest * len(labels) > _CHARACTERS_SIDE_BY_SIDE:
        ax.tick_params(axis="x", rotation=90)
    return display.im_


def _cell(count: int, percent: float, *, with_percent: bool) -> str:
    if count == 0:
        return ""
    if not with_percent:
        return str(count)
    return f"{count}\n{percent:.1f}%" if percent < 99.95 else f"{count}\n100%"


def _add_colour_bar(image: Any, axes: "list[Axes]", width: float) -> None:
    """Of a height with the cells where the figure is square to the matrices."""
    bar = axes[0].figure.colorbar(image, ax=axes, fraction=width, pad=0.7 * width)
    bar.set_label("percent of the true class")
    bar.outline.set_visible(False)


def _side(matrix: Matrix) -> float:
    """Of a new figure, in inches: so that what stands in the cells fits into them."""
    n = len(matrix.labels)
    longest = min(max(len(label) for label in matrix.labels), _LABEL_WIDTH)
    return max(4.0, (0.62 if n <= _MOST_WITH_PERCENTS else 0.3) * n) + 0.08 * longest
