"""How well each class is read: precision, recall, F1, support; and the averages, kept apart."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support


class ClassFigures(NamedTuple):
    """How well one class is read, or all of them on average.

    Attributes
    ----------
    name : str
        The class's label, or which average.
    precision, recall, f1 : float
        From 0 to 1; 0 where there is nothing to divide by, as the precision of a class never
        predicted.
    support : int
        Rows that are of the class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def class_figures(
    y_true: NDArray[Any], y_pred: NDArray[Any], classes: NDArray[Any]
) -> tuple[ClassFigures, ...]:
    """Those of every class, in the order given.

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
    """The same on average over the classes: each alike, then each by its support."""
    shares = np.array([each[1:4] for each in figures])
    support = [each.support for each in figures]

    def averaged(name: str, weights: list[int] | None) -> ClassFigures:
        precision, recall, f1 = np.average(shares, axis=0, weights=weights).tolist()
        return ClassFigures(name, precision, recall, f1, sum(support))

    return averaged("macro avg", None), averaged("weighted avg", support)
