"""Before a long run: warn of what would mislead without a sign.

A check returns what it found, with the remedy, or None. A warning that cries wolf will be switched
off, so each has a threshold below which what it looks for can move no conclusion, or may as well be
chance.
"""

import math
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mnist_models._names import check_name
from mnist_models._preflight.folds import class_missing, few_rows, many_classes, unstratified
from mnist_models._preflight.rows import duplicate_rows, scaled_outside
from mnist_models._preflight.seeds import unseeded
from mnist_models._running.fitting import Data
from mnist_models._running.input import Folds
from mnist_models.exceptions import PreflightWarning

_PACKAGE = Path(__file__).parent.parent
_Check: TypeAlias = Callable[[], str | None]


def preflight(models: Mapping[str, Any], data: Data, folds: Folds, ignore: Iterable[str]) -> None:
    """Warn of each finding once, at the line that called the library.

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
        If there is no check of such a name.

    Warns
    -----
    PreflightWarning
        The message begins with the name in brackets.
    """
    ignored = [ignore] if isinstance(ignore, str) else list(ignore)
    looks = checks(models, data, folds)
    for name in ignored:
        check_name(name, looks, "each of ignore")
    for name, look in looks.items():
        finding = None if name in ignored else look()
        if finding is not None:
            message = f"[{name}] {finding} To silence this: ignore=({name!r},)."
            warnings.warn(PreflightWarning(message), stacklevel=_levels_to_the_caller())


def checks(models: Mapping[str, Any], data: Data, folds: Folds) -> dict[str, _Check]:
    """All there are, by the names that silence them; each looks when it is called."""
    return {
        "many-classes": lambda: many_classes(data.y),
        "few-rows": lambda: few_rows(data.y, folds),
        "class-missing": lambda: class_missing(data.y, folds),
        "unstratified-folds": lambda: unstratified(data.y, folds),
        "duplicate-rows": lambda: duplicate_rows(data, folds),
        "scaled-outside": lambda: scaled_outside(data),
        "unseeded": lambda: unseeded(models, _shape(data.X)),
    }


def _levels_to_the_caller() -> int:
    """How far above :func:`check` the first line outside the package is."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and Path(frame.f_code.co_filename).is_relative_to(_PACKAGE):
        frame, levels = frame.f_back, levels + 1
    return levels


def _shape(X: Any) -> tuple[int, int]:
    """Rows and columns, one column of what has none."""
    return X.shape[0], math.prod(X.shape[1:])
