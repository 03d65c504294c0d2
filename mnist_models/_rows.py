"""Rows and labels as every estimator takes them, and what scikit-learn would let pass: refused."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

# What NumPy would make numbers of, by its letters for them.
_NO_NUMBERS = {"m": "durations", "M": "dates", "S": "bytes", "U": "strings"}


def check_rows(estimator: Any, X: Any, y: Any = "no_validation", **how: Any) -> Any:
    """X, and y if given, by scikit-learn's ``validate_data`` for numbers of any real dtype.

    Parameters
    ----------
    estimator : estimator
        Whose number and names of features are set, or with ``reset=False`` compared.
    X : array-like of numbers, shape (n_samples, n_features)
    y : array-like, shape (n_samples,), default="no_validation"
    **how
        As ``validate_data`` has it.

    Returns
    -------
    X or (X, y)
        As arrays; X of a numeric dtype, and without a copy where it is such an array.

    Raises
    ------
    TypeError, ValueError
        If they are no such arrays, or hold masked values, dates or text.
    """
    refuse(X, y)
    with beyond_reach():
        checked = validate_data(estimator, X, y, **how)
        rows = checked[0] if isinstance(checked, tuple) else checked
        if rows.dtype == object:  # columns of numbers in a DataFrame, some of them as categories
            rows = check_array(rows, dtype=np.float64, input_name="X")
    refuse(rows)  # a list of dates
    return (rows, checked[1]) if isinstance(checked, tuple) else rows


def refuse(X: Any, y: Any = None, sample_weight: Any = None) -> None:
    """Raise ValueError for what scikit-learn would take for something else than it is.

    It drops the mask of an array, and takes dates for the numbers behind them, and the digits of
    text for numbers. That is left to it only in lists of them, which must be converted to be seen.
    """
    for name, array in {"X": X, "y": y, "sample_weight": sample_weight}.items():
        refuse_mask(array, name)
    for dtype in getattr(X, "dtypes", [getattr(X, "dtype", None)]):
        kind = _NO_NUMBERS.get(getattr(dtype, "kind", ""))
        if kind:
            raise ValueError(
                f"X must be numeric. Got {kind} ({dtype}) instead. Convert them first."
            )
    _refuse_mixture(y)


def refuse_mask(array: Any, name: str) -> None:
    """Raise ValueError if some values of an array are masked."""
    masked = int(np.count_nonzero(np.ma.getmaskarray(array))) if np.ma.isMA(array) else 0
    if masked:
        raise ValueError(
            f"{name} has {masked} masked values, and would be read as if it had none. Fill them "
            f"(np.ma.filled({name}, 0), say), or leave their rows out."
        )


def _refuse_mixture(y: Any) -> None:
    """Raise ValueError for text among labels of another kind: they have no order."""
    if getattr(getattr(y, "dtype", None), "kind", None) != "O":
        return
    kinds = {type(label).__name__ for label in np.asarray(y).ravel()}
    if "str" in kinds and len(kinds - {"str_"}) > 1:
        others = ", ".join(sorted(kinds - {"str"}))
        raise ValueError(f"y must hold labels of one kind. Got str and {others} instead.")


def beyond_reach() -> np.errstate:
    """No warnings inside of values beyond what a dtype holds: where they matter they are an error.

    They become infinite, and that is looked for. scikit-learn does so by adding X up, where
    infinity may meet its opposite.
    """
    return np.errstate(over="ignore", invalid="ignore")


def as_float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows in float32, copied only if they are of another dtype.

    Raises
    ------
    ValueError
        If they have values beyond float32.
    """
    with beyond_reach():
        narrow = rows.astype(np.float32, copy=False)
    check_float32(narrow)
    return narrow


def check_float32(rows: NDArray[np.float32]) -> None:
    """Raise ValueError if values were too large for float32."""
    if not np.isfinite(rows).all():
        raise ValueError(
            "X has values too large for float32: expected pixels of at most 3.4e38, either side "
            "of 0. Scale them down first."
        )
