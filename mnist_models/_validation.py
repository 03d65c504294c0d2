"""Checks that all of the package shares: rows, names, warnings at the user's line, whole fits."""

import difflib
import math
import os
import sys
import warnings
from collections.abc import Iterable, Sequence, Sized
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import _check_sample_weight, validate_data

from mnist_models.exceptions import ScaleWarning

# Their lines are not the user's: a Pipeline calls the steps in it.
_LIBRARIES = tuple(f"{Path(file).parent}{os.sep}" for file in (__file__, sklearn.__file__))

# The kinds of dtype that NumPy would convert to numbers, though they are none.
_NOT_NUMERIC = {"m": "durations", "M": "dates", "S": "bytes", "U": "strings", "T": "strings"}


def check_rows(estimator: Any, X: Any, y: Any = "no_validation", **how: Any) -> Any:
    """Check X, and y if given, by scikit-learn's ``validate_data``, for any real dtype.

    Parameters
    ----------
    estimator : estimator
        Its number and names of features are set or, with ``reset=False``, compared.
    X : array-like of numbers, shape (n_samples, n_features), or images as for :func:`as_rows`
    y : array-like, shape (n_samples,), default="no_validation"
    **how
        Further arguments of ``validate_data``.

    Returns
    -------
    X or (X, y)
        As arrays of rows; X has a numeric dtype, and is not copied if it is such an array already.

    Raises
    ------
    TypeError, ValueError
        If they are not such arrays, or hold masked values, dates or text.
    """
    X = as_rows(X)
    refuse_misread(X, y)
    with overflow_ignored():
        checked = validate_data(estimator, X, y, **how)
        rows = checked[0] if isinstance(checked, tuple) else checked
        if rows.dtype == object:  # a DataFrame of numbers, with categorical columns among them
            rows = check_array(rows, dtype=np.float64, input_name="X")
    refuse_misread(rows)  # a list of dates
    return (rows, checked[1]) if isinstance(checked, tuple) else rows


def as_rows(X: Any) -> Any:
    """Images of shape (n, height, width) or (n, height, width, 1) as rows of pixels.

    Anything else is returned as it is; ValueError if the images are in colour.

    Examples
    --------
    >>> as_rows(np.zeros((5, 28, 28, 1))).shape
    (5, 784)
    """
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) == 4 and shape[3] in (3, 4):
        raise ValueError(
            f"X must hold grey images, of shape (n, height, width). Got colours, of shape {shape}. "
            "Use X[..., :3].mean(axis=3), or read_images for photos."
        )
    if len(shape) == 3 or (len(shape) == 4 and shape[3] == 1):
        return X.reshape(shape[0], math.prod(shape[1:]))
    return X


# The scales that pixels come on.
SCALES = ("pixels from 0 to 1", "pixels from 0 to 255", "standardized values")
_REMEDIES = {  # by the scale that is known and the one that is given
    ("pixels from 0 to 1", "pixels from 0 to 255"): "Divide X by 255",
    ("pixels from 0 to 255", "pixels from 0 to 1"): "Multiply X by 255",
}
_ROWS_LOOKED_AT = 256
# With fewer features, ordinary tables of numbers would seem to be on one scale or another.
_FEWEST_PIXELS = 16


def check_scale(estimator: Any, X: Any, *, reset: bool = False) -> None:
    """Remember the scale of the pixels, or warn if X has another one than was remembered.

    Parameters
    ----------
    estimator : estimator
        It keeps the scale as ``_pixel_scale``: None if the values are on none of those.
    X : array-like or sparse matrix, shape (n_samples, n_features)
        Some hundreds of its rows are looked at.
    reset : bool, default=False
        Whether to remember.

    Warns
    -----
    ScaleWarning
        If X has another scale.
    """
    if reset:
        estimator._pixel_scale = _scale_of(X, reset)
        return
    known: str | None = getattr(estimator, "_pixel_scale", None)
    scale = _scale_of(X, reset) if known else None
    if known and scale and scale != known:
        remedy = _REMEDIES.get((known, scale), "Prepare X as the training data were prepared")
        warn_user(
            ScaleWarning(
                f"{type(estimator).__name__} was fitted on {known}. Got {scale} in X, which it "
                f"will probably misread. {remedy}."
            )
        )


