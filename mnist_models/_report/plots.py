"""Pictures: matplotlib without pyplot's state or settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_confusion_matrix(
    counts: NDArray[np.int64], labels: Sequence[str], title: str, ax: "Axes | None" = None
) -> "Axes":
    """Counts and row percents in every cell, coloured by row percent.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes, n_classes)
        True classes in rows, predicted ones in columns.
    labels : sequence of str
        What to call the classes.
    title : str
        What stands above.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure, ``ax.figure`` of what is returned.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.colors import PowerNorm
    from sklearn.metrics import ConfusionMatrixDisplay

    ax = _new_axes(len(labels)) if ax is None else ax
    totals = counts.sum(axis=1, keepdims=True)
    percents = 100 * counts / np.maximum(totals, 1)
    display = ConfusionMatrixDisplay(percents, display_labels=labels)
    # the square root of the percents: beside 97 on the diagonal, 1 and 2 would look like 0
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    display.plot(ax=ax, cmap="Blues", colorbar=False, im_kw={"norm": norm})
    for text, count, percent in zip(
        display.text_.ravel(), counts.ravel(), percents.ravel(), strict=True
    ):
        text.set_text(_cell(int(count), float(percent)))
        text.set_fontsize(8 if len(labels) <= 12 else 5)
    bar = ax.figure.colorbar(display.im_, ax=ax, fraction=0.046, pad=0.03)
    bar.set_label("percent of the true class")
    bar.outline.set_visible(False)
    ax.set(title=title, xlabel="predicted", ylabel="true")
    return ax


def _cell(count: int, percent: float) -> str:
    if count == 0:
        return ""
    return f"{count}\n{percent:.1f}%" if percent < 99.95 else f"{count}\n100%"


def _new_axes(n_classes: int) -> Any:
    from matplotlib.figure import Figure

    side = max(4.0, 0.62 * n_classes)
    figure = Figure(figsize=(side * 1.12, side), layout="constrained")
    return figure.subplots()
