"""What the evaluation of one model found: frozen data, and views of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from mnist_models._plain import number, plain_for_json
from mnist_models._report import text
from mnist_models._results.exports import make_frame, mlflow_entries
from mnist_models._results.findings import Fit, Provenance
from mnist_models._results.intervals import ConfidenceInterval
from mnist_models._results.pictured import Pictured

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Evaluation", "Fit", "Provenance"]

FORMAT = 2

_REPORT_HEADER = ["class", "precision", "recall", "f1-score", "support"]


class Evaluation(Pictured):
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
    probabilities : ndarray of float32, shape (n_reported, n_classes), or None
        What the model gave each class, for the rows reported on; None where it has no
        ``predict_proba``.
    provenance : Provenance or None
        Data, folds, parameters and versions that all this came from.

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
            Predictions stand as numbers of classes, probabilities to six places; None where a
            number is not finite, as the score of a fold that has none. ``accuracy``, its interval,
            ``confusion_matrix``, ``class_figures`` and ``average_figures`` are there for readers;
            ``from_dict`` derives them afresh.
        """
        # as float64: rounded in 32 bits, 0.1 would be written 0.10000000149011612
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
        """The evaluation that :meth:`to_dict` described.

        Parameters
        ----------
        data : mapping
            What ``to_dict`` returned, or what JSON made of it. None is read as NaN.

        Returns
        -------
        Evaluation
            Equal in every figure; probabilities to six places.

        Raises
        ------
        ValueError
            If it is of another format, or its parts do not fit together.
        """
        if data.get("format") != FORMAT or "classes" not in data:
            raise ValueError(
                f"data must be an Evaluation of format {FORMAT}, as to_dict writes it. "
                f"Got format {data.get('format')!r} with keys {sorted(data)} instead."
            )
        try:
            found = cls._of_parts(data)
            sound = _fits_together(found)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"data must be an Evaluation as to_dict writes it. Got {error!r} where it is read."
            ) from error
        if not sound:
            raise ValueError(
                "data must be an Evaluation as to_dict writes it. Got other numbers of labels, "
                "predictions and probabilities than belong together."
            )
        return found

    @classmethod
    def _of_parts(cls, data: Mapping[str, Any]) -> Self:
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
        """:meth:`to_dict` as JSON text.

        Returns
        -------
        str
            What :meth:`from_dict` takes, once ``json.loads`` has read it.
        """
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_frame(self) -> "pd.DataFrame":
        """A row for every fold, and one for the fit tested on the test set.

        Returns
        -------
        pandas.DataFrame
            Columns ``model``, ``part`` (``"fold 1"``, ..., ``"test"``) and those of :class:`Fit`
            but the history.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return make_frame({self.model_name: self})

    def to_mlflow(self) -> dict[str, dict[str, Any]]:
        """What MLflow logs: names and lengths are such as it takes.

        Returns
        -------
        dict
            ``params`` (str to str), ``metrics`` (str to float, finite) and ``tags`` (str to str),
            for ``mlflow.log_params``, ``log_metrics`` and ``set_tags``. Characters of a label
            that MLflow refuses in names stand as ``_``, with a number behind where two
            labels would then have one name.

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
        """Write a page that shows all this, and the digits behind each cell of the matrix.

        One file, under 3 MB, that fetches nothing: it opens from a disk or an e-mail.

        Parameters
        ----------
        path : str or path-like
            The file to write. Its folder must exist.
        images : array-like or DataFrame, default=None
            The rows reported on, in their order: X_test where there was a test set, X otherwise.
            Shape (n, height·width), square, or (n, height, width); pixels from 0 (paper) to 255
            (ink), or from 0 to 1. None: the page shows row numbers in place of pictures.

        Raises
        ------
        ValueError
            If ``images`` are not such pixels, or not of as many rows.

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
        from mnist_models._results.page_data import write_page  # which reads templates

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
            + (f", {_written(over_folds)}" if over_folds.is_known else "")
        ]
        if self.test is not None and self.scoring != "accuracy":
            lines.append(f"{self.scoring} on the test set: {self.test.score:.4f}")
        interval = _written(self.confidence_interval())
        # out of fold, accuracy is the mean over the folds, unless they are of unequal size
        if self.test is not None or interval != _written(over_folds):
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


def _fits_together(found: Evaluation) -> bool:
    """Whether every prediction has its label, and every row its probabilities."""
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


def _written(interval: ConfidenceInterval) -> str:
    return f"{100 * interval.level:g} % interval {interval.low:.4f} to {interval.high:.4f}"
