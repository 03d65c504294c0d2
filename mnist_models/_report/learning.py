"""Learning curves: a metric from epoch to epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mnist_models._report.axes import BLUE, SMALL, VERMILLION, finish, new_axes, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LearningCurve(NamedTuple):
    """A metric in one fit: a value for each epoch of training, and of validation, if any."""

    training: Sequence[float]
    validation: Sequence[float]
    best_epoch: int | None  # counted from 0


def plot_learning_curve(
    curves: Sequence[LearningCurve], metric: str, title: str, ax: "Axes | None" = None
) -> "Axes":
    """Draw training and validation over the epochs, the best epoch marked, of one fit or more.

    Parameters
    ----------
    curves : sequence of LearningCurve
        One for each fit.
    metric : str
        The metric's name.
    title : str
        The title.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(6.4, 4.4) if ax is None else ax
    width = 2.0 if len(curves) == 1 else 1.0
    for curve in curves:
        _draw(ax, curve.training, "training", BLUE, "--", width)
        _draw(ax, curve.validation, "validation", VERMILLION, "-", width)
        best, watched = curve.best_epoch, curve.validation or curve.training
        if best is not None and 0 <= best < len(watched):
            ax.plot(best + 1, watched[best], "o", color="black", label=_best_epoch_label(curves))
    ax.set_xlim(left=0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    ax.legend(once.values(), once.keys(), fontsize=SMALL)
    return finish(ax, title, "epoch", plain(metric))


def _draw(
    ax: "Axes", values: Sequence[float], name: str, colour: str, style: str, width: float
) -> None:
    if not values:
        return
    epochs = range(1, len(values) + 1)
    marker = "." if len(values) == 1 else ""  # a line of one point is invisible
    ax.plot(epochs, values, style, marker=marker, color=colour, linewidth=width, label=name)


def _best_epoch_label(curves: Sequence[LearningCurve]) -> str:
    best = curves[0].best_epoch
    if len(curves) > 1 or best is None:
        return "best epoch, whose weights were kept"
    return f"best epoch, {best + 1}, whose weights were kept"
