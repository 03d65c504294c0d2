"""The scores of several models on the same folds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._report.axes import BLUE, LIGHT_GREY, SMALL, finish, new_axes, plain, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_fold_scores(
    scores: Mapping[str, NDArray[np.float64]], scoring: str, ax: "Axes | None" = None
) -> "Axes":
    """Draw a point for every fold and model, a line through each fold, and the means.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (n_folds,)
        The models' scores by name, the topmost first.
    scoring : str
        The score's name.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = new_axes(6.4, 1.6 + 0.55 * len(scores)) if ax is None else ax
    table = np.array(list(scores.values()))
    places = np.arange(len(scores))
    for fold in table.T:
        ax.plot(fold, places, "-", color=LIGHT_GREY, linewidth=1, zorder=1)
    for place, of_model in zip(places, table, strict=True):
        at = np.full(len(of_model), place)
        ax.plot(of_model, at, "o", color=BLUE, alpha=0.6, markersize=6, label="a fold")
    means = table.mean(axis=1)
    ax.plot(means, places, "|", color="black", markersize=22, markeredgewidth=2, label="mean")
    above: dict[str, Any] = {
        "xytext": (0, 13),
        "textcoords": "offset points",
        "ha": "center",
        "fontsize": SMALL,
    }
    behind = {"facecolor": "white", "linewidth": 0, "pad": 0.5, "alpha": 0.8}
    for place, mean in zip(places, means, strict=True):
        ax.annotate(f"{mean:.4f}", (mean, place), bbox=behind, **above)
    ax.set_yticks(places, wrapped(list(scores), 24))
    ax.set_ylim(len(scores) - 0.5, -0.7)
    n_folds = table.shape[1]
    return finish(ax, f"{n_folds} folds: a point for each, a bar for the mean", plain(scoring), "")
