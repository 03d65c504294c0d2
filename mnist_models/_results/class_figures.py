"""Precision, recall, F1 and support of each class, and their averages."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support


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


def class_figures(
    y_true: NDArray[Any], y_pred: NDArray[Any], classes: NDArray[Any]
) -> tuple[ClassFigures, ...]:
    """The figures of every class, in the order of ``classes``.

    Examples
    --------
    >>> labels = np.array(["a", "accuracy"])
    >>> class_figures(labels, np.array(["a", "a"]), labels)[0]
    ClassFigures(name='a', precision=0.5, recall=1.0, f1=0.666..., support=1)
    """
    columns = precision_recall_fscore_support(y_true, y_pred, labels=classes, zero_division=0)
    rows = zip(map(str, classes), *(column.tolist() for column in columns), strict=True)
    return tuple(ClassFigures(*row) for row in rows)


def average_figures(figures: Sequence[ClassFigures]) -> tuple[ClassFigures, ClassFigures]:
    """The macro average of the classes, and the average weighted by support."""
    shares = np.array([each[1:4] for each in figures])
    support = [each.support for each in figures]

    def averaged(name: str, weights: list[int] | None) -> ClassFigures:
        precision, recall, f1 = np.average(shares, axis=0, weights=weights).tolist()
        return ClassFigures(name, precision, recall, f1, sum(support))

    return averaged("macro avg", None), averaged("weighted avg", support)
