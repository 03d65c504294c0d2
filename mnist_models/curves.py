"""Learning curves: the accuracy of several models by the number of rows they were fitted on."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from mnist_models import _plots
from mnist_models import _text as text
from mnist_models._fits import CV, Memory, Records, Rows, Run, Task, make_folds, origins_of
from mnist_models._preflight import preflight
from mnist_models._progress import Step, track_progress
from mnist_models._statistics import (
    SHARE,
    ConfidenceInterval,
    corrected_error,
    t_interval,
    wilson_interval,
)
from mnist_models.datasets import stratified_rows
from mnist_models.evaluation import check_data, check_models, check_options, lost_error
from mnist_models.results import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class CurvePoint:
    """The accuracy of one model fitted on a number of rows.

    Attributes
    ----------
    n_rows : int
        The number of training rows.
    accuracy : float
        On the test set, or the mean over the folds; from 0 to 1.
    interval : ConfidenceInterval
        Its 95 % interval. On a test set it is Wilson's, for the one fitted model. Over folds it is
        the t interval of ``Evaluation.cv_confidence_interval``, for models fitted on as many
        other rows. Its correction is that for whole folds. Smaller parts of them share fewer rows,
        so for these it is rather too wide.
    fits : tuple of Fit
        The one tested on the test set, or one for each fold.
    """

    n_rows: int
    accuracy: float
    interval: ConfidenceInterval
    fits: tuple[Fit, ...]


@dataclass(frozen=True)
class LearningCurve:
    """The accuracy of several models by the number of training rows.

    Made by :func:`mnist_models.learning_curve`.

    Attributes
    ----------
    source : {"test", "out-of-fold"}
        Which rows were predicted.
    points : dict of str to tuple of CurvePoint
        By the model's name, a point for each number of training rows, ascending.

    Examples
    --------
    >>> from mnist_models import learning_curve, load_sample_digits, make_model
    >>> digits = load_sample_digits().sample(400, random_state=0)
    >>> models = {"logistic": make_model("logistic", random_state=0)}
    >>> curve = learning_curve(models, digits.data, digits.target, sizes=[50, 300])
    >>> print(curve)
    out-of-fold accuracy (95 % CI) by training rows
    rows  logistic
    50    0... (0... to 0...)
    300   0.9... (0... to 0.9...)
    """

    source: str
    points: dict[str, tuple[CurvePoint, ...]]

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw each model's accuracy over the training rows, with bands for the 95 % intervals.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.
        """
        return _plots.plot_accuracy_by_rows(self, ax)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON.

        Returns
        -------
        dict
            ``source`` and ``points``. None stands for numbers that are not finite.
        """
        plain: dict[str, Any] = text.plain_for_json(asdict(self))
        return plain

    def __str__(self) -> str:
        sizes, *columns = [[str(point.n_rows) for point in next(iter(self.points.values()))]] + [
            [f"{p.accuracy:.4f} ({p.interval.low:.4f} to {p.interval.high:.4f})" for p in points]
            for points in self.points.values()
        ]
        table = text.text_table(["rows", *self.points], list(zip(sizes, *columns, strict=True)))
        return f"{self.source} accuracy (95 % CI) by training rows\n{table}"


def learning_curve(
    models: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    *,
    sizes: Sequence[int] | None = None,
    test: tuple[Any, ArrayLike] | None = None,
    cv: CV = 5,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    timeout: float | None = None,
    memory: Memory = None,
    progress: bool | Callable[[Step], None] | None = None,
    ignore: Sequence[str] = (),
) -> LearningCurve:
    """Measure how the accuracy of several classifiers grows with the training rows.

    With a test set, each model is fitted once on each number of rows and tested. Without one, it
    is fitted on that many of each fold's training rows, and tested on the rows of the fold. Rows
    are drawn with the classes in the same proportions, the same ones for all models.

    Parameters
    ----------
    models : dict of str to classifier
        The models by their names.
    X, y : array-like
        The training rows and their labels, as for :func:`evaluate`.
    sizes : sequence of int, default=None
        Numbers of training rows, each at least the number of classes. None: all rows that can be
        fitted on, then a half, a quarter, an eighth and a sixteenth of them.
    test : tuple (X_test, y_test), default=None
        A test set.
    cv : int, splitter or iterable, default=5
        The folds, as for :func:`evaluate`; not used with a test set.
    random_state : int, RandomState instance or None, default=0
        Chooses the rows, and shuffles the folds. With an int, more rows include the fewer, apart
        from a row or two for the proportions of the classes.
    n_jobs, timeout, memory, progress, ignore : any
        As for :func:`evaluate`: with ``memory``, the same call later fits only what is missing,
        and one with further ``sizes`` only those.

    Returns
    -------
    LearningCurve
        Its ``plot``, ``to_dict`` and ``print`` show it.

    Raises
    ------
    TypeError, ValueError, WorkerLostError
        As :func:`evaluate` does; a ValueError also for sizes that the data cannot give. The
        ``finished`` of a WorkerLostError is empty.

    See Also
    --------
    Evaluation.plot_learning_curve : The loss of a network by the epochs of one fit.

    Examples
    --------
    >>> from mnist_models import learning_curve, load_sample_digits, make_model
    >>> X_train, X_test, y_train, y_test = load_sample_digits().split()
    >>> models = {"forest": make_model("forest", random_state=0)}
    >>> curve = learning_curve(models, X_train, y_train, sizes=[50, 400], test=(X_test, y_test))
    >>> few, many = curve.points["forest"]
    >>> many.accuracy - few.accuracy > 0.1
    True
    """
    check_models(models, "accuracy")
    check_options(n_jobs, timeout, memory, cv, random_state)
    data = check_data(X, y, test, None)
    folds = make_folds(data, cv, random_state) if test is None else []
    parts: list[tuple[Rows, Rows | None]] = [*folds] or [(np.arange(len(data.y)), None)]
    most = min(len(train) for train, _ in parts)
    chosen = _check_sizes(sizes, len(np.unique(data.y)), most)
    preflight(models, data, folds, ignore)
    tasks = [
        Task(name, model, number, (rows, tested), "accuracy", reported=False, n_rows=n_rows)
        for number, (train, tested) in enumerate(parts)
        for n_rows in chosen
        for rows in [
            train[stratified_rows(data.y[train], n_rows, check_random_state(random_state))]
        ]
        for name, model in models.items()
    ]
    with track_progress(progress, [task.name for task in tasks]) as notify:
        run = Run(data, Records(memory, origins_of(models, data, folds, random_state)), notify)
        run.make(tasks, n_jobs, timeout)
    if run.lost:
        raise lost_error(run.lost, len(tasks), memory, {})
    fits: dict[tuple[str, int | None], list[Fit]] = defaultdict(list)
    for task in tasks:
        fits[task.name, task.n_rows].append(run.results[str(task)][0])
    points = {
        name: tuple(_point(n_rows, fits[name, n_rows], test is not None) for n_rows in chosen)
        for name in models
    }
    return LearningCurve("out-of-fold" if test is None else "test", points)


def _check_sizes(sizes: Sequence[int] | None, n_classes: int, most: int) -> list[int]:
    """The sizes in ascending order, each once."""
    if sizes is None:
        return sorted({max(min(n_classes, most), most // 2**halvings) for halvings in range(5)})
    given = list(sizes) if np.ndim(sizes) == 1 else []
    are_ints = all(isinstance(size, int | np.integer) for size in given)
    if not (given and are_ints and n_classes <= min(given) and max(given) <= most):
        raise ValueError(
            f"sizes must be ints from {n_classes}, the number of classes, to {most}, the rows that "
            f"can be fitted on. Got {sizes!r} instead."
        )
    return sorted({int(size) for size in given})


def _point(n_rows: int, fits: Sequence[Fit], of_test_set: bool) -> CurvePoint:
    scores, tested = ([getattr(fit, name) for fit in fits] for name in ("score", "n_predicted"))
    accuracy = float(np.mean(scores))
    if of_test_set:
        interval = wilson_interval(round(accuracy * tested[0]), tested[0], 0.95)
    else:
        error = corrected_error(scores, sum(tested) - np.array(tested), tested)
        interval = t_interval(accuracy, error, len(fits), 0.95, SHARE)
    return CurvePoint(n_rows, accuracy, interval, tuple(fits))
