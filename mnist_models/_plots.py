"""Every picture: functions of an Evaluation that draw on matplotlib Axes, and return them.

``ax=None`` draws on a new figure that pyplot does not know of. The methods of ``Evaluation`` and
``Comparison`` say what the pictures show and what is refused.
"""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    auc,
    average_precision_score,
    precision_recall_curve,
    roc_curve,
)

from mnist_models._text import legible, percent
from mnist_models._validation import check_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mnist_models.curves import LearningCurve
    from mnist_models.results import Evaluation

# Of more classes than this, a matrix holds counts alone, and curves are those of the worst.
MOST_CLASSES = 12

# Colours that the colour-blind can tell apart: M. Okabe and K. Ito, "Color Universal Design", 2008,
# https://jfly.uni-koeln.de/color/.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_BLUE, _VERMILLION = _COLOURS[0], _COLOURS[3]
_GREY, _LIGHT_GREY = "#737373", "#D9D9D9"
# Sizes of text relative to the user's own, which can be read from the last row of a lecture hall:
# of legends and captions, and of titles and names of axes.
_SMALL, _LARGE = "medium", "large"

_Curve: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], float]  # x, y and area


def new_axes(width: float, height: float, columns: int = 1) -> Any:
    """One Axes, or a row of them, on a new figure outside pyplot, of that size in inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    return figure.subplots(ncols=columns)


def _new_panels(n: int, side: float, ax: "Axes | None") -> "tuple[Axes, list[Axes]]":
    """Axes that hold a grid of ``n`` smaller ones, of that side in inches on a new figure."""
    rows = -(-n // 6)
    columns = -(-n // rows)
    ax = new_axes(side * columns + 0.8, 1.15 * side * rows + 1) if ax is None else ax
    ax.set(xticks=[], yticks=[])
    ax.patch.set_visible(False)
    ax.spines[:].set_visible(False)
    across, down = columns + 0.16 * (columns - 1), rows + 0.36 * (rows - 1)  # in panels
    places = [(1.16 * (k % columns) / across, 1.36 * (k // columns) / down) for k in range(n)]
    boxes = [(x, 1 - y - 1 / down, 1 / across, 1 / down) for x, y in places]
    return ax, [ax.inset_axes(box) for box in boxes]


def _finish(ax: "Axes", title: str, x: str, y: str, pad: float | None = None) -> "Axes":
    """Add a title and names of the axes; remove the frame above and to the right."""
    ax.set_title("\n".join(map(_plain, title.splitlines())), fontsize=_LARGE, pad=pad)
    ax.set_xlabel(x, fontsize=_LARGE)
    ax.set_ylabel(y, fontsize=_LARGE)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _plain(words: str) -> str:
    """Text that matplotlib shows literally: on one line, with no formula begun by a dollar."""
    return " ".join(legible(words).split()).replace("$", r"\$")


def fitted(label: str, width: int, lines: int = 1) -> str:
    r"""A label on at most so many lines of ``width`` characters, cut where it is longer.

    Examples
    --------
    >>> fitted("four", 8), fitted("handwritten", 8), fitted("a handwritten four", 11, lines=2)
    ('four', 'handwri…', 'a\nhandwritte…')
    """
    wrapped = textwrap.wrap(legible(label), width) or [""]
    if len(wrapped) > lines:
        wrapped[lines - 1 :] = [f"{wrapped[lines - 1][: width - 1]}…"]
    return "\n".join(map(_plain, wrapped))


def _title(evaluation: "Evaluation", subject: str) -> str:
    rows = "the test set" if evaluation.test is not None else "rows out of fold"
    return f"{evaluation.model_name} on {rows}: {subject}"


def _in_order(evaluation: "Evaluation", labels: Any) -> list[Any]:
    """The classes to draw: those given, in their order, or all of them."""
    classes = evaluation.classes.tolist()
    if labels is None:
        return classes
    for label in labels:
        check_name(label, classes, "each of labels")
    if len(labels) == 0 or len(set(labels)) < len(labels):
        raise ValueError(f"labels must name one class or more, each once. Got {labels!r} instead.")
    return list(labels)


# -- confusion matrices ----------------------------------------------------------------------------


class Matrix(NamedTuple):
    """A confusion matrix: counts with true classes in rows, the classes' names, and a title.

    ``support`` is how many rows of each true class there are, those of classes left out too.
    """

    counts: NDArray[np.int64]
    labels: Sequence[str]
    title: str
    support: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each count as a share of its true class, from 0 to 1."""
        return self.counts / np.maximum(self.support, 1)[:, np.newaxis]

    @property
    def largest_error(self) -> float:
        """The largest share of a class that was taken for another."""
        wrong = ~np.eye(len(self.labels), dtype=bool)
        return float(np.max(self.shares, where=wrong, initial=0))

    @property
    def side(self) -> float:
        """The side of a new figure in inches: large enough for the text in the cells."""
        n, longest = len(self.labels), min(18, max(map(len, self.labels)))
        return max(4.0, (0.62 if n <= MOST_CLASSES else 0.3) * n) + 0.08 * longest


