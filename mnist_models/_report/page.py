"""What the HTML page shows, as plain data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeAlias

ClassFigures: TypeAlias = tuple[str, float, float, float, int]
History: TypeAlias = tuple[str, Mapping[str, Sequence[float]], int | None]

_MOST_WITH_PERCENTS = 12  # classes


@dataclass(frozen=True)
class ModelShown:
    """One model's figures. None stands for what was not measured.

    Attributes
    ----------
    counts : sequence of sequence of int
        The confusion matrix, true classes in rows.
    by_class, averages : sequence of (str, float, float, float, int)
        Name, precision, recall, F1 and support.
    predict_seconds, seconds_per_digit : float
        Of predicting all rows at once, and of one of them.
    histories : sequence of (str, dict of str to list of float, int or None)
        Whose history it is, one value an epoch, and which entry is the best epoch's.
    interval, cv_interval : tuple (low, high) of float
        Of the accuracy, and of the folds' mean score, at a level of 95 %.
    """

    name: str
    is_best: bool
    cv_scores: Sequence[float]
    accuracy: float
    counts: Sequence[Sequence[int]]
    by_class: Sequence[ClassFigures]
    averages: Sequence[ClassFigures]
    fit_seconds: float
    predict_seconds: float
    seconds_per_digit: float
    peak_bytes: int | None = None
    model_bytes: int | None = None
    interval: tuple[float, float] | None = None
    cv_interval: tuple[float, float] | None = None
    histories: Sequence[History] = ()
    parameters: Mapping[str, str] | None = None

    @property
    def cv_mean(self) -> float:
        """The mean score over the folds."""
        return fmean(self.cv_scores)

    @property
    def cv_std(self) -> float:
        """Their standard deviation, as NumPy has it."""
        return math.sqrt(fmean((score - self.cv_mean) ** 2 for score in self.cv_scores))

    @property
    def n_errors(self) -> int:
        """How many rows were read wrong."""
        return sum(map(sum, self.counts)) - sum(row[i] for i, row in enumerate(self.counts))


@dataclass(frozen=True)
class Page:
    """Everything on the page but the digits.

    Attributes
    ----------
    labels : sequence of str
        What the classes are called, in the order of the confusion matrices.
    models : sequence of ModelShown
        Best first.
    source : str
        ``"test"`` or ``"out-of-fold"``.
    verdicts : dict of str to sequence of str
        What can be said of the differences between models, under headings; first of the two that
        lead.
    provenance : dict of str to str
        Hashes and seed, each under the name it is shown by.
    """

    labels: Sequence[str]
    models: Sequence[ModelShown]
    scoring: str
    source: str
    n_rows: int
    n_reported: int
    verdicts: Mapping[str, Sequence[str]]
    provenance: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def is_crowded(self) -> bool:
        """Whether the classes are too many for a percentage in each cell of a matrix."""
        return len(self.labels) > _MOST_WITH_PERCENTS

    @property
    def worst_error(self) -> float:
        """The largest share of a class that a model read wrong in one way; 0 where none did."""
        shares = (
            count / sum(row)
            for model in self.models
            for truth, row in enumerate(model.counts)
            for read, count in enumerate(row)
            if count and truth != read
        )
        return max(shares, default=0.0)


@dataclass(frozen=True)
class Digits:
    """The rows whose digits can be looked at, the most important first.

    Attributes
    ----------
    rows, true : sequence of int
        Their numbers, and the numbers of their classes.
    read : sequence of sequence of int
        For each model, the number of the class it read.
    rank : sequence of sequence of int
        For each model, the row's place in the order in which digits are shown.
    permille : sequence of (sequence of sequence of int, or None)
        For each model, thousandths for each class; None where it gives no probabilities.
    images : ndarray of float32, shape (n, height, width), or None
        From 0 (paper) to 1 (ink).
    """

    rows: Sequence[int]
    true: Sequence[int]
    read: Sequence[Sequence[int]]
    rank: Sequence[Sequence[int]]
    permille: Sequence[Sequence[Sequence[int]] | None]
    images: Any | None = None
