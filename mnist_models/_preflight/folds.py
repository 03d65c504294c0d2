"""Checks of labels and folds. Each returns what it found and the remedy, or None."""

import numpy as np
from scipy.stats import chi2_contingency

from mnist_models._names import some
from mnist_models._running.fitting import Labels
from mnist_models._running.input import Folds

_MOST_CLASSES = 20  # more are too many only if they are over a fifth of the rows
_MOST_DEVIATION = 0.1  # of a fold's class shares from those of y, beyond what chance makes
_FALSE_ALARMS = 1e-4  # how often shuffled folds may be warned of


def many_classes(y: Labels) -> str | None:
    """Labels that look like numbers on a scale, or like identifiers of rows."""
    n_classes, n_rows = len(np.unique(y)), len(y)
    if n_classes <= max(_MOST_CLASSES, n_rows / 5):
        return None
    return (
        f"y has {n_classes} classes in {n_rows} rows, as numbers on a scale or identifiers have. "
        "If they are on a scale, use a regressor, or bin them; if not, get more rows of each class."
    )


def few_rows(y: Labels, folds: Folds) -> str | None:
    """Classes that cannot be in every fold.

    If no class can, as with LeaveOneOut, the folds are meant so. StratifiedKFold, which warns of
    single classes too, is muted by ``make_folds``.
    """
    classes, counts = np.unique(y, return_counts=True)
    n_folds = len(folds)
    few = classes[counts < n_folds].tolist()
    if not few or len(few) == len(classes):
        return None
    most = int(counts.min())
    remedy = f"Use at most {most} folds" if most > 1 else "Leave these out"
    return (
        f"{some(few)} in y: fewer rows than the {n_folds} folds, so the scores of some folds leave "
        f"them out. {remedy}, or get more rows."
    )


def class_missing(y: Labels, folds: Folds) -> str | None:
    """Rows whose class is not in their fold's training part.

    Classes of one row are left out: they are always missing where they are tested.
    """
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    hopeless = 0
    for train, held_out in folds:
        known = np.bincount(codes[train], minlength=len(counts)) > 0
        hopeless += int(np.sum(~known[codes[held_out]] & (counts[codes[held_out]] > 1)))
    if not hopeless:
        return None
    return (
        f"{hopeless} of {len(codes)} rows are tested in a fold that trains on none of their class, "
        "and can only be misclassified; sorted labels cause that. Use an int for cv, or "
        "StratifiedKFold(shuffle=True)."
    )


def unstratified(y: Labels, folds: Folds) -> str | None:
    """Folds whose class shares are far from those of y, and farther than chance makes them.

    One chi-square test of all folds together tells chance. A test for each fold would give false
    alarms where a fold has only a row or two of a class: in up to one run of twelve, at 1e-4.
    """
    if class_missing(y, folds):
        return None  # that warning says the same, and worse
    _, codes = np.unique(y, return_inverse=True)
    whole = np.bincount(codes)
    counts = np.array([np.bincount(codes[held], minlength=len(whole)) for _, held in folds])
    tested = counts.sum(axis=1).clip(min=1)[:, np.newaxis]
    shares, share = counts / tested, whole / len(codes)
    apart = np.abs(shares - share).sum(axis=1) / 2
    # the mean deviation of a normal variable is √(2/π) of its standard deviation
    by_chance = np.sqrt(2 / np.pi * share * (1 - share) / tested).sum(axis=1) / 2
    worst = int(np.argmax(apart - by_chance))
    if apart[worst] - by_chance[worst] <= _MOST_DEVIATION:
        return None
    filled = counts[counts.any(axis=1)]
    if chi2_contingency(filled, correction=False).pvalue >= _FALSE_ALARMS:
        return None
    return (
        f"The classes' shares in fold {worst + 1} are not those of y: {100 * apart[worst]:.0f}% "
        "of its rows would have to be of other classes, so its score is not comparable. "
        "Use an int for cv, or StratifiedKFold(shuffle=True)."
    )