def plot_confusion_matrix(evaluation: "Evaluation", labels: Any, ax: "Axes | None") -> "Axes":
    """Draw counts and row percents in every cell, the diagonal in blue, errors in red."""
    matrix = _matrix(evaluation, labels)
    ax = new_axes(1.2 * matrix.side, matrix.side) if ax is None else ax
    _draw_matrix(matrix, ax, matrix.largest_error, with_bars=True)
    return ax


def plot_confusion_matrices(
    first: "Evaluation", second: "Evaluation", labels: Any, axes: "Sequence[Axes] | None"
) -> "tuple[Axes, Axes]":
    """Draw two matrices side by side, in the same colours."""
    one, other = _matrix(first, labels), _matrix(second, labels)
    side = max(one.side, other.side)
    left, right = new_axes(2.2 * side, side, columns=2) if axes is None else axes
    largest_error = max(one.largest_error, other.largest_error)
    _draw_matrix(one, left, largest_error, with_bars=False)
    _draw_matrix(other, right, largest_error, with_bars=True)
    return left, right


def _matrix(evaluation: "Evaluation", labels: Any) -> Matrix:
    title = _title(evaluation, f"accuracy {evaluation.accuracy:.4f}")
    names = _in_order(evaluation, labels)
    rows = [evaluation.classes.tolist().index(name) for name in names]
    counts = evaluation.confusion_matrix[rows]
    return Matrix(counts[:, rows], [*map(str, names)], title, counts.sum(axis=1))


def _draw_matrix(matrix: Matrix, ax: "Axes", largest_error: float, *, with_bars: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    labels, few = matrix.labels, len(matrix.labels) <= MOST_CLASSES
    names = [fitted(label, 18, lines=3) for label in labels]
    display = ConfusionMatrixDisplay(matrix.counts, display_labels=names)
    display.plot(ax=ax, colorbar=False)
    display.im_.remove()
    # the diagonal and the other cells in its place, each in their own colours
    reds = LinearSegmentedColormap.from_list("reds", ["#FFFFFF", _VERMILLION])
    diagonal = np.eye(len(labels), dtype=bool)
    for mask, colours, most, bottom, what in (
        (~diagonal, "Blues", 100.0, 0.54, "right"),
        (diagonal, reds, 100 * (largest_error or 1.0), 0.0, "wrong"),
    ):
        percents = np.ma.array(100 * matrix.shares, mask=mask)
        image = ax.imshow(percents, colours, vmin=0, vmax=most)
        if with_bars:
            bar: Any = ax.figure.colorbar(image, cax=ax.inset_axes((1.03, bottom, 0.04, 0.46)))
            bar.set_label(f"{what}, % of the true class", fontsize=_SMALL)
            bar.outline.set_visible(False)
    for place, text in np.ndenumerate(display.text_):
        count, share = int(matrix.counts[place]), float(matrix.shares[place])
        dark = place[0] == place[1] and share >= 0.65  # where white stands out more than black
        text.set(
            text="" if not count else f"{count}\n{percent(share, 1)}" if few else str(count),
            in_layout=False,  # inside anyway, and measuring thousands of them takes seconds
            fontsize=_SMALL if few else "xx-small",
            color="white" if dark else "black",
        )
    _finish(ax, matrix.title, "predicted", "true")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=None if few else 7)
    longest = max(len(line) for name in names for line in name.split("\n"))
    if longest * len(names) > 45:  # too wide to stand side by side
        ax.tick_params(axis="x", rotation=90)


