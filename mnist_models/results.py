"""The evaluation of one model: frozen data, as text, JSON, tables and plots."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from mnist_models._plain import FORMAT, check_format, number, plain_for_json
from mnist_models._report import text
from mnist_models._results.exports import make_frame, mlflow_entries
from mnist_models._results.findings import Fit, Provenance
from mnist_models._results.intervals import ConfidenceInterval
from mnist_models._results.pictured import Pictured

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Evaluation", "Fit", "Provenance"]

_REPORT_HEADER = ["class", "precision", "recall", "f1-score", "support"]


class Evaluation(Pictured):
    """How well one model classifies digits: in every fold, and on a test set if there was one.

    Made by :func:`mnist_models.evaluate`. Report, matrix and errors are those of the reported
    rows: the test set if there was one, otherwise X with its out-of-fold predictions, each made
    by a model that had not seen the row.

    Attributes
    ----------
    model_name : str
        The model's name in reports.
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
        chances = None if self.probabilities is None else self.probabilities.astype(np.float64)
        found = {
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
            "probabilities": None if chances is None else chances.round(6).tolist(),
            "provenance": None if self.provenance is None else asdict(self.provenance),
            "source": self.source,
            "accuracy": self.accuracy,
            "accuracy_interval": self.confidence_interval(),
            "confusion_matrix": self.confusion_matrix.tolist(),
            "class_figures": self.class_figures,
            "average_figures": self.average_figures,
        }
        return cast("dict[str, Any]", plain_for_json(found))

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
        check_format(data, "an Evaluation", "classes")
        try:
            found = cls._from_parts(data)
            is_consistent = _is_consistent(found)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"data must be an Evaluation as to_dict writes it. Got {error!r} where it is read."
            ) from error
        if not is_consistent:
            raise ValueError(
                "data must be an Evaluation as to_dict writes it. Got parts whose types or numbers "
                "do not fit together: names, classes, folds, labels, predictions, probabilities."
            )
        return found

    @classmethod
    def _from_parts(cls, data: Mapping[str, Any]) -> Self:
        classes = np.array(data["classes"])
        chances, origin = data["probabilities"], data["provenance"]

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
            probabilities=None if chances is None else np.array(chances, dtype=np.float32),
            provenance=None if origin is None else Provenance(**origin),
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
        return make_frame({self.model_name: self})

    def to_mlflow(self) -> dict[str, dict[str, Any]]:
        """Parameters, metrics and tags for MLflow, with names and lengths that it accepts.

        Returns
        -------
        dict
            ``params`` (str to str), ``metrics`` (str to float, finite) and ``tags`` (str to str),
            for ``mlflow.log_params``, ``log_metrics`` and ``set_tags``. In names, ``_`` replaces
            characters that MLflow refuses, and a number follows where two names would then be
            equal.

        Examples
        --------
        >>> from mnist_models import evaluate, load_sample_digits, make_model
        >>> digits = load_sample_digits().sample(300, random_state=0)
        >>> entries = evaluate(make_model("logistic"), digits.data, digits.target).to_mlflow()
        >>> entries["params"]["classify__C"]
        '1.0'
        >>> entries["metrics"]["cv_accuracy"] > 0.9
        True
        """
        return mlflow_entries(self)

    def to_markdown(self) -> str:
        """Scores, report and confusion matrix as Markdown.

        Returns
        -------
        str
            Names and labels are escaped.
        """
        return "\n\n".join(
            [
                f"## {text.escaped(self.model_name)}",
                "\n".join(f"- {text.escaped(line)}" for line in self._summary()),
                f"Report on the {self.source} predictions:",
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

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from mnist_models import evaluate, load_sample_digits, make_model
        >>> digits = load_sample_digits().sample(300, random_state=0)
        >>> evaluation = evaluate(make_model("logistic"), digits.data, digits.target)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "report.html")
        ...     evaluation.to_html(path, images=digits.data)
        ...     path.stat().st_size < 3_000_000
        True
        """
        from mnist_models._results.page_data import write_page  # needs jinja2

        write_page(path, {self.model_name: self}, images)

    def __str__(self) -> str:
        parts = [
            "\n".join([self.model_name, *self._summary()]),
            f"Report on the {self.source} predictions\n{self.classification_report()}".rstrip(),
            "Confusion matrix: true classes in rows, predicted in columns\n"
            + text.text_table(["", *self._labels()], self._confusion_rows()),
        ]
        return text.legible("\n\n".join(parts))

    def __repr__(self) -> str:
        scores = text.mean_and_std(self.cv_scores.tolist())
        return f"Evaluation({self.model_name!r}, {len(self.folds)} folds, {self.scoring} {scores})"

    def _summary(self) -> list[str]:
        scores, over_folds = self.cv_scores.tolist(), self.cv_confidence_interval()
        lines = [
            f"{self.scoring}: {text.mean_and_std(scores)}"
            + (f" over {len(scores)} folds" if np.isfinite(scores).all() else "")
            + (f", {_format_interval(over_folds)}" if over_folds.is_known else "")
        ]
        if self.test is not None and self.scoring != "accuracy":
            lines.append(f"{self.scoring} on the test set: {self.test.score:.4f}")
        interval = _format_interval(self.confidence_interval())
        # out of fold, it is the line above again unless folds differ in size
        if self.test is not None or interval != _format_interval(over_folds):
            lines.append(f"{self.source} accuracy: {self.accuracy:.4f}, {interval}")
        fit, predict = text.seconds(self.fit_seconds), text.seconds(self.predict_seconds)
        return [*lines, f"fitted in {fit}, {len(self.y_pred)} rows predicted in {predict}"]

    def _labels(self) -> list[str]:
        return [str(label) for label in self.classes]

    def _confusion_rows(self) -> list[list[str]]:
        return text.confusion_rows(self._labels(), self.confusion_matrix.tolist())

    def _report_rows(self) -> list[list[str]]:
        return [
            [name, *(f"{share:.2f}" for share in shares), str(support)]
            for name, *shares, support in [*self.class_figures, *self.average_figures]
        ]

    def _encode(self, labels: NDArray[Any] | None) -> list[int] | None:
        return None if labels is None else np.searchsorted(self.classes, labels).tolist()


def _is_consistent(found: Evaluation) -> bool:
    """Whether types are right, and each row has its label, prediction and probabilities."""
    y_test, predicted, chances = found.y_test, found.test_predictions, found.probabilities
    return (
        isinstance(found.model_name, str)
        and isinstance(found.scoring, str)
        and len(found.folds) > 0
        and found.classes.dtype.kind in "biufU"
        and np.array_equal(found.classes, np.unique(found.classes))
        and (y_test is None) == (predicted is None) == (found.test is None)
        and found.y.shape == found.out_of_fold.shape == (len(found.y),)
        and found.y_true.shape == found.y_pred.shape == (len(found.y_true),)
        and min(len(found.y), len(found.y_true)) > 0
        and (chances is None or chances.shape == (len(found.y_true), len(found.classes)))
    )


def _fit(data: Mapping[str, Any]) -> Fit:
    history = data["history"] and {
        name: [number(each) for each in values] for name, values in data["history"].items()
    }
    return Fit(**{**data, "score": number(data["score"]), "history": history})


def _format_interval(interval: ConfidenceInterval) -> str:
    return f"{100 * interval.level:g} % interval {interval.low:.4f} to {interval.high:.4f}"
