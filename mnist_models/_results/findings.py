"""The data of one evaluation, and the figures computed from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix

from mnist_models._results.class_figures import ClassFigures, average_figures, class_figures
from mnist_models._results.intervals import (
    ConfidenceInterval,
    corrected_error,
    t_interval,
    wilson_interval,
)
from mnist_models._results.scores import SHARE, Bounds, is_share, score_bounds

# scikit-learn's report as a dict has averages under these names, which overwrite such classes
_AVERAGES = ("accuracy", "macro avg", "weighted avg")

_ARRAYS = ("classes", "y", "out_of_fold", "y_test", "test_predictions", "probabilities")


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


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """The data of an :class:`mnist_models.Evaluation`, which documents it, and its figures."""

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
    def accuracy(self) -> float:
        """The share of the reported rows that were classified correctly."""
        return float(np.mean(self.y_true == self.y_pred))

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

        Out of fold, several models predicted the rows, and were fitted on training rows that
        they largely share. The interval is then that of :meth:`cv_confidence_interval`, around
        the accuracy over all rows: it is for models fitted in the same way on other digits. If
        the fold scores are no accuracies, or do not differ, it is Wilson's again, which ignores
        how models vary from one fit to the next; ``method`` says so.

        Parameters
        ----------
        level : float, default=0.95
            How often such an interval holds the true value, above 0 and below 1.

        Returns
        -------
        ConfidenceInterval
            ``low``, ``high``, ``level`` and ``method``.

        Raises
        ------
        ValueError
            If the level is not above 0 and below 1.

        References
        ----------
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        Journal of the American Statistical Association 22, 1927. See also
        :meth:`cv_confidence_interval`.
        """
        right = self.y_true == self.y_pred
        wilson = wilson_interval(int(right.sum()), len(right), level)
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

        Raises
        ------
        ValueError
            If the level is not above 0 and below 1.

        References
        ----------
        C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
        2003, section 4.
        """
        mean = float(self.cv_scores.mean())
        return t_interval(mean, self._cv_error(), len(self.folds), level, self.score_bounds)

    def _cv_error(self) -> float:
        return corrected_error(self.cv_scores, *fold_sizes(self.folds))

    def _scores_are_accuracies(self) -> bool:
        """Whether their mean, weighted by rows, is the accuracy: the scorer may have any name."""
        n_predicted = fold_sizes(self.folds)[1]
        if n_predicted.sum() != len(self.y):
            return False
        return bool(np.isclose(np.average(self.cv_scores, weights=n_predicted), self.accuracy))

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
        """Precision, recall, F1 and support of every class, in the order of ``classes``.

        The figures of :meth:`classification_report`, without its averages, whose names could
        be those of classes.
        """
        return class_figures(self.y_true, self.y_pred, self.classes)

    @cached_property
    def average_figures(self) -> tuple[ClassFigures, ClassFigures]:
        """The macro average of :attr:`class_figures`, and the average weighted by support."""
        return average_figures(self.class_figures)

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
        taken = [name for name in map(str, self.classes) if name in _AVERAGES]
        if output_dict and taken:
            raise ValueError(
                f"output_dict=True has averages under the names {_AVERAGES}, and so no place for "
                f"classes that are called {taken}. Take class_figures and average_figures instead."
            )
        return classification_report(
            self.y_true,
            self.y_pred,
            labels=self.classes,
            target_names=[str(label) for label in self.classes],
            output_dict=output_dict,
            zero_division=0,
        )

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
        wrong = self.y_true != self.y_pred
        filters = (("true", true, self.y_true), ("predicted", predicted, self.y_pred))
        for name, label, labels in filters:
            if label is None:
                continue
            if label not in self.classes.tolist():
                raise ValueError(
                    f"{name} must be one of {self.classes.tolist()}. Got {label!r} instead."
                )
            wrong = wrong & (labels == label)
        return np.flatnonzero(wrong)


def fold_sizes(folds: Sequence[Fit]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """How many rows each fold was fitted on, and how many it predicted."""
    n_train = np.array([fold.n_train for fold in folds])
    return n_train, np.array([fold.n_predicted for fold in folds])


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
