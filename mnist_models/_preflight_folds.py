"""Labels and folds that would mislead: what was found and the remedy, or None."""

import numpy as np

from mnist_models._evaluation_input import Folds
from mnist_models._fitting import Labels
from mnist_models._names import some

_MOST_CLASSES = 20  # that are many only if they are a fifth of the rows


def many_classes(y: Labels) -> str | None:
    """Labels that look like numbers on a scale, or like names of rows."""
    n_classes, n_rows = len(np.unique(y)), len(y)
    if n_classes <= max(_MOST_CLASSES, n_rows / 5):
        return None
    return (
        f"y has {n_classes} classes in {n_rows} rows, as numbers on a scale or identifiers have. "
        "If they are on a scale, use a regressor, or bin them; if not, get more rows of each class."
    )


def few_rows(y: Labels, folds: Folds) -> str | None:
    """Classes that cannot be in every fold."""
    classes, counts = np.unique(y, return_counts=True)
    n_folds = len(folds)
    few = classes[counts < n_folds].tolist()
    smallest_part = min(len(held_out) for _, held_out in folds)
    if not few or smallest_part < len(classes):  # as with LeaveOneOut, which cannot have them all
        return None
    most = int(counts.min())
    remedy = f"Use at most {most} folds" if most > 1 else "Leave these out"
    return (
        f"{some(few)} in y: fewer rows than the {n_folds} folds, so some folds test none, and "
        f"their scores are of another task. {remedy}, or get more rows."
    )


def class_missing(y: Labels, folds: Folds) -> str | None:
    """Rows whose class is not in their fold's training part.

    Of classes with two rows or more: a single one is always missing where it is tested.
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
        "and can only be read wrong; sorted labels do that. Use an int for cv, or "
        "StratifiedKFold(shuffle=True)."
    )


def unstratified(y: Labels, folds: Folds) -> str | None:
    """A fold whose classes' shares are far from the whole's, and further than chance would have."""
    if class_missing(y, folds):
        return None  # the same, and worse, has been said
    _, codes = np.unique(y, return_inverse=True)
    whole = np.bincount(codes) / len(codes)
    for number, (_, held_out) in enumerate(folds):
        n_held_out = max(1, len(held_out))
        shares = np.bincount(codes[held_out], minlength=len(whole)) / n_held_out
        apart = np.abs(shares - whole).sum() / 2
        # the mean deviation of a normal variable is √(2/π) of its standard deviation
        by_chance = np.sqrt(2 / np.pi * whole * (1 - whole) / n_held_out).sum() / 2
        if apart > 0.1 + 2 * by_chance:
            return (
                f"The classes' shares in fold {number + 1} are not those of y: {100 * apart:.0f}% "
                "of its rows would have to be of other classes, so its score is of another task. "
                "Use an int for cv, or StratifiedKFold(shuffle=True)."
            )
    return None
