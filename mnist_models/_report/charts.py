"""Charts of the HTML page as plain numbers: fold scores on one axis, learning curves."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mnist_models._report.page import History, ModelShown
from mnist_models._report.scales import Scale, make_scale


class Line(NamedTuple):
    """One series of a chart; positions are in percent of the chart, y from the top."""

    fit: str
    part: str
    points: str
    best: tuple[float, float, str] | None


class Chart(NamedTuple):
    """One metric over the epochs."""

    name: str
    x: Scale
    y: Scale
    lines: list[Line]

    @property
    def best_epoch(self) -> str:
        """The best epoch in words, if there is one fit that has one."""
        best = {line.best[2] for line in self.lines if line.best and line.part == "validation"}
        return f" · {best.pop()}" if len(best) == 1 else ""


def fold_axis(models: Sequence[ModelShown]) -> Scale:
    """One axis for the finite scores of all models and their intervals.

    Examples
    --------
    >>> model = ModelShown("a", True, [0.5, 0.75], 0.6, [], [], [], 1.0, 1.0, 1.0)
    >>> fold_axis([model]).place(0.625)
    50.0
    """
    places = [place for model in models for place in (*model.cv_scores, *(model.cv_interval or ()))]
    return make_scale([place for place in places if math.isfinite(place)] or [0.0, 1.0])


def learning_charts(histories: Sequence[History]) -> list[Chart]:
    """A chart for every metric, of training and validation.

    Parameters
    ----------
    histories : sequence of (str, dict of str to list of float, int or None)
        As in :class:`ModelShown`.

    Returns
    -------
    list of Chart
        Loss first, then accuracy, then the others by name. Values that are not finite are left
        out, and so are metrics that have only such values.
    """
    names = {name.removeprefix("val_") for _, history, _ in histories for name in history}
    order = sorted(names, key=lambda name: (name != "loss", name != "accuracy", name))
    charts = (_chart(name, histories) for name in order)
    return [chart for chart in charts if chart is not None]


def _chart(name: str, histories: Sequence[History]) -> Chart | None:
    series = [
        (fit, part, [float(value) for value in history[key]], best)
        for fit, history, best in histories
        for part, key in (("train", name), ("validation", f"val_{name}"))
        if key in history
    ]
    finite = [value for _, _, values, _ in series for value in values if math.isfinite(value)]
    if not finite:
        return None
    epochs = max(len(values) for _, _, values, _ in series)
    x, y = _epoch_scale(epochs), make_scale(finite, parts=4)
    lines = [
        Line(fit, part, _points(values, x, y), _best(values, best, x, y))
        for fit, part, values, best in series
    ]
    return Chart(name.replace("_", " "), x, y, lines)


def _epoch_scale(epochs: int) -> Scale:
    """An axis from the first epoch to the last, with ticks at whole numbers."""
    step = max(1, round(make_scale([0, epochs], parts=6).ticks[1][0]))
    ticks = [(float(epoch), str(epoch)) for epoch in range(step, epochs + 1, step)]
    if step > 1:
        ticks = [(1.0, "1"), *ticks]
    return Scale(1.0, float(max(epochs, 2)), ticks)


def _points(values: Sequence[float], x: Scale, y: Scale) -> str:
    return " ".join(
        f"{x.place(epoch)},{round(100 - y.place(value), 2)}"
        for epoch, value in enumerate(values, start=1)
        if math.isfinite(value)
    )


def _best(
    values: Sequence[float], best: int | None, x: Scale, y: Scale
) -> tuple[float, float, str] | None:
    """The position of the best epoch's value, and a sentence on it."""
    if best is None or not 0 <= best < len(values) or not math.isfinite(values[best]):
        return None
    words = f"best epoch {best + 1}: {values[best]:.4f}"
    return x.place(best + 1), round(100 - y.place(values[best]), 2), words
