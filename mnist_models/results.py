"""What the evaluation of one model found: frozen data, and views of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report, confusion_matrix

from mnist_models._report import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMAT = 1

_REPORT_HEADER = ["class", "precision", "recall", "f1-score", "support"]


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
    """

    score: float
    fit_seconds: float
    predict_seconds: float
    n_train: int
    n_predicted: int
    history: dict[str, list[float]] | None = None
    best_epoch: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """How well one model reads digits, fold by fold and, where one was given, on a test set.

    Made by :func:`mnist_models.evaluate`. Report, matrix and errors are about the test set if
    there was one, and otherwise about the out-of-fold predictions: every row of X predicted once,
    by a model that had not seen it.

    Attributes
    ----------
    model_name : str
        What the model is called in reports.
    scoring : str
        The name of the score.
    classes : ndarray, shape (n_classes,)
        Every label of ``y`` and ``y_test``, and every one predicted, sorted.
    y : ndarray, shape (n,)
        The labels of X.
    out_of_fold : ndarray, shape (n,)
        Their predictions, each made in the one fold that tested the row.
    folds : tuple of Fit
        One for each fold.
    y_test, test_predictions : ndarray, shape (n_test,), or None
        The labels of the test set and their predictions.
    test : Fit or None
        The fit on all of X, tested on the test set.

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

    def __post_init__(self) -> None:
        for name in ("classes", "y", "out_of_fold", "y_test", "test_predictions"):
            labels = getattr(self, name)
            if labels is not None:  # a copy: nobody who has the array can change what was found
                object.__setattr__(self, name, _read_only(np.array(labels)))

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
    def fit_seconds(self) -> float:
        """Wall time of the fit on all of X, or else the folds' median."""
        return self._final("fit_seconds")

    @property
    def predict_seconds(self) -> float:
        """Wall time of predicting the test set, or else the folds' median."""
        return self._final("predict_seconds")

    def _final(self, name: str) -> float:
        if self.test is not None:
            return float(getattr(self.test, name))
        return float(np.median([getattr(fold, name) for fold in self.folds]))

    @cached_property
    def confusion_matrix(self) -> NDArray[np.int64]:
        """Counts of shape (n_classes, n_classes): true classes in rows, predicted in columns."""
        return _read_only(confusion_matrix(self.y_true, self.y_pred, labels=self.classes))

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
        """
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

    def plot_confusion_matrix(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the confusion matrix: counts and row percents, coloured by row percent.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from mnist_models._report import plots

        rows = "the test set" if self.test is not None else "rows out of fold"
        title = f"{self.model_name} on {rows}: accuracy {self.accuracy:.4f}"
        return plots.plot_confusion_matrix(self.confusion_matrix, self._labels(), title, ax)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON.

        Returns
        -------
        dict
            Predictions stand as numbers of classes. ``accuracy``, ``confusion_matrix`` and
            ``classification_report`` are there for readers; ``from_dict`` derives them afresh.
        """
        return {
            "format": FORMAT,
            "model_name": self.model_name,
            "scoring": self.scoring,
            "classes": self.classes.tolist(),
            "y": self._encode(self.y),
            "out_of_fold": self._encode(self.out_of_fold),
            "folds": [asdict(fold) for fold in self.folds],
            "y_test": self._encode(self.y_test),
            "test_predictions": self._encode(self.test_predictions),
            "test": None if self.test is None else asdict(self.test),
            "source": self.source,
            "accuracy": self.accuracy,
            "confusion_matrix": self.confusion_matrix.tolist(),
            "classification_report": self.classification_report(output_dict=True),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The evaluation that :meth:`to_dict` described.

        Parameters
        ----------
        data : mapping
            What ``to_dict`` returned, or what JSON made of it.

        Returns
        -------
        Evaluation

        Raises
        ------
        ValueError
            If it is of another format.
        """
        if data.get("format") != FORMAT or "classes" not in data:
            raise ValueError(
                f"data must be an Evaluation of format {FORMAT}, as to_dict writes it. "
                f"Got format {data.get('format')!r} with keys {sorted(data)} instead."
            )
        classes = np.array(data["classes"])

        def decode(codes: list[int] | None) -> Any:
            return None if codes is None else classes[np.array(codes, dtype=np.intp)]

        return cls(
            model_name=data["model_name"],
            scoring=data["scoring"],
            classes=classes,
            y=decode(data["y"]),
            out_of_fold=decode(data["out_of_fold"]),
            folds=tuple(Fit(**fold) for fold in data["folds"]),
            y_test=decode(data["y_test"]),
            test_predictions=decode(data["test_predictions"]),
            test=None if data["test"] is None else Fit(**data["test"]),
        )

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text.

        Returns
        -------
        str
        """
        return json.dumps(self.to_dict())

    def to_markdown(self) -> str:
        """Scores, report and confusion matrix as Markdown.

        Returns
        -------
        str
            Labels are escaped.
        """
        return "\n\n".join(
            [
                f"## {self.model_name}",
                self._summary(),
                f"Report on the {self.source} predictions:",
                text.markdown_table(_REPORT_HEADER, self._report_rows()),
                "Confusion matrix, true classes in rows, predicted in columns:",
                text.markdown_table(["true", *self._labels()], self._confusion_rows()),
            ]
        )

    def __str__(self) -> str:
        return "\n\n".join(
            [
                f"{self.model_name}\n{self._summary()}",
                f"Report on the {self.source} predictions\n{self.classification_report()}".rstrip(),
                "Confusion matrix: true classes in rows, predicted in columns\n"
                + text.text_table(["", *self._labels()], self._confusion_rows()),
            ]
        )

    def __repr__(self) -> str:
        scores = self.cv_scores
        return (
            f"Evaluation({self.model_name!r}, {len(scores)} folds, "
            f"{self.scoring} {scores.mean():.4f} ± {scores.std():.4f})"
        )

    def _summary(self) -> str:
        scores = self.cv_scores
        test = "" if self.test is None else f", on the test set {self.test.score:.4f}"
        return (
            f"{self.scoring}: {scores.mean():.4f} ± {scores.std():.4f} over {len(scores)} folds"
            f"{test}; fitted in {text.seconds(self.fit_seconds)}, "
            f"{len(self.y_pred)} rows predicted in {text.seconds(self.predict_seconds)}"
        )

    def _labels(self) -> list[str]:
        return [str(label) for label in self.classes]

    def _confusion_rows(self) -> list[list[str]]:
        return text.confusion_rows(self._labels(), self.confusion_matrix.tolist())

    def _report_rows(self) -> list[list[str]]:
        report = self.classification_report(output_dict=True)
        names = [*self._labels(), "macro avg", "weighted avg"]
        return [
            [
                name,
                *(f"{report[name][column]:.2f}" for column in _REPORT_HEADER[1:4]),
                f"{report[name]['support']:.0f}",
            ]
            for name in names
        ]

    def _encode(self, labels: NDArray[Any] | None) -> list[int] | None:
        return None if labels is None else np.searchsorted(self.classes, labels).tolist()


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
