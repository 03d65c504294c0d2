"""Learning curves: how a score went from epoch to epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mnist_models._report.axes import BLUE, SMALL, VERMILLION, finish, new_axes, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Course(NamedTuple):
    """One fit: a value for each epoch in training, and in validation, if any."""

    training: Sequence[float]
    validation: Sequence[float]
    best_epoch: int | None  # counted from 0


def plot_learning_curve(
    courses: Sequence[Course], metric: str, title: str, ax: "Axes | None" = None
) -> "Axes":
    """Training and validation over the epochs, the best epoch marked; several fits together.

    Parameters
    ----------
    courses : sequence of Course
        One for each fit.
    metric : str
        What the values are.
    title : str
        What stands above.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(6.4, 4.4) if ax is None else ax
    width = 2.0 if len(courses) == 1 else 1.0
    for course in courses:
        _draw(ax, course.training, "training", BLUE, "--", width)
        _draw(ax, course.validation, "validation", VERMILLION, "-", width)
        best, watched = course.best_epoch, course.validation or course.training
        if best is not None and 0 <= best < len(watched):
            ax.plot(best + 1, watched[best], "o", color="black", label=_best(courses))
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
    marker = "." if len(values) == 1 else ""  # a line of one point would not be seen
    ax.plot(epochs, values, style, marker=marker, color=colour, linewidth=width, label=name)


def _best(courses: Sequence[Course]) -> str:
    """What the legend says of the mark."""
    best = courses[0].best_epoch
    if len(courses) > 1 or best is None:
        return "best epoch, whose weights were kept"
    return f"best epoch, {best + 1}, whose weights were kept"
