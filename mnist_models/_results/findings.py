"""What one evaluation found: the data, and the numbers that follow from it."""

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

# what scikit-learn's report as a dict calls its averages, overwriting classes of those names
_AVERAGES = ("accuracy", "macro avg", "weighted avg")

_LABELS = ("classes", "y", "out_of_fold", "y_test", "test_predictions")


@dataclass(frozen=True)
class Fit:
    """One fit, and what came of asking it.

    Attributes
    ----------
    score : float
        What the scorer gave on the rows predicted.
    fit_seconds, predict_seconds : float
        Wall time of ``fit``, and of one ``predict``.
    n_train, n_predicted : int
        Rows fitted on, rows predicted.
    history : dict of str to list of float, or None
        The model's ``history_``, where it keeps one.
    best_epoch : int or None
        Its ``best_epoch_``: which entry of the history is that of the weights kept.
    model_bytes : int or None
        Size of the fitted model, pickled; None where it cannot be.
    peak_bytes : int or None
        The most memory that the process held while fitting and predicting, over what it held
        before; None where the system does not tell (it does on Linux), and of fits that shared a
        process.
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
    """What a result came from, for whoever wants to see it again.

    Attributes
    ----------
    data_sha256 : str
        Of X and y; of the test set too, if there was one.
    folds_sha256 : str
        Of the rows that each fold was fitted on and tested on.
    random_state : str
        What shuffled the folds.
    parameters : dict of str to str
        The model's, written out; nested ones under ``step__name``.
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
    """The data of an :class:`mnist_models.Evaluation`, told of there, and the numbers."""

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
        for name in (*_LABELS, "probabilities"):
            array = getattr(self, name)
            if array is not None:  # a copy: nobody who has the array can change what was found
                object.__setattr__(self, name, _read_only(np.array(array)))

    @property
    def source(self) -> str:
        """Where the report comes from: ``"test"`` or ``"out-of-fold"``."""
        return "out-of-fold" if self.test is None else "test"

    @property
    def y_true(self) -> NDArray[Any]:
        """The true labels of the rows reported on."""
        return self.y if self.y_test is None else self.y_test

    @property
    def y_pred(self) -> NDArray[Any]:
        """The predicted labels of the rows reported on."""
        return self.out_of_fold if self.test_predictions is None else self.test_predictions

    @property
    def cv_scores(self) -> NDArray[np.float64]:
        """The score of each fold."""
        return np.array([fold.score for fold in self.folds])

    @property
    def accuracy(self) -> float:
        """The share of the rows reported on that were read right."""
        return float(np.mean(self.y_true == self.y_pred))

    @property
    def is_share(self) -> bool:
        """Whether the score is a share, from 0 to 1, so that differences are percentage points."""
        return is_share(self.scoring, self.cv_scores)

    @property
    def score_bounds(self) -> Bounds:
        """The least and the greatest value of the score; infinite where none is known."""
        return score_bounds(self.scoring, self.cv_scores)

    def confidence_interval(self, level: float = 0.95) -> ConfidenceInterval:
        """How far :attr:`accuracy` may be from that on all such digits.

        On a test set this is Wilson's score interval. It speaks of the one fitted model.

        Out of fold, the rows were predicted by several models, fitted on rows that they
        largely share. There it is the interval of :meth:`cv_confidence_interval` around the
        accuracy of all rows: it speaks of models so made, fitted on other digits too. That
        needs fold scores that are accuracies and differ; where they are not or do not, it is
        Wilson's again, which then says too little of how models vary from one fit to the next,
        and ``method`` says so.

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
            If the level is not a share.

        References
        ----------
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        Journal of the American Statistical Association 22, 1927; and the one of
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
        """How far the mean score of the folds may be from that of models fitted on other digits.

        A t interval with k - 1 degrees of freedom. Folds share most of their training rows, so
        their scores vary less than independent ones; their variance is corrected for that.

        Parameters
        ----------
        level : float, default=0.95
            How often such an interval holds the true value, above 0 and below 1.

        Returns
        -------
        ConfidenceInterval
            ``low``, ``high``, ``level`` and ``method``. One fold, or equal scores, do not tell
            how scores vary: then it reaches as far as a score can go, and ``is_known`` is False.

        Raises
        ------
        ValueError
            If the level is not a share.

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
        """Whether they are, weighted by their rows, the accuracy of all: whatever their name."""
        n_predicted = fold_sizes(self.folds)[1]
        if n_predicted.sum() != len(self.y):
            return False
        return bool(np.isclose(np.average(self.cv_scores, weights=n_predicted), self.accuracy))

    @property
    def fit_seconds(self) -> float:
        """Wall time of the fit on all of X, or else the folds' median."""
        return self._final("fit_seconds")

    @property
    def predict_seconds(self) -> float:
        """Wall time of predicting the test set, or else the folds' median."""
        return self._final("predict_seconds")

    @property
    def reported_fits(self) -> tuple[Fit, ...]:
        """The fits that the report speaks of: the one on all of X, or else the folds'."""
        return self.folds if self.test is None else (self.test,)

    @property
    def model_bytes(self) -> int | None:
        """Size of the model fitted on all of X, or else the folds' median; None if not measured."""
        return self._size("model_bytes")

    @property
    def peak_bytes(self) -> int | None:
        """Peak memory of that fit, or else the folds' median; None if not measured."""
        return self._size("peak_bytes")

    def _final(self, name: str) -> float:
        return float(np.median([getattr(fit, name) for fit in self.reported_fits]))

    def _size(self, name: str) -> int | None:
        measured = all(getattr(fit, name) is not None for fit in self.reported_fits)
        return round(self._final(name)) if measured else None

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

        The numbers of :meth:`classification_report`, in which no label can stand for an average.
        """
        return class_figures(self.y_true, self.y_pred, self.classes)

    @cached_property
    def average_figures(self) -> tuple[ClassFigures, ClassFigures]:
        """The same on average over the classes: each alike, then each by its support."""
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
            A class never predicted has precision 0.

        Raises
        ------
        ValueError
            If a class has the name of an average, which would overwrite it in the dict.
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
        """The rows read wrong: of the test set if there was one, otherwise of X.

        Parameters
        ----------
        true, predicted : label, default=None
            Only the rows of this class, only those taken for that one.

        Returns
        -------
        ndarray of int
            Row numbers in rising order.

        Raises
        ------
        ValueError
            If a label is not one of ``classes``.
        """
        wrong = self.y_true != self.y_pred
        asked = (("true", true, self.y_true), ("predicted", predicted, self.y_pred))
        for name, label, labels in asked:
            if label is None:
                continue
            if label not in self.classes.tolist():
                raise ValueError(f"{name} must be one of {self.classes.tolist()}. Got {label!r}.")
            wrong = wrong & (labels == label)
        return np.flatnonzero(wrong)


def fold_sizes(folds: Sequence[Fit]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """How many rows each fold was fitted on, and how many it predicted."""
    n_train = np.array([fold.n_train for fold in folds])
    return n_train, np.array([fold.n_predicted for fold in folds])


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
