"""Input checks shared by all estimators; stricter than scikit-learn's where it misreads data."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

# The kinds of dtype that NumPy would convert to numbers, though they are none.
_NOT_NUMERIC = {"m": "durations", "M": "dates", "S": "bytes", "U": "strings"}


def check_rows(estimator: Any, X: Any, y: Any = "no_validation", **how: Any) -> Any:
    """Check X, and y if given, by scikit-learn's ``validate_data``, for any real dtype.

    Parameters
    ----------
    estimator : estimator
        Its number and names of features are set or, with ``reset=False``, compared.
    X : array-like of numbers, shape (n_samples, n_features)
    y : array-like, shape (n_samples,), default="no_validation"
    **how
        Further arguments of ``validate_data``.

    Returns
    -------
    X or (X, y)
        As arrays; X has a numeric dtype, and is not copied if it is such an array already.

    Raises
    ------
    TypeError, ValueError
        If they are not such arrays, or hold masked values, dates or text.
    """
    refuse_misread(X, y)
    with overflow_ignored():
        checked = validate_data(estimator, X, y, **how)
        rows = checked[0] if isinstance(checked, tuple) else checked
        if rows.dtype == object:  # a DataFrame of numbers, with categorical columns among them
            rows = check_array(rows, dtype=np.float64, input_name="X")
    refuse_misread(rows)  # a list of dates
    return (rows, checked[1]) if isinstance(checked, tuple) else rows


def refuse_misread(X: Any, y: Any = None, sample_weight: Any = None) -> None:
    """Raise ValueError for input that scikit-learn would silently misread.

    It drops the mask of a masked array, reads dates as the integers that store them, and parses
    text as numbers. Plain lists are not looked into, as that would mean converting them.
    """
    for name, array in {"X": X, "y": y, "sample_weight": sample_weight}.items():
        refuse_mask(array, name)
    dtypes = getattr(X, "dtypes", None)  # one for each column of a DataFrame, one for a Series
    for dtype in dtypes if isinstance(dtypes, Iterable) else [getattr(X, "dtype", None)]:
        kind = _NOT_NUMERIC.get(getattr(dtype, "kind", ""))
        if kind:
            raise ValueError(
                f"X must be numeric. Got {kind} ({dtype}) instead. Convert them to numbers first."
            )
    _refuse_mixture(y)


def refuse_mask(array: Any, name: str) -> None:
    """Raise ValueError if some values of an array are masked."""
    masked = int(np.count_nonzero(np.ma.getmaskarray(array))) if np.ma.isMA(array) else 0
    if masked:
        raise ValueError(
            f"{name} has {masked} masked values, and its mask would be ignored. Fill them "
            f"(np.ma.filled({name}, 0), say), or leave out their rows."
        )


def _refuse_mixture(y: Any) -> None:
    """Raise ValueError for text among labels of other types, which cannot be sorted."""
    if getattr(getattr(y, "dtype", None), "kind", None) != "O":
        return
    kinds = {type(label).__name__ for label in np.asarray(y).ravel()}
    if "str" in kinds and len(kinds - {"str_"}) > 1:
        others = ", ".join(sorted(kinds - {"str"}))
        raise ValueError(f"y must hold labels of one kind. Got str and {others} instead.")


def overflow_ignored() -> np.errstate:
    """Silence NumPy's warnings of overflow in the block; the result is checked for infinity later.

    "Invalid" values too: scikit-learn checks by summing X, where inf and -inf may cancel.
    """
    return np.errstate(over="ignore", invalid="ignore")


def as_float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows as float32, copied only if they have another dtype.

    Raises
    ------
    ValueError
        If a value is too large for float32.
    """
    with overflow_ignored():
        narrow = rows.astype(np.float32, copy=False)
    check_float32(narrow)
    return narrow


def check_float32(rows: NDArray[np.float32]) -> None:
    """Raise ValueError if values were too large for float32."""
    if not np.isfinite(rows).all():
        raise ValueError(
            "X has values too large for float32: expected absolute values of at most 3.4e38. "
            "Scale them down first."
        )