# -- digits ----------------------------------------------------------------------------------------


def as_images(pixels: Any, n_rows: int, of_test_set: bool) -> tuple[NDArray[Any], float]:
    """Pixels of the reported rows as images, and the value that full ink has in them.

    ``pixels`` are from 0 (paper) to 255 (ink), or from 0 to 1, of shape (n_rows, height·width) or
    (n_rows, height, width[, 1]). The images, of shape (n_rows, height, width), are a view where
    that is possible. Full ink is the highest value, for there are scales to 1, to 16 and to 255.
    """
    images = np.asarray(pixels)
    wanted = "X_test, the rows of the test set" if of_test_set else "X, the rows evaluated"
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (2, 3) or 0 in images.shape[1:] or images.dtype.kind not in "buif":
        raise ValueError(
            "images must be numbers of shape (n, height·width) or (n, height, width): pass "
            f"{wanted}. Got {images.dtype} of shape {images.shape} instead."
        )
    if len(images) != n_rows:
        raise ValueError(
            f"images must hold the {n_rows} rows that are reported on: pass {wanted}. "
            f"Got {len(images)} rows instead."
        )
    low, high = float(images.min()), float(images.max())
    if not 0 <= low <= high <= 255:  # NaN too
        raise ValueError(
            "images must hold pixels from 0 (paper) to 255 (ink), or from 0 to 1. Got values "
            f"from {low:g} to {high:g}: pass the pixels as they were before they were scaled."
        )
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        if side**2 != images.shape[1]:
            raise ValueError(
                "images must be square where their rows are flat, so a square number of pixels. "
                f"Got {images.shape[1]} pixels instead. Pass them with shape (n, height, width)."
            )
        images = images.reshape(-1, side, side)
    return images, high or 1.0


def rows_by_confidence(
    right: NDArray[np.bool_], confidence: NDArray[np.floating[Any]] | None
) -> NDArray[np.intp]:
    """All rows from the most confidently wrong to the most confidently right.

    Without confidences, the wrong ones before the right ones, each in the order of rows.
    """
    if confidence is None:
        return np.argsort(right, kind="stable")
    return np.lexsort((np.where(right, confidence, -confidence), right))


def check_n(n: Any) -> None:
    """Raise ValueError unless ``n`` can be a greatest number of digits."""
    if not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n must be an int of at least 1. Got {n!r} instead.")


def plot_errors(
    evaluation: "Evaluation", images: Any, rows: Any, n: int, ax: "Axes | None", *, given: bool
) -> "Axes":
    """Draw these digits in rows; below each, true → predicted, and the latter's probability.

    Rows that are not ``given`` are misread ones, to be drawn the most confidently wrong first.
    """
    check_n(n)
    y_true, y_pred, confidence = evaluation.y_true, evaluation.y_pred, evaluation.confidence
    pixels, ink = as_images(images, len(y_true), evaluation.test is not None)
    if not given:
        order = rows_by_confidence(y_true == y_pred, confidence)
        rows = order[np.isin(order, rows)]
    digits = rows[:n]
    labels = [(str(y_true[row]), str(y_pred[row])) for row in digits]
    columns = min(max(4, math.ceil(math.sqrt(1.5 * len(digits)))), 8)
    lines = max(1, math.ceil(len(digits) / columns))
    short = all(len(label) <= 3 for pair in labels for label in pair)
    # of a column and a row, in units of a digit's side, which is 0.9 inches on a new figure
    across, down = (1.12, 1.5) if short else (1.9, 1.65)
    if ax is None:
        ax = new_axes(0.9 * across * columns + 0.2, 0.9 * down * lines + 0.7)
    for place, (row, (was, read)) in enumerate(zip(digits, labels, strict=True)):
        image = pixels[row] / np.float32(ink)
        middle, top = (place % columns + 0.5) * across, place // columns * down
        height, width = (side / max(image.shape) for side in image.shape)
        x, y = middle - width / 2, top + (1 - height) / 2
        extent = (x, x + width, y + height, y)
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=1, extent=extent)
        between = " → " if short else "\n→ "
        caption = f"{fitted(was, 21)}{between}{fitted(read, 21)}"
        if confidence is not None:
            caption += f"\n{percent(float(confidence[row]), 1)}"
        ax.text(middle, top + 1.04, caption, ha="center", va="top", fontsize=_SMALL)
    ax.set(xlim=(0, columns * across), ylim=(lines * down, 0))
    ax.set_aspect("equal")
    ax.set_axis_off()
    how = "in the order of rows" if confidence is None else "the most confidently wrong first"
    which = "rows given, in that order" if given else f"misread\n{how}"
    title = f"{evaluation.model_name}: {len(digits)} of {len(rows)} {which}"
    return _finish(ax, title, "", "")


