"""The content of the HTML page, as plain data."""

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
        Of one ``predict``, and of that divided by its rows.
    histories : sequence of (str, dict of str to list of float, int or None)
        The fit's name, its history with a value for each epoch, and the best epoch's index.
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
        """How many rows were misclassified."""
        return sum(map(sum, self.counts)) - sum(row[i] for i, row in enumerate(self.counts))


@dataclass(frozen=True)
class Page:
    """Everything on the page but the digits.

    Attributes
    ----------
    labels : sequence of str
        The classes' names, in the order of the confusion matrices.
    models : sequence of ModelShown
        Best first.
    source : str
        ``"test"`` or ``"out-of-fold"``.
    verdicts : dict of str to sequence of str
        Sentences on the differences between models, under headings; the first of each is on the
        two best models.
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
        """The largest share of a class that a model took for another; 0 if there is none."""
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
    """Rows with their digits, the most important first.

    Attributes
    ----------
    rows, true : sequence of int
        Their row numbers, and the indices of their true classes.
    read : sequence of sequence of int
        For each model, the indices of the predicted classes.
    rank : sequence of sequence of int
        For each model, the rows' ranks in the order of display.
    permille : sequence of (sequence of sequence of int, or None)
        For each model, the probabilities of all classes in thousandths; None if it gives none.
    images : ndarray of float32, shape (n, height, width), or None
        From 0 (paper) to 1 (ink).
    """

    rows: Sequence[int]
    true: Sequence[int]
    read: Sequence[Sequence[int]]
    rank: Sequence[Sequence[int]]
    permille: Sequence[Sequence[Sequence[int]] | None]
    images: Any | None = None
