"""One class against the rest: ROC and precision-recall curves."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from mnist_models._report.axes import COLOURS, GREY, LIGHT_GREY, SMALL, finish, new_axes, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = np.linspace(0, 1, 1001)
_STYLE = ("color", "linestyle", "linewidth", "drawstyle", "zorder")
_LOOKS: list[dict[str, Any]] = [
    {"color": colour, "linestyle": dashes} for dashes in ("-", (0, (4, 1.5))) for colour in COLOURS
]
_MOST_NAMED = len(_LOOKS)  # of more classes, the worst are named
_UNNAMED: dict[str, Any] = {"color": LIGHT_GREY, "linewidth": 0.8, "zorder": 1, "label": "_"}
_FINE = 1 / 1000  # a tenth of an inch is 20 of these, a hundredth in the magnified corner
_GOOD = 0.95  # above this area, curves nearly coincide in the corner, which is then magnified


class OneVersusRest(NamedTuple):
    """What the curves are drawn from.

    Attributes
    ----------
    truth : ndarray of bool, shape (n, n_classes)
        Whether each row is of each class.
    chances : ndarray, shape (n, n_classes)
        The probability of each class.
    labels : sequence of str
        The classes' names.
    title : str
        The title.
    """

    truth: NDArray[np.bool_]
    chances: NDArray[np.float32]
    labels: Sequence[str]
    title: str


class _Curve(NamedTuple):
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    area: float


_MakeCurve = Callable[[Any, Any], _Curve]


def plot_roc(answers: OneVersusRest, ax: "Axes | None" = None) -> "Axes":
    """Draw recall over false positive rate, a curve for each class, and their average.

    The average is the mean of the classes' recalls at the same false positive rate.

    Parameters
    ----------
    answers : OneVersusRest
        Truth and probabilities.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If no class has both rows of its own and others.
    """
    ax = new_axes(6.4, 5.6) if ax is None else ax
    curves, missing = _of_each_class(_roc, answers)
    at_grid = [np.interp(_GRID, curve.x, curve.y) for curve in curves.values()]
    average = _average(curves, np.append(0, _GRID), np.append(0, np.mean(at_grid, axis=0)))
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, zorder=0)
    lines = _draw(ax, curves, average, {})
    if min(curve.area for curve in curves.values()) > _GOOD:
        _magnify(ax, lines, (0.15, 0.2, 0.36, 0.48), (0, 0.1), (0.9, 1.003))
    _add_legend(ax, lines, "AUC", missing, "lower right")
    return finish(ax, answers.title, "false positive rate", "true positive rate (recall)")


def plot_precision_recall(answers: OneVersusRest, ax: "Axes | None" = None) -> "Axes":
    """Draw precision over recall, a curve for each class, and their average.

    Curves are steps, as average precision sums them. The average is the mean of the classes'
    precisions at the same recall.

    Parameters
    ----------
    answers : OneVersusRest
        Truth and probabilities.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If no class has both rows of its own and others.
    """
    ax = new_axes(6.4, 5.6) if ax is None else ax
    curves, missing = _of_each_class(_precision_recall, answers)
    at_grid = [_steps_at_grid(curve) for curve in curves.values()]
    average = _average(curves, _GRID[::-1], np.mean(at_grid, axis=0)[::-1])
    lines = _draw(ax, curves, average, {"drawstyle": "steps-post"})
    if min(curve.area for curve in curves.values()) > _GOOD:
        _magnify(ax, lines, (0.54, 0.2, 0.36, 0.48), (0.9, 1.003), (0.9, 1.003))
    _add_legend(ax, lines, "AP", missing, "lower left")
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    return finish(ax, answers.title, "recall", "precision")


def _roc(truth: Any, chances: Any) -> _Curve:
    x, y, _ = roc_curve(truth, chances)
    return _Curve(x, y, float(auc(x, y)))


def _precision_recall(truth: Any, chances: Any) -> _Curve:
    y, x, _ = precision_recall_curve(truth, chances, drop_intermediate=True)
    return _Curve(x, y, float(average_precision_score(truth, chances)))


def _steps_at_grid(curve: _Curve) -> NDArray[np.float64]:
    """The precision of the highest threshold that reaches each recall."""
    recall, precision = curve.x[::-1], curve.y[::-1]
    return precision[np.searchsorted(recall, _GRID)]


def _of_each_class(
    make_curve: _MakeCurve, answers: OneVersusRest
) -> tuple[dict[str, _Curve], list[str]]:
    """The curves by label, and the labels of classes that have none."""
    curves, missing = {}, []
    for label, truth, chances in zip(
        answers.labels, answers.truth.T, answers.chances.T, strict=True
    ):
        if truth.any() and not truth.all():
            curves[label] = make_curve(truth, chances)
        else:
            missing.append(label)
    if not curves:
        raise ValueError(
            "A curve needs rows of a class and rows of others. "
            f"Got {len(answers.truth)} rows, all of one class, instead."
        )
    return curves, missing


def _average(curves: dict[str, _Curve], x: Any, y: Any) -> _Curve:
    return _Curve(x, y, float(np.mean([curve.area for curve in curves.values()])))


def _draw(
    ax: "Axes", curves: dict[str, _Curve], average: _Curve, style: dict[str, Any]
) -> list[Any]:
    """Draw a line for each class in order, then the average."""
    worst = sorted(curves, key=lambda label: curves[label].area)[: len(COLOURS)]
    named = list(curves) if len(curves) <= _MOST_NAMED else worst
    lines = []
    for label, curve in curves.items():
        look = _UNNAMED
        if label in named:
            name = f"{curve.area:.4f}  {short(label, 22)}"
            look = {"label": name, "linewidth": 1.2, **_LOOKS[named.index(label)]}
        lines += ax.plot(*_thinned(curve), **look, **style)
    label = f"{average.area:.4f}  macro average"
    lines += ax.plot(average.x, average.y, color="black", linewidth=2, label=label, **style)
    return lines


def _thinned(curve: _Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Leave out points that are drawn where the one before is: there may be one for every row."""
    cells = np.round([curve.x / _FINE, curve.y / _FINE])
    kept = np.append(True, (np.diff(cells) != 0).any(axis=0))
    kept[-1] = True
    return curve.x[kept], curve.y[kept]


def _magnify(ax: "Axes", lines: list[Any], place: Any, x: Any, y: Any) -> None:
    """Draw the corner in which the lines turn once more, magnified, in the empty middle."""
    corner = ax.inset_axes(place, xlim=x, ylim=y)
    for line in lines:
        style = {name: getattr(line, f"get_{name}")() for name in _STYLE}
        corner.plot(*line.get_data(), **style)
    corner.tick_params(labelsize=SMALL - 1)
    ax.indicate_inset_zoom(corner, edgecolor=GREY)


def _add_legend(
    ax: "Axes",
    lines: list[Any],
    area: str,
    missing: Sequence[str],
    place: Literal["lower left", "lower right"],
) -> None:
    """Name the lines; below, count those without a name and list the classes without a line."""
    from matplotlib.lines import Line2D

    named = [line for line in lines if line.get_label() != "_"]
    others = len(lines) - len(named)
    if others:
        named.append(Line2D([], [], color=LIGHT_GREY, label=f"{others} classes, each higher"))
    if missing:
        note = f"no curve, for want of rows: {short(', '.join(missing), 24)}"
        named.append(Line2D([], [], linestyle="none", label=note))
    ax.legend(handles=named, title=area, loc=place, fontsize=SMALL, title_fontsize=SMALL)
