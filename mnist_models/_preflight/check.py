"""Warn before a long run of what would make its results misleading.

A check returns what it found, with the remedy, or None. False alarms would make users switch
warnings off, so each check has a threshold below which a finding cannot change a conclusion, or may
well be chance.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from mnist_models._names import check_name
from mnist_models._preflight.folds import class_missing, few_rows, many_classes, unstratified
from mnist_models._preflight.rows import duplicate_rows, scaled_outside
from mnist_models._preflight.seeds import unseeded
from mnist_models._running.fitting import Data
from mnist_models._running.input import Folds
from mnist_models._warn import warn_user
from mnist_models.exceptions import PreflightWarning

_Check: TypeAlias = Callable[[], str | None]


def preflight(models: Mapping[str, Any], data: Data, folds: Folds, ignore: Iterable[str]) -> None:
    """Warn of each finding, at the line that called the library.

    Parameters
    ----------
    models : dict of str to classifier
        What will be fitted.
    data : Data
        All rows.
    folds : list of tuple (train, held_out)
        Row numbers.
    ignore : iterable of str
        Names of checks to leave out.

    Raises
    ------
    ValueError
        If there is no check of that name.

    Warns
    -----
    PreflightWarning
        The message begins with the name in brackets.
    """
    ignored = [ignore] if isinstance(ignore, str) else list(ignore)
    by_name = checks(models, data, folds)
    for name in ignored:
        check_name(name, by_name, "each of ignore")
    for name, check in by_name.items():
        finding = None if name in ignored else check()
        if finding is not None:
            message = f"[{name}] {finding} To silence this: ignore=({name!r},)."
            warn_user(PreflightWarning(message))


def checks(models: Mapping[str, Any], data: Data, folds: Folds) -> dict[str, _Check]:
    """All checks, by the names that silence them."""
    return {
        "many-classes": lambda: many_classes(data.y),
        "few-rows": lambda: few_rows(data.y, folds),
        "class-missing": lambda: class_missing(data.y, folds),
        "unstratified-folds": lambda: unstratified(data.y, folds),
        "duplicate-rows": lambda: duplicate_rows(data, folds),
        "scaled-outside": lambda: scaled_outside(data),
        "unseeded": lambda: unseeded(models, _shape(data.X)),
    }


def _shape(X: Any) -> tuple[int, int]:
    """Numbers of rows and of values in each."""
    return X.shape[0], math.prod(X.shape[1:])
