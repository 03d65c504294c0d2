"""The evaluation of one model: frozen data, and its figures, tables, plots and page."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, count
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    classification_report,
    confusion_matrix,
    precision_recall_fscore_support,
)

from mnist_models import _plots
from mnist_models import _text as text
from mnist_models._page import write_page
from mnist_models._statistics import (
    SHARE,
    Bounds,
    ConfidenceInterval,
    corrected_error,
    is_share,
    score_bounds,
    t_interval,
    wilson_interval,
)
from mnist_models._validation import overflow_ignored

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Evaluation", "Fit", "Provenance"]

_ARRAYS = ("classes", "y", "out_of_fold", "y_test", "test_predictions", "probabilities")
_REPORT_HEADER = ["class", "precision", "recall", "f1-score", "support"]

# scikit-learn's report as a dict has averages under these names, which overwrite such classes
_AVERAGES = ("accuracy", "macro avg", "weighted avg")

_MEASURED = ["score", "fit_seconds", "predict_seconds", "n_train", "n_predicted"]
_MAY_BE_MISSING = ["model_bytes", "peak_bytes", "best_epoch"]

# The lengths are the shortest of https://mlflow.org/docs/latest/rest-api.html.
_NAME_LENGTH, _PARAM_LENGTH, _TAG_LENGTH = 250, 6000, 5000


@dataclass(frozen=True)
class Fit:
    """One fit: its score, its cost and its history.

    Attributes
    ----------
    score : float
        The scorer's value on the predicted rows.
    fit_seconds, predict_seconds : float
        Wall time of ``fit``, and of one ``predict`` of all ``n_predicted`` rows.
    n_train, n_predicted : int
        Numbers of rows fitted on and predicted.
    history : dict of str to list of float, or None
        The model's ``history_``, a value for each epoch; None if it keeps none.
    best_epoch : int or None
        Its ``best_epoch_``: the index in the history of the epoch whose weights were kept.
    model_bytes : int or None
        Size of the fitted model's pickle; None if it cannot be pickled.
    peak_bytes : int or None
        The most memory that the process held while fitting and predicting, above what it held
        before. None for fits that shared a process, and where the system does not report memory
        as Linux does.
    evidence : dict of str to list of list of float, or None
        Of the fit on all of X: what the model looks at, as :func:`mnist_models.plot_evidence` has
        it. For linear models of pixels and networks a picture for each class, with the mean
        evidence in up to 1,000 digits of the test set; for forests their importances.
    """

    score: float
    fit_seconds: float
    predict_seconds: float
    n_train: int
    n_predicted: int
    history: dict[str, list[float]] | None = None
    best_epoch: int | None = None
    model_bytes: int | None = None
    peak_bytes: int | None = None
    evidence: dict[str, list[list[float]]] | None = None


@dataclass(frozen=True)
class Provenance:
    """What a result depends on, so that it can be reproduced.

    Attributes
    ----------
    data_sha256 : str
        Of X, y, the test set and ``params``.
    folds_sha256 : str
        Of the row numbers that each fold was fitted on and tested on.
    random_state : str
        What shuffled the folds, as text.
    parameters : dict of str to str
        The model's parameters as text; nested ones under ``step__name``.
    versions : dict of str to str
        Of Python and of the libraries that a result depends on.
    """

    data_sha256: str
    folds_sha256: str
    random_state: str
    parameters: dict[str, str]
    versions: dict[str, str]


class ClassFigures(NamedTuple):
    """Precision, recall, F1 and support of one class, or of their average.

    Attributes
    ----------
    name : str
        The class's label, or the name of the average.
    precision, recall, f1 : float
        From 0 to 1; 0 where the denominator is 0, as for the precision of a class that is never
        predicted.
    support : int
        Number of rows of the class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """How well one model classifies digits: in every fold, and on a test set if there was one.

    Made by :func:`mnist_models.evaluate`. Classification report, matrix and errors are those of
    the reported rows: the test set if there was one, otherwise X with its out-of-fold
    predictions, each made by a model that had not seen the row.

    Attributes
    ----------
    model_name : str
        The model's name in texts and pictures.
    scoring : str
        The name of the score.
    classes : ndarray, shape (n_classes,)
        Every label of ``y`` and ``y_test``, and every one predicted, sorted.
    y : ndarray, shape (n,)
        The labels of X.
    out_of_fold : ndarray, shape (n,)
        Predictions for X, each made in the one fold that tested the row.
    folds : tuple of Fit
        One fit for each fold.
    y_test, test_predictions : ndarray, shape (n_test,), or None
        The labels of the test set and their predictions.
    test : Fit or None
        The fit on all of X, tested on the test set.
    probabilities : ndarray of float32, shape (n_reported, n_classes), or None
        The probability of each class, for the reported rows; None if the model has no
        ``predict_proba``, or if that gave values that are not finite.
    provenance : Provenance or None
        Data, folds, parameters and versions that the results depend on.

    Examples
    --------
    >>> from mnist_models import evaluate, load_sample_digits, make_model
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> evaluation = evaluate(make_model("logistic"), digits.data, digits.target)
    >>> evaluation.cv_scores.shape, evaluation.confusion_matrix.shape
    ((5,), (10, 10))
    >>> rows = evaluation.errors(true=8)
    >>> (evaluation.y_pred[rows] != 8).all()
    np.True_
    """

    model_name: str
    scoring: str
    classes: NDArray[Any]
    y: NDArray[Any]
    out_of_fold: NDArray[Any]
    folds: tuple[Fit, ...]
    y_test: NDArray[Any] | None = None
    test_predictions: NDArray[Any] | None = None
    test: Fit | None = None
    probabilities: NDArray[np.float32] | None = None
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = getattr(self, name)
            if array is not None:  # a copy: the caller may change the array later
                object.__setattr__(self, name, _read_only(np.array(array)))

    @property
    def source(self) -> str:
        """Which predictions are reported: ``"test"`` or ``"out-of-fold"``."""
        return "out-of-fold" if self.test is None else "test"

    @property
    def y_true(self) -> NDArray[Any]:
        """The true labels of the reported rows."""
        return self.y if self.y_test is None else self.y_test

    @property
    def y_pred(self) -> NDArray[Any]:
        """The predicted labels of the reported rows."""
        return self.out_of_fold if self.test_predictions is None else self.test_predictions

    @property
    def cv_scores(self) -> NDArray[np.float64]:
        """The score of each fold."""
        return np.array([fold.score for fold in self.folds])

    @property
    def _fold_sizes(self) -> NDArray[np.intp]:
        """Numbers of rows that each fold was fitted on, and predicted: shape (2, n_folds)."""
        return np.array([[fold.n_train, fold.n_predicted] for fold in self.folds]).T

    @property
    def _right(self) -> NDArray[np.bool_]:
        """Which of the reported rows were classified correctly."""
        return self.y_true == self.y_pred

    @property
    def accuracy(self) -> float:
        """The share of the reported rows that were classified correctly."""
        return float(np.mean(self._right))

    @property
    def is_share(self) -> bool:
        """Whether the score is a share, such as recall: differences are then percentage points."""
        return is_share(self.scoring, self.cv_scores)

    @property
    def score_bounds(self) -> Bounds:
        """The least and the greatest possible score; infinite where unknown."""
        return score_bounds(self.scoring, self.cv_scores)

    def confidence_interval(self, level: float = 0.95) -> ConfidenceInterval:
        """A confidence interval for :attr:`accuracy`.

        On a test set this is Wilson's score interval, for the accuracy of the one fitted model.
        Out of fold it is that of :meth:`cv_confidence_interval`, around the accuracy over all
        rows: for models fitted in the same way on other digits. If the fold scores are no
        accuracies, or do not differ, it is Wilson's again, which ignores how models vary from
        one fit to the next; ``method`` says so.

        Parameters
        ----------
        level : float, default=0.95
            How often such an interval holds the true value, above 0 and below 1.

        Returns
        -------
        ConfidenceInterval
            ``low``, ``high``, ``level`` and ``method``.

        References
        ----------
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        Journal of the American Statistical Association 22, 1927.
        """
        wilson = wilson_interval(int(self._right.sum()), len(self._right), level)
        if self.y_test is not None:
            return wilson
        error = self._cv_error()
        if self._scores_are_accuracies() and np.isfinite(error):
            return t_interval(self.accuracy, error, len(self.folds), level, SHARE)
        return wilson._replace(method=f"{wilson.method}, over rows that several fits predicted")

    def cv_confidence_interval(self, level: float = 0.95) -> ConfidenceInterval:
        """A confidence interval for the mean score of models fitted alike on other digits.

        A t interval with k - 1 degrees of freedom for k folds. Folds share most of their
        training rows, so that their scores vary less than independent ones would; the variance
        is corrected for that.

        Parameters
        ----------
        level : float, default=0.95
            How often such an interval holds the true value, above 0 and below 1.

        Returns
        -------
        ConfidenceInterval
            ``low``, ``high``, ``level`` and ``method``. One fold, or equal scores, do not show
            how scores vary: ``is_known`` is then False, and the ends are the score's bounds.

        References
        ----------
        C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
        2003, section 4.
        """
        mean = float(self.cv_scores.mean())
        return t_interval(mean, self._cv_error(), len(self.folds), level, self.score_bounds)

    def _cv_error(self) -> float:
        return corrected_error(self.cv_scores, *self._fold_sizes)

    def _scores_are_accuracies(self) -> bool:
        """Whether their mean, weighted by rows, is the accuracy: the scorer may have any name."""
        sizes = self._fold_sizes[1]
        mean = np.average(self.cv_scores, weights=sizes)
        return sizes.sum() == len(self.y) and bool(np.isclose(mean, self.accuracy))

    @property
    def fit_seconds(self) -> float:
        """Wall time of the fit on all of X, or without a test set the folds' median."""
        return self._median("fit_seconds")

    @property
    def predict_seconds(self) -> float:
        """Wall time of predicting the test set, or without one the folds' median."""
        return self._median("predict_seconds")

    @property
    def reported_fits(self) -> tuple[Fit, ...]:
        """The fits that are reported: the one on all of X, or without a test set the folds'."""
        return self.folds if self.test is None else (self.test,)

    @property
    def model_bytes(self) -> int | None:
        """Size of the reported model, or the folds' median size; None if not measured."""
        return self._median_size("model_bytes")

    @property
    def peak_bytes(self) -> int | None:
        """Peak memory of the reported fit, or the folds' median; None if not measured."""
        return self._median_size("peak_bytes")

    def _median(self, name: str) -> float:
        return float(np.median([getattr(fit, name) for fit in self.reported_fits]))

    def _median_size(self, name: str) -> int | None:
        measured = all(getattr(fit, name) is not None for fit in self.reported_fits)
        return round(self._median(name)) if measured else None

    @property
    def confidence(self) -> NDArray[np.float32] | None:
        """The probability given to each row's predicted class; None without probabilities."""
        if self.probabilities is None:
            return None
        columns = np.searchsorted(self.classes, self.y_pred)
        return self.probabilities[np.arange(len(columns)), columns]

    @cached_property
    def confusion_matrix(self) -> NDArray[np.int64]:
        """Counts of shape (n_classes, n_classes): true classes in rows, predicted in columns."""
        return _read_only(confusion_matrix(self.y_true, self.y_pred, labels=self.classes))

    @cached_property
    def class_figures(self) -> tuple[ClassFigures, ...]:
        """Precision, recall, F1 and support of every class, in the order of ``classes``."""
        columns = precision_recall_fscore_support(
            self.y_true, self.y_pred, labels=self.classes, zero_division=0
        )
        return tuple(map(ClassFigures, self._labels(), *(column.tolist() for column in columns)))

    @cached_property
    def average_figures(self) -> tuple[ClassFigures, ClassFigures]:
        """The macro average of :attr:`class_figures`, and the average weighted by support."""
        shares = np.array([figures[1:4] for figures in self.class_figures])
        support = [figures.support for figures in self.class_figures]

        def average(name: str, weights: list[int] | None) -> ClassFigures:
            precision, recall, f1 = np.average(shares, axis=0, weights=weights).tolist()
            return ClassFigures(name, precision, recall, f1, sum(support))

        return average("macro avg", None), average("weighted avg", support)

    def classification_report(self, output_dict: bool = False) -> Any:
        """Precision, recall, F1 and support of every class, as scikit-learn reports them.

        Parameters
        ----------
        output_dict : bool, default=False
            Return numbers instead of text.

        Returns
        -------
        str, or dict of str to dict
            The precision of a class that is never predicted is 0.

        Raises
        ------
        ValueError
            If ``output_dict`` is True and a class has the name of an average.
        """
        taken = [name for name in self._labels() if name in _AVERAGES]
        if output_dict and taken:
            raise ValueError(
                f"output_dict=True has averages under the names {_AVERAGES}, and so no place for "
                f"classes that are called {taken}. Take class_figures and average_figures instead."
            )
        return classification_report(
            self.y_true,
            self.y_pred,
            labels=self.classes,
            target_names=self._labels(),
            output_dict=output_dict,
            zero_division=0,
        )

    def confusions(self, n: int = 3) -> list[str]:
        """The most frequent errors, in words.

        Parameters
        ----------
        n : int, default=3
            How many, at most.

        Returns
        -------
        list of str
            Such as ``"4 read as 9 (46 of 1,295)"``: 46 of the 1,295 rows of class 4.
        """
        wrong = self.confusion_matrix * (1 - np.eye(len(self.classes), dtype=np.int64))
        names, support = self._labels(), self.confusion_matrix.sum(axis=1)
        order = np.argsort(-wrong, axis=None, kind="stable")[:n]
        return [
            f"{names[true]} read as {names[read]} ({wrong[true, read]:,} of {support[true]:,})"
            for true, read in zip(*np.unravel_index(order, wrong.shape), strict=True)
            if wrong[true, read]
        ]

    def errors(self, true: Any = None, predicted: Any = None) -> NDArray[np.intp]:
        """The misclassified rows: of the test set if there was one, otherwise of X.

        Parameters
        ----------
        true, predicted : label, default=None
            Only rows of this true class, only rows predicted as this class.

        Returns
        -------
        ndarray of int
            Row numbers in ascending order.

        Raises
        ------
        ValueError
            If a label is not one of ``classes``.
        """
        wrong = ~self._right
        known = self.classes.tolist()
        filters = (("true", true, self.y_true), ("predicted", predicted, self.y_pred))
        for name, label, labels in filters:
            if label is not None and label not in known:
                raise ValueError(f"{name} must be one of {known}. Got {label!r} instead.")
            if label is not None:
                wrong = wrong & (labels == label)
        return np.flatnonzero(wrong)

    def suspects(self, n: int | None = None) -> NDArray[np.intp]:
        """The rows whose label may be wrong: the misread ones, least probable label first.

        Rows are those that :meth:`errors` has, and the probability is that of the row's own label,
        by a model that had not seen the row. ``plot_errors(images, rows=...)`` draws them. Nothing
        tells a wrong label from a digit that is hard to read: look at them.

        Parameters
        ----------
        n : int, default=None
            The greatest number of rows. None: all that were misread.

        Returns
        -------
        ndarray of int
            Row numbers of the test set if there was one, otherwise of X, most doubtful first.

        Raises
        ------
        ValueError
            If the model has no ``predict_proba``, or ``n`` is not an int of at least 1.

        References
        ----------
        C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in
        Dataset Labels", Journal of Artificial Intelligence Research 70, 2021: the order is by
        self-confidence. Which rows are taken is the paper's baseline, not its thresholds: on
        digits with few wrong labels it finds more of them, as the guide shows.
        """
        if self.probabilities is None:
            raise _plots.no_probabilities(self)
        if n is not None:
            _plots.check_n(n)
        rows = self.errors()
        own = self.probabilities[rows, np.searchsorted(self.classes, self.y_true[rows])]
        return rows[np.argsort(own, kind="stable")][:n]

    def plot_confusion_matrix(
        self, ax: "Axes | None" = None, *, labels: Sequence[Any] | None = None
    ) -> "Axes":
        """Draw the confusion matrix: counts and row percents, correct ones in blue, errors in red.

        Red has a scale of its own, up to the largest error: on the scale of the diagonal, 2 %
        would look like none beside 97 %. With more than 12 classes the cells hold only counts.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.
        labels : sequence of labels, default=None
            The classes to draw, in this order, such as ``ImageDataset.class_names``. None: all of
            ``classes``.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If a label is not one of ``classes``.
        """
        return _plots.plot_confusion_matrix(self, labels, ax)

    def plot_errors(
        self,
        images: Any,
        *,
        true: Any = None,
        predicted: Any = None,
        rows: ArrayLike | None = None,
        n: int = 24,
        ax: "Axes | None" = None,
    ) -> "Axes":
        """Draw digits that were misread, the most confidently wrong first.

        Below each digit: its true class → the predicted one, and the predicted one's probability.
        Without probabilities, digits are in the order of their rows.

        Parameters
        ----------
        images : array-like or DataFrame
            All reported rows, as for :meth:`to_html`.
        true, predicted : label, default=None
            Only digits of this true class, only digits predicted as this class.
        rows : array-like of int, default=None
            Draw these rows, in this order, such as those of :meth:`suspects`, misread or not.
        n : int, default=24
            The greatest number of digits.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If ``images`` are not such pixels, or not one image for each reported row; if ``n`` is
            not an int of at least 1, or a label is not one of ``classes``; if ``rows`` are not
            numbers of reported rows, or are given with a class.
        """
        if rows is None:
            misread = self.errors(true, predicted)
            return _plots.plot_errors(self, images, misread, n, ax, given=False)
        if true is not None or predicted is not None:
            raise ValueError(
                "rows says which digits are drawn, so that true and predicted have no say. Got "
                f"true={true!r} and predicted={predicted!r} with it: leave out one or the other."
            )
        given, n_rows = np.asarray(rows), len(self.y_true)
        if not (
            given.ndim == 1 and given.dtype.kind in "iu" and np.isin(given, range(n_rows)).all()
        ):
            raise ValueError(
                f"rows must be a sequence of row numbers, ints from 0 to {n_rows - 1}. "
                f"Got {rows!r} instead."
            )
        return _plots.plot_errors(self, images, given, n, ax, given=True)

    def plot_learning_curve(self, metric: str | None = None, ax: "Axes | None" = None) -> "Axes":
        """Draw a metric of training and validation over the epochs, the best epoch marked.

        For the fit on all of X if there was a test set, otherwise for every fold.

        Parameters
        ----------
        metric : str, default=None
            A key of the history: ``"cross_entropy"``, ``"accuracy"`` or ``"loss"``, which includes
            the L2 penalty, for SequentialClassifier. None: ``"cross_entropy"``, which early
            stopping watches, or ``"loss"`` where the history has none.
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If the model keeps no history, or the history has no such metric.
        """
        return _plots.plot_learning_curve(self, metric, ax)

    def plot_calibration(self, ax: "Axes | None" = None) -> "Axes":
        """Draw a reliability diagram: accuracy over the probability of the predicted class.

        Rows are in ten bins of equal width by that probability. The expected calibration error is
        the distance between accuracy and mean probability, averaged over the bins by their rows.
        A point's area is proportional to its rows. Points of fewer than 25 rows, which are not
        reliable, are hollow, and no line goes through them.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on.

        Raises
        ------
        ValueError
            If the model has no ``predict_proba``.

        References
        ----------
        M. Pakdaman Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining Well Calibrated
        Probabilities Using Bayesian Binning", AAAI 2015 (the error). C. Guo, G. Pleiss, Y. Sun and
        K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017 (several classes).
        """
        return _plots.plot_calibration(self, ax)

    def plot_roc(self, ax: "Axes | None" = None, *, labels: Sequence[Any] | None = None) -> "Axes":
        """Draw the ROC curve of each class against the rest, in a panel of its own.

        Pale grey are the curves of the other classes. Numbers are the areas under the curves (AUC)
        and their mean. Of more than 12 classes, the 12 worst are shown.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.
        labels : sequence of labels, default=None
            The classes to draw, in this order, such as ``ImageDataset.class_names``. None: all of
            ``classes``.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on; its ``child_axes`` are the panels. That of a class without rows
            says so.

        Raises
        ------
        ValueError
            If the model has no ``predict_proba``, all rows are of one class, or a label is not one
            of ``classes``.
        """
        return _plots.plot_roc(self, labels, ax)

    def plot_precision_recall(
        self, ax: "Axes | None" = None, *, labels: Sequence[Any] | None = None
    ) -> "Axes":
        """Draw precision over recall of each class against the rest, in a panel of its own.

        Pale grey are the curves of the other classes. Numbers are the average precisions (AP) and
        their mean. Of more than 12 classes, the 12 worst are shown.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.
        labels : sequence of labels, default=None
            The classes to draw, in this order, such as ``ImageDataset.class_names``. None: all of
            ``classes``.

        Returns
        -------
        matplotlib.axes.Axes
            What was drawn on; its ``child_axes`` are the panels. That of a class without rows
            says so.

        Raises
        ------
        ValueError
            If the model has no ``predict_proba``, all rows are of one class, or a label is not one
            of ``classes``.
        """
        return _plots.plot_precision_recall(self, labels, ax)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON.

        Returns
        -------
        dict
            Labels and predictions are indices into ``classes``, probabilities have six decimals,
            and None stands for numbers that are not finite, such as the score of a fold that has
            none. ``accuracy``, its interval, ``confusion_matrix``, ``class_figures`` and
            ``average_figures`` are there for other readers; ``from_dict`` computes them again.
        """
        # as float64: 0.1 rounded in float32 would be written 0.10000000149011612
        exact = None if self.probabilities is None else self.probabilities.astype(np.float64)
        data = {
            "format": text.FORMAT,
            "model_name": self.model_name,
            "scoring": self.scoring,
            "classes": self.classes.tolist(),
            "y": self._encode(self.y),
            "out_of_fold": self._encode(self.out_of_fold),
            "folds": [asdict(fold) for fold in self.folds],
            "y_test": self._encode(self.y_test),
            "test_predictions": self._encode(self.test_predictions),
            "test": None if self.test is None else asdict(self.test),
            "probabilities": None if exact is None else exact.round(6).tolist(),
            "provenance": None if self.provenance is None else asdict(self.provenance),
            "source": self.source,
            "accuracy": self.accuracy,
            "accuracy_interval": self.confidence_interval(),
            "confusion_matrix": self.confusion_matrix.tolist(),
            "class_figures": self.class_figures,
            "average_figures": self.average_figures,
        }
        return {name: text.plain_for_json(value) for name, value in data.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The evaluation of which :meth:`to_dict` made plain data.

        Parameters
        ----------
        data : mapping
            What ``to_dict`` returned, or the same read from JSON. None is read as NaN.

        Returns
        -------
        Evaluation
            Equal in every figure; its probabilities have six decimals.

        Raises
        ------
        ValueError
            If it is of another format, or inconsistent.
        """
        text.check_format(data, "an Evaluation", "classes")
        try:
            evaluation = cls._from_parts(data)
            _check_consistent(evaluation)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"data must be an Evaluation as to_dict writes it. Got {error!r} where it is read."
            ) from error
        return evaluation

    @classmethod
    def _from_parts(cls, data: Mapping[str, Any]) -> Self:
        classes = np.array(data["classes"])
        probabilities, provenance = data["probabilities"], data["provenance"]
        if probabilities is not None:
            with overflow_ignored():
                probabilities = np.array(probabilities, dtype=np.float32)

        def decode(codes: list[int] | None) -> Any:
            # unsigned: -1 would be the last class
            return None if codes is None else classes[np.array(codes, dtype=np.uintp)]

        return cls(
            model_name=data["model_name"],
            scoring=data["scoring"],
            classes=classes,
            y=decode(data["y"]),
            out_of_fold=decode(data["out_of_fold"]),
            folds=tuple(map(_fit, data["folds"])),
            y_test=decode(data["y_test"]),
            test_predictions=decode(data["test_predictions"]),
            test=None if data["test"] is None else _fit(data["test"]),
            probabilities=probabilities,
            provenance=None if provenance is None else Provenance(**provenance),
        )

    def to_json(self) -> str:
        """What :meth:`to_dict` returns, as JSON.

        Returns
        -------
        str
            ``json.loads`` reads it back for :meth:`from_dict`.
        """
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_frame(self) -> "pd.DataFrame":
        """A row for every fold, and one for the fit tested on the test set.

        Returns
        -------
        pandas.DataFrame
            Columns ``model``, ``part`` (``"fold 1"``, ..., ``"test"``) and the attributes of
            :class:`Fit` except the history.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error

        fits = [(f"fold {number}", fold) for number, fold in enumerate(self.folds, start=1)]
        if self.test is not None:
            fits.append(("test", self.test))
        rows = [{"model": self.model_name, "part": part, **asdict(fit)} for part, fit in fits]
        frame = pd.DataFrame(rows, columns=["model", "part", *_MEASURED, *_MAY_BE_MISSING])
        return frame.astype(dict.fromkeys(_MAY_BE_MISSING, "Int64"))  # pandas' nullable integer

    def to_mlflow(self) -> dict[str, dict[str, Any]]:
        """Parameters, metrics and tags for MLflow, with names and lengths that it accepts.

        Returns
        -------
        dict
            ``params`` (str to str), ``metrics`` (str to float, finite) and ``tags`` (str to str),
            for ``mlflow.log_params``, ``log_metrics`` and ``set_tags``. In names, ``_`` replaces
            characters that MLflow refuses, and a number follows where two names would then be
            equal.
        """
        params = {"evaluate.scoring": self.scoring, "evaluate.n_folds": str(len(self.folds))}
        tags = {"model_name": self.model_name, "source": self.source}
        if self.provenance is not None:
            params["evaluate.random_state"] = self.provenance.random_state
            params |= {name or "model": text for name, text in self.provenance.parameters.items()}
            tags["data_sha256"] = self.provenance.data_sha256
            tags["folds_sha256"] = self.provenance.folds_sha256
            tags |= {f"version.{name}": text for name, text in self.provenance.versions.items()}
        return {
            "params": _mlflow_texts(params, _PARAM_LENGTH),
            "metrics": {name: value for name, value in _mlflow_metrics(self) if np.isfinite(value)},
            "tags": _mlflow_texts(tags, _TAG_LENGTH),
        }

    def to_markdown(self) -> str:
        """Scores, classification report and confusion matrix as Markdown.

        Returns
        -------
        str
            Names and labels are escaped.
        """
        return "\n\n".join(
            [
                f"## {text.escaped(self.model_name)}",
                "\n".join(f"- {text.escaped(line)}" for line in self._summary()),
                f"Classification report of the {self.source} predictions:",
                text.markdown_table(_REPORT_HEADER, self._report_rows()),
                "Confusion matrix, true classes in rows, predicted in columns:",
                text.markdown_table(["true", *self._labels()], self._confusion_rows()),
            ]
        )

    def to_html(self, path: str | PathLike[str], images: Any = None) -> None:
        """Write a page with all of this, and with the digits behind each cell of the matrix.

        It is one file of less than 3 MB that fetches nothing: it opens from a disk or an e-mail.

        Parameters
        ----------
        path : str or path-like
            The file to write. Its folder must exist.
        images : array-like or DataFrame, default=None
            The reported rows, in their order: X_test if there was a test set, X otherwise.
            Shape (n, height·width), square, or (n, height, width); pixels from 0 (paper) to 255
            (ink), or from 0 to 1. None: the page shows row numbers in place of pictures.

        Raises
        ------
        ValueError
            If ``images`` are not such pixels, or not one image for each reported row.
        """
        write_page(path, {self.model_name: self}, images)

    def __str__(self) -> str:
        table = text.text_table(["", *self._labels()], self._confusion_rows())
        parts = [
            "\n".join([self.model_name, *self._summary()]),
            f"Classification report of the {self.source} predictions\n"
            f"{self.classification_report()}".rstrip(),
            f"Confusion matrix: true classes in rows, predicted in columns\n{table}",
        ]
        return text.legible("\n\n".join(parts))

    def __repr__(self) -> str:
        scores = text.mean_and_std(self.cv_scores.tolist())
        return f"Evaluation({self.model_name!r}, {len(self.folds)} folds, {self.scoring} {scores})"

    def _summary(self) -> list[str]:
        scores, over_folds = self.cv_scores.tolist(), self.cv_confidence_interval()
        over = f" over {len(scores)} folds" if np.isfinite(scores).all() else ""
        known = f", {_words(over_folds)}" if over_folds.is_known else ""
        lines = [f"{self.scoring}: {text.mean_and_std(scores)}{over}{known}"]
        if self.test is not None and self.scoring != "accuracy":
            lines.append(f"{self.scoring} on the test set: {self.test.score:.4f}")
        interval = _words(self.confidence_interval())
        # out of fold, it is the line above again unless folds differ in size
        if self.test is not None or interval != _words(over_folds):
            lines.append(f"{self.source} accuracy: {self.accuracy:.4f}, {interval}")
        confusions = self.confusions(3)
        if confusions:
            lines.append(f"most frequent errors: {'; '.join(confusions)}")
        fit, predict = text.seconds(self.fit_seconds), text.seconds(self.predict_seconds)
        return [*lines, f"fitted in {fit}, {len(self.y_pred)} rows predicted in {predict}"]

    def _labels(self) -> list[str]:
        return [str(label) for label in self.classes]

    def _confusion_rows(self) -> list[list[str]]:
        """As cells: the true label, then the counts, with · for 0."""
        counts = np.where(self.confusion_matrix, self.confusion_matrix.astype(str), "·")
        return [[name, *row] for name, row in zip(self._labels(), counts.tolist(), strict=True)]

    def _report_rows(self) -> list[list[str]]:
        return [
            [name, *(f"{share:.2f}" for share in shares), str(support)]
            for name, *shares, support in [*self.class_figures, *self.average_figures]
        ]

    def _encode(self, labels: NDArray[Any] | None) -> list[int] | None:
        return None if labels is None else np.searchsorted(self.classes, labels).tolist()


def _words(interval: ConfidenceInterval) -> str:
    return f"{100 * interval.level:g} % interval {interval.low:.4f} to {interval.high:.4f}"


# -- plain data ------------------------------------------------------------------------------------


def _fit(data: Mapping[str, Any]) -> Fit:
    """A fit of plain data, in which None stands for NaN in the score and in the history."""

    def number(value: float | None) -> float:
        return math.nan if value is None else value

    history = data["history"] and {
        name: [number(value) for value in values] for name, values in data["history"].items()
    }
    return Fit(**{**data, "score": number(data["score"]), "history": history})


def _check_consistent(evaluation: Evaluation) -> None:
    """Raise ValueError unless each row has its label, prediction and probabilities."""
    y, y_true, classes = evaluation.y, evaluation.y_true, evaluation.classes
    of_test = (evaluation.y_test, evaluation.test_predictions, evaluation.test)
    shares = evaluation.probabilities
    if not (
        isinstance(evaluation.model_name, str)
        and isinstance(evaluation.scoring, str)
        and evaluation.folds
        and classes.dtype.kind in "biufU"
        and np.array_equal(classes, np.unique(classes))
        and len({part is None for part in of_test}) == 1
        and y.shape == evaluation.out_of_fold.shape == (len(y),)
        and y_true.shape == evaluation.y_pred.shape == (len(y_true),)
        and min(len(y), len(y_true)) > 0
        and (shares is None or shares.shape == (len(y_true), len(classes)))
        and (shares is None or np.isfinite(shares).all())
    ):
        raise ValueError("types, lengths or labels that do not fit together")


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


# -- MLflow ----------------------------------------------------------------------------------------


def _mlflow_metrics(evaluation: Evaluation) -> Iterator[tuple[str, float]]:
    scoring, scores = _mlflow_name(evaluation.scoring), evaluation.cv_scores
    accuracy = f"{evaluation.source.replace('-', '_')}_accuracy"
    yield f"cv_{scoring}", float(scores.mean())
    yield f"cv_{scoring}_std", float(scores.std())
    yield accuracy, evaluation.accuracy
    for name, interval in (
        (f"cv_{scoring}", evaluation.cv_confidence_interval()),
        (accuracy, evaluation.confidence_interval()),
    ):
        if interval.is_known:
            yield f"{name}_low", interval.low
            yield f"{name}_high", interval.high
    for number, score in enumerate(scores.tolist(), start=1):
        yield f"fold_{number}_{scoring}", score
    if evaluation.test is not None:
        yield f"test_{scoring}", evaluation.test.score
    for name in ("fit_seconds", "predict_seconds", "model_bytes", "peak_bytes"):
        if (cost := getattr(evaluation, name)) is not None:
            yield name, float(cost)
    macro = evaluation.average_figures[0]._replace(name="macro_avg")
    figures = [*evaluation.class_figures, macro]
    names = _mlflow_names(of_class.name for of_class in figures)
    for name, (_, *shares, _) in zip(names, figures, strict=True):
        for kind, share in zip(("precision", "recall", "f1-score"), shares, strict=True):
            yield f"{kind}/{name}", share


def _mlflow_texts(texts: Mapping[str, str], longest: int) -> dict[str, str]:
    cut = (text if len(text) <= longest else f"{text[: longest - 1]}…" for text in texts.values())
    return dict(zip(_mlflow_names(texts), cut, strict=True))


def _mlflow_names(names: Iterable[str]) -> list[str]:
    """The names as MLflow takes them, numbered where two would become equal."""
    taken: dict[str, None] = {}
    for name in map(_mlflow_name, names):
        numbered = (f"{name}_{number}" for number in count(2))
        taken[next(new for new in chain([name], numbered) if new not in taken)] = None
    return list(taken)


def _mlflow_name(name: str) -> str:
    """A name with ``_`` for every character that MLflow refuses or that could make it a path."""
    name = re.sub(r"[^\w.\- ]", "_", name)[: _NAME_LENGTH - 50]  # room for a prefix and a number
    return "_" if name in ("", ".", "..") else name