# -- learning curves and scores of the folds -------------------------------------------------------


def metrics_of(evaluation: "Evaluation") -> list[str]:
    """The metrics in the histories: first what early stopping watches, without a penalty."""
    histories = [fit.history or {} for fit in evaluation.reported_fits]
    names = {name.removeprefix("val_") for history in histories for name in history}
    first = [name for name in ("cross_entropy", "loss", "accuracy") if name in names]
    return [*first, *sorted(names.difference(first))]


def plot_learning_curve(evaluation: "Evaluation", metric: str | None, ax: "Axes | None") -> "Axes":
    """Draw a metric of training and validation over the epochs, the best epoch marked."""
    from matplotlib.ticker import MaxNLocator

    fits = [fit for fit in evaluation.reported_fits if fit.history]
    if not fits:
        raise ValueError(
            f"A learning curve needs the history of a training, and {evaluation.model_name} keeps "
            "none. Evaluate a model with history_, such as SequentialClassifier."
        )
    metric = metrics_of(evaluation)[0] if metric is None else metric
    check_name(metric, metrics_of(evaluation), "metric")
    ax = new_axes(6.4, 4.4) if ax is None else ax
    many = len(fits) > 1
    for fit in fits:
        history, best = fit.history or {}, fit.best_epoch
        training, validation = history.get(metric, []), history.get(f"val_{metric}", [])
        for values, name, look, colour in (
            (training, "training", "--", _BLUE),
            (validation, "validation", "-", _VERMILLION),
        ):
            if values:
                marker = "." if len(values) == 1 else ""  # a line of one point is invisible
                epochs, width = range(1, len(values) + 1), 1 if many else 2
                ax.plot(epochs, values, look, marker=marker, color=colour, lw=width, label=name)
        watched = validation or training
        if best is not None and 0 <= best < len(watched):
            which = "" if many else f" {best + 1},"
            label = f"best epoch,{which} whose weights were kept"
            ax.plot(best + 1, watched[best], "o", color="black", label=label)
    ax.set_xlim(left=0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    ax.legend(once.values(), once.keys(), fontsize=_SMALL, frameon=False)
    which = "fitted on all rows" if evaluation.test else f"{len(fits)} folds"
    return _finish(
        ax, f"{evaluation.model_name}, {which}", "epoch", _plain(metric).replace("_", "-")
    )


def plot_cv_scores(models: "Mapping[str, Evaluation]", ax: "Axes | None") -> "Axes":
    """Draw a point for every fold and model, a line through each fold, the means, their intervals.

    The models were evaluated on the same folds; the first is drawn topmost.
    """
    ax = new_axes(6.4, 1.6 + 0.55 * len(models)) if ax is None else ax
    table = np.array([model.cv_scores for model in models.values()])
    for fold in table.T:
        ax.plot(fold, range(len(models)), color=_GREY, alpha=0.4, lw=0.8, zorder=1)
    for place, model in enumerate(models.values()):
        of_model, interval = model.cv_scores, model.cv_confidence_interval()
        if interval.is_known:
            ends = [interval.low, interval.high]
            ax.plot(ends, [place, place], color=_BLUE, alpha=0.2, lw=8, solid_capstyle="butt")
        ax.plot(of_model, np.full(len(of_model), place), "o", color=_BLUE, alpha=0.6)
        mean = of_model.mean()
        if np.isfinite(mean):
            ax.plot(mean, place, "|", color="black", markersize=22, markeredgewidth=2)
            written = f"{mean:.4f}" if abs(mean) < 1000 else f"{mean:.4g}"
            above: dict[str, Any] = {"textcoords": "offset points", "ha": "center"}
            ax.annotate(written, (mean, place), (0, 13), fontsize=_SMALL, **above)
    ax.set_yticks(range(len(models)), [fitted(name, 24, lines=3) for name in models])
    ax.set_ylim(len(models) - 0.5, -0.7)
    title = f"{table.shape[1]} folds: a point for each, a bar for the mean, its 95 % interval"
    return _finish(ax, title, _plain(next(iter(models.values())).scoring), "")


def plot_accuracy_by_rows(curve: "LearningCurve", ax: "Axes | None") -> "Axes":
    """Draw a line for each model over the sizes, and a band for the intervals that are known."""
    ax = new_axes(6.4, 4.4) if ax is None else ax
    sizes: list[int] = []
    for place, (name, points) in enumerate(curve.points.items()):
        sizes, colour = [point.n_rows for point in points], _COLOURS[place % len(_COLOURS)]
        intervals = [point.interval for point in points]
        ends = [each[:2] if each.is_known else (np.nan, np.nan) for each in intervals]
        ax.fill_between(sizes, *np.transpose(ends), color=colour, alpha=0.15, lw=0)
        accuracy = [point.accuracy for point in points]
        dashes = "-" if place < len(_COLOURS) else "--"
        ax.plot(sizes, accuracy, f"o{dashes}", color=colour, markersize=4, label=fitted(name, 22))
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.legend(loc="lower right", fontsize=_SMALL, frameon=False)
    title = f"{curve.source} accuracy by training rows, with 95 % intervals"
    return _finish(ax, title, "training rows", f"{curve.source} accuracy")


def plot_cost(
    models: "Mapping[str, Evaluation]", axes: "Sequence[Axes] | None"
) -> "tuple[Axes, Axes, Axes]":
    """Draw accuracy over fit time, prediction time and model size, a point for each model."""
    from matplotlib.ticker import EngFormatter, LogLocator

    first = next(iter(models.values()))
    predicted = f"prediction of {first.reported_fits[0].n_predicted:,} rows"
    fit, predict, size = new_axes(11, 3.4, columns=3) if axes is None else axes
    for ax, cost, name, unit in (
        (fit, "fit_seconds", "fit", "s"),
        (predict, "predict_seconds", predicted, "s"),
        (size, "model_bytes", "model size", "B"),
    ):
        spent = [getattr(model, cost) or np.nan for model in models.values()]  # None: not measured
        for place, (x, (model, found)) in enumerate(zip(spent, models.items(), strict=True)):
            y, (low, high, *_) = found.accuracy, found.confidence_interval()
            shape, colour = "osD^vP"[place // len(_COLOURS) % 6], _COLOURS[place % len(_COLOURS)]
            reach = [[max(0, y - low)], [max(0, high - y)]]
            ax.errorbar([x], [y], reach, fmt=shape, color=colour, label=fitted(model, 22))
        ax.set_xscale("log")
        if not np.isnan(spent).all():
            least, most = np.nanmin(spent) / 2, np.nanmax(spent) * 2
            ax.set_xlim(least, most)
            subs = (1, 2, 5) if most < 20 * least else (1, 3) if most < 500 * least else (1,)
            ax.xaxis.set_major_locator(LogLocator(subs=subs))
        ax.minorticks_off()
        ax.xaxis.set_major_formatter(EngFormatter(unit))
        ax.tick_params(axis="x", labelsize=_SMALL)
        _finish(ax, "", name, f"{first.source} accuracy" if ax is fit else "")
    size.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=_SMALL, frameon=False)
    return fit, predict, size


# -- calibration -----------------------------------------------------------------------------------

_BINS = 10
# The standard error of a share of n rows is at most 1 / (2 √n): from 25 rows on, no more than the
# width of a bin.
_ENOUGH = 25


def plot_calibration(evaluation: "Evaluation", ax: "Axes | None") -> "Axes":
    """Draw accuracy over confidence in ten bins of equal width, and the share of rows in each."""
    confidence, right = evaluation.confidence, evaluation.y_true == evaluation.y_pred
    if confidence is None:
        raise no_probabilities(evaluation)
    confidence = np.clip(confidence, 0, 1)  # sums in float32 may exceed 1 a little
    ax = new_axes(5.6, 5.2) if ax is None else ax
    edges = np.linspace(0, 1, _BINS + 1)
    bins = np.searchsorted(edges[1:-1], confidence)
    counts, hits, sums = (
        np.bincount(bins, weights, _BINS) for weights in (None, right, confidence)
    )
    error = float(np.sum(np.abs(hits - sums)) / len(right))

    middles = edges[:-1] + 0.5 / _BINS
    ax.bar(middles, counts / counts.sum(), 0.9 / _BINS, color=_LIGHT_GREY, zorder=0)
    for middle, count in zip(middles, counts, strict=True):
        ax.text(middle, 0.012, str(count), ha="center", fontsize=_SMALL, color="#404040")

    x, y = sums / np.maximum(counts, 1), hits / np.maximum(counts, 1)
    areas = np.maximum(220 * counts / counts.max(), 12)
    enough, few = counts >= _ENOUGH, (counts > 0) & (counts < _ENOUGH)
    ax.plot([0, 1], [0, 1], color=_GREY, linestyle="--", lw=1)
    ax.plot(x, np.where(enough, y, np.nan), color=_BLUE)
    look: dict[str, Any] = {"edgecolors": _BLUE, "clip_on": False, "zorder": 3}
    ax.scatter(x[enough], y[enough], areas[enough], _BLUE, **look)
    if few.any():
        label = f"fewer than {_ENOUGH} rows: not reliable"
        ax.scatter(x[few], y[few], areas[few], "white", label=label, **look)
        ax.legend(loc="upper left", fontsize=_SMALL)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    title = _title(evaluation, f"calibration\nexpected calibration error {error:.4f}")
    y_name = "accuracy (points), share of the rows (bars)"
    return _finish(ax, title, "probability of the predicted class", y_name)


# -- one class against the rest --------------------------------------------------------------------


def plot_roc(evaluation: "Evaluation", labels: Any, ax: "Axes | None") -> "Axes":
    """Draw recall over false positive rate, a panel for each class."""

    def roc(of_class: Any, probability: Any) -> _Curve:
        x, y, _ = roc_curve(of_class, probability)
        return x, y, float(auc(x, y))

    names = ("ROC", "AUC", "false positive rate", "true positive rate (recall)")
    return _plot_each_class(evaluation, roc, labels, names, ax)


def plot_precision_recall(evaluation: "Evaluation", labels: Any, ax: "Axes | None") -> "Axes":
    """Draw precision over recall, a panel for each class.

    Curves are steps, as average precision sums them.
    """

    def precision_recall(of_class: Any, probability: Any) -> _Curve:
        y, x, _ = precision_recall_curve(of_class, probability, drop_intermediate=True)
        return x, y, float(average_precision_score(of_class, probability))

    names = ("precision and recall", "AP", "recall", "precision")
    return _plot_each_class(evaluation, precision_recall, labels, names, ax, drawstyle="steps-post")


def _plot_each_class(
    evaluation: "Evaluation",
    make_curve: Callable[[Any, Any], _Curve],
    labels: Any,
    names: tuple[str, str, str, str],
    ax: "Axes | None",
    **style: Any,
) -> "Axes":
    """Draw a panel for each class with its curve, and the others' in grey behind it.

    ``names`` are those of the subject, the area, and the axes. A class without rows has no curve.
    """
    subject, area, x_name, y_name = names
    if evaluation.probabilities is None:
        raise no_probabilities(evaluation)
    curves: dict[Any, _Curve | None] = {}
    for label in _in_order(evaluation, labels):
        of_class = evaluation.y_true == label
        column = evaluation.probabilities[:, evaluation.classes == label][:, 0]
        has_curve = of_class.any() and not of_class.all()
        curves[label] = make_curve(of_class, column) if has_curve else None
    drawn = {label: curve for label, curve in curves.items() if curve is not None}
    if not drawn:
        raise ValueError(
            "A curve needs rows of a class and rows of others. "
            f"Got {len(evaluation.y_true)} rows, all or none of them of the class, instead."
        )
    shown = list(curves)
    if len(shown) > MOST_CLASSES:
        worst = set(sorted(drawn, key=lambda label: drawn[label][2])[:MOST_CLASSES])
        shown = [label for label in shown if label in worst]
    ax, panels = _new_panels(len(shown), 1.75, ax)
    for label, panel in zip(shown, panels, strict=True):
        curve = curves[label]
        for x, y, _ in drawn.values():
            panel.plot(x, y, color="#BFBFBF", lw=1, **style)
        if curve is not None:
            panel.plot(*curve[:2], color=_BLUE, lw=2, **style)
        written = "no rows" if curve is None else f"{curve[2]:.4f}"
        panel.set_title(f"{fitted(str(label), 12)}: {written}", fontsize=_LARGE)
        panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        panel.set(xticklabels=("0", "", "1"), yticklabels=("0", "", "1"))
        panel.spines[["top", "right"]].set_visible(False)
    mean = np.mean([of_class for _, _, of_class in drawn.values()])
    title = _title(evaluation, subject)
    title += f"\n{area} of each class against the rest, {mean:.4f} on average"
    if len(shown) < len(curves):
        title += f"; the {len(shown)} worst of {len(curves)}"
    ax.xaxis.labelpad, ax.yaxis.labelpad = 22.0, 18.0  # past what is written beside the panels
    return _finish(ax, title, x_name, y_name, pad=26)


def no_probabilities(evaluation: "Evaluation") -> ValueError:
    """The error for an evaluation that has none."""
    return ValueError(
        f"This needs probabilities, and {evaluation.model_name} gives none. Evaluate a "
        "model with predict_proba, such as CalibratedClassifierCV around this one."
    )


# -- what a model looks at -------------------------------------------------------------------------


BY_CLASS = "blue speaks for the class, red against it"
IMPURITY = "by impurity"  # the picture of what a forest looks at


class Panel(NamedTuple):
    """One picture: values in colour, ink in outline, or ink alone."""

    title: str
    values: NDArray[Any] | None
    ink: NDArray[Any] | None = None


def plot_panels(panels: Sequence[Panel], title: str, ax: "Axes | None") -> "Axes":
    """Draw the pictures with the same colours, white for 0; the strongest 2 % are cut."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("evidence", [_VERMILLION, "#FFFFFF", _BLUE])
    values = [np.abs(panel.values).ravel() for panel in panels if panel.values is not None]
    most = float(np.quantile(np.concatenate(values), 0.98)) or 1.0
    few = len(panels) <= 2
    ax, places = _new_panels(len(panels), 3.0 if few else 1.9, ax)
    for place, panel in zip(places, panels, strict=True):
        image, ink = panel.values, panel.ink
        title_lines = [fitted(line, 22) for line in panel.title.splitlines()]
        place.set_title("\n".join(title_lines), fontsize=_LARGE)
        place.set(xticks=[], yticks=[])
        extent = None if ink is None else (0, ink.shape[1], ink.shape[0], 0)
        if image is not None:
            place.imshow(image, colours, vmin=-most, vmax=most, extent=extent)
        elif ink is not None:
            place.imshow(ink, "gray_r", extent=extent)
        if image is not None and ink is not None and ink.max() > ink.min():
            x, y = (np.arange(side) + 0.5 for side in ink.shape[::-1])
            half = (float(ink.max()) + float(ink.min())) / 2
            place.contour(x, y, ink, [half], colors="#404040", linewidths=0.8)
    return _finish(ax, title, "", "", pad=46 if few else 28)