def _scale_of(X: Any, reset: bool) -> str | None:
    if issparse(X) or not hasattr(X, "__len__"):
        return None
    some_rows = (X.iloc if hasattr(X, "iloc") else X)[:: max(1, len(X) // _ROWS_LOOKED_AT)]
    values = np.asarray(some_rows)
    if values.dtype.kind not in "buif" or values.ndim != 2 or values.shape[1] < _FEWEST_PIXELS:
        return None
    low, high = values.min(initial=0), values.max(initial=0)
    if -1000 < low < -0.2 and high < 1000:  # a resampled image may fall a little below 0
        return "standardized values"
    if -0.2 <= low <= 0 < high <= 1:
        return "pixels from 0 to 1"
    # in tables of other numbers, some may be as large, but few
    are_pixels = low >= 0 and 16 < high <= 255 and (not reset or np.mean(values > 16) > 0.05)
    return "pixels from 0 to 255" if are_pixels else None


def refuse_misread(X: Any, y: Any = None, sample_weight: Any = None) -> None:
    """Raise ValueError for input that scikit-learn would silently misread.

    It drops the mask of a masked array, reads dates as the integers that store them, parses text as
    numbers, makes text of numbers among it, takes labels in several columns for several outputs,
    and negative weights as they are.
    """
    for name, array in {"X": X, "y": y, "sample_weight": sample_weight}.items():
        if array is None:
            continue
        refuse_mask(array, name)
        kind = None if name == "y" else _not_numeric(array)
        if kind:
            raise ValueError(
                f"{name} must be numeric. Got {kind} instead. Convert them to numbers first."
            )
    if y is not None:
        _refuse_mixture(y)
        refuse_columns(y)
    if sample_weight is not None:
        _refuse_negative(sample_weight)


def _not_numeric(X: Any) -> str | None:
    """What X holds, if NumPy would convert it to numbers though it is none."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "biufc":
        return None
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # rows of several lengths, which scikit-learn refuses
            return None
    dtypes = getattr(X, "dtypes", None)  # one for each column of a DataFrame, one for a Series
    dtypes = list(dtypes) if isinstance(dtypes, Iterable) else [getattr(X, "dtype", None)]
    for dtype in dtypes:
        kind = _NOT_NUMERIC.get(getattr(dtype, "kind", ""))
        if kind:
            return f"{kind} ({dtype})"
    if all(getattr(dtype, "kind", None) in (None, *"biufc") for dtype in dtypes):
        return None
    values = np.asarray(X)  # objects, or categories
    text = any(issubclass(kind, str | bytes) for kind in set(map(type, values.ravel())))
    return f"text ({values.dtype})" if values.dtype == object and text else None


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
    is_list = isinstance(y, list | tuple)
    if not is_list and getattr(getattr(y, "dtype", None), "kind", None) != "O":
        return
    kinds = {type(label).__name__ for label in (y if is_list else np.asarray(y).ravel())}
    if "str" in kinds and len(kinds - {"str_"}) > 1:
        others = ", ".join(sorted(kinds - {"str"}))
        raise ValueError(f"y must hold labels of one kind. Got str and {others} instead.")


def refuse_columns(y: Any) -> None:
    """Raise ValueError for labels in several columns, which have as many outputs."""
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, list | tuple) and y and isinstance(y[0], Sized):
        shape = () if isinstance(y[0], str | bytes) else (len(y), len(y[0]))
    if shape and len(shape) > 1 and tuple(shape[1:]) != (1,):
        raise ValueError(
            f"y should be a 1d array, got an array of shape {tuple(shape)} instead. If it is "
            "one-hot, with a column for each class, pass y.argmax(axis=1)."
        )


def _refuse_negative(sample_weight: Any) -> None:
    """Raise ValueError if a weight is below 0; it is not checked otherwise."""
    weight = np.asarray(sample_weight)
    if weight.dtype == object:
        try:
            weight = weight.astype(np.float64)
        except (TypeError, ValueError):  # no numbers, which check_sample_weight refuses
            return
    if weight.dtype.kind in "if" and (weight < 0).any():
        raise ValueError(
            f"sample_weight must be at least 0. Got {np.count_nonzero(weight < 0)} negative values "
            f"instead, the least of them {weight.min()}. To leave rows out, give them weight 0."
        )


def check_sample_weight(sample_weight: Any, X: Any, dtype: Any = np.float64) -> NDArray[Any]:
    """The weight of each row of X, checked: finite, at least 0, not all 0; ones for None.

    Parameters
    ----------
    sample_weight : array-like of numbers, shape (n_samples,), number or None
    X : array, shape (n_samples, n_features)
    dtype : dtype, default=float64
        The result's.

    Returns
    -------
    ndarray of ``dtype``, shape (n_samples,)

    Raises
    ------
    ValueError
        If the weights are anything else.

    Examples
    --------
    >>> check_sample_weight([2, 1], [[0.0], [1.0]])
    array([2., 1.])
    """
    refuse_misread(None, sample_weight=sample_weight)
    with overflow_ignored():
        weight: NDArray[Any] = _check_sample_weight(sample_weight, X, dtype=dtype)
    return weight


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


def check_name(name: object, known: Iterable[str], what: str) -> None:
    """Raise ValueError unless ``name`` is one of ``known``.

    Examples
    --------
    >>> check_name("forrest", ("forest", "network"), "model")
    Traceback (most recent call last):
    ...
    ValueError: model must be one of 'forest', 'network'. Got 'forrest' instead. Did you mean...
    """
    known = tuple(known)
    if name in known:
        return
    near = difflib.get_close_matches(str(name), {str(one): one for one in known}, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(repr(one) for one in known)
    raise ValueError(f"{what} must be one of {names}. Got {name!r} instead.{hint}")


def current_name(name: str) -> str:
    """``"classic"`` for ``"report"``, as recipe and split were called before, with a warning."""
    if name != "report":
        return name
    warn_user(FutureWarning("'report' is called 'classic' now; the next release refuses it."))
    return "classic"


def some(things: Sequence[object]) -> str:
    """The first five, and how many more there are.

    Examples
    --------
    >>> some("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    shown = ", ".join(str(thing) for thing in things[:5])
    return shown if len(things) <= 5 else f"{shown} and {len(things) - 5} more"


def warn_user(warning: Warning) -> None:
    """Give a warning at the user's line, however deep in here or in scikit-learn it is found."""
    warnings.warn(warning, stacklevel=_levels_to_user())


def _levels_to_user() -> int:
    """The stacklevel, for :func:`warn_user`, of the first caller outside these libraries."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame, levels = frame.f_back, levels + 1
    return levels


class RestoredOnError:
    """Give an estimator back its attributes if the block ends with an error or Ctrl-C.

    scikit-learn's ``fit`` sets one attribute after another. If it is interrupted, old and new ones
    are mixed, and the estimator may predict without complaint, but wrongly.

    Parameters
    ----------
    estimator : estimator
        Its attributes are restored; lists, which may have grown in place, with their old contents.

    Examples
    --------
    >>> from mnist_models.preprocessing import Standardize
    >>> standardize = Standardize().fit([[1.0], [3.0]])
    >>> try:
    ...     with RestoredOnError(standardize):
    ...         standardize.mean_ = None
    ...         raise MemoryError
    ... except MemoryError:
    ...     print(standardize.mean_)
    [2.]
    """

    # A class, not a generator: no instant between entering and leaving is left unprotected.
    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._before = {
            name: value.copy() if type(value) is list else value
            for name, value in vars(estimator).items()
        }

    def __enter__(self) -> None:
        """Do nothing: the attributes were saved on construction."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore all attributes in one step after an error."""
        if kind is not None:
            self._estimator.__dict__ = self._before
