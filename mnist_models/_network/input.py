"""The input of a network's fit: parameters, labels and weights checked, rows held out."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_scalar

from mnist_models._names import check_name
from mnist_models._rows import overflow_ignored, refuse_mask

# The type, least and greatest value of each number, and which of these bounds are included.
_LIMITS: dict[str, tuple[type, float, float | None, str]] = {
    "l2": (Real, 0, None, "left"),
    "dropout": (Real, 0, 1, "left"),
    "learning_rate": (Real, 0, None, "neither"),
    "ema_momentum": (Real, 0, 1, "left"),
    "shift": (Real, 0, None, "left"),
    "rotation": (Real, 0, 180, "both"),
    "stretch": (Real, 0, 1, "both"),
    "bend": (Real, 0, None, "left"),
    "batch_size": (Integral, 1, None, "left"),
    "epochs": (Integral, 1, None, "left"),
    "patience": (Integral, 0, None, "left"),
    "min_delta": (Real, 0, None, "left"),
    "validation_fraction": (Real, 0, 1, "left"),
    "verbose": (Integral, 0, 2, "both"),
}

_CHOICES = {"architecture": ("dense", "conv"), "schedule": ("constant", "cosine")}


def check_parameters(params: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError for the first parameter that is not as documented."""
    for name, (kind, least, most, closed) in _LIMITS.items():
        value = params[name]
        check_scalar(value, name, kind, min_val=least, max_val=most, include_boundaries=closed)
        if not np.isfinite(value):  # NaN passes the comparisons with both bounds
            raise ValueError(f"{name} must be finite. Got {value} instead.")
    units = params["hidden_units"]
    if isinstance(units, str) or not isinstance(units, Sequence | np.ndarray):
        raise TypeError(f"hidden_units must be a sequence of ints. Got {units!r} instead.")
    for each in units:
        check_scalar(each, "each of hidden_units", Integral, min_val=1)
    for name, known in _CHOICES.items():
        check_name(params[name], known, name)
    weights = params["class_weight"]
    balanced = isinstance(weights, str) and weights == "balanced"
    if not (weights is None or isinstance(weights, dict) or balanced):
        raise TypeError(
            "class_weight must be a dict of labels to weights, 'balanced' or None. "
            f"Got {weights!r} instead."
        )
    for name in ("build_fn", "callbacks"):
        if not (params[name] is None or callable(params[name])):
            raise TypeError(f"{name} must be callable or None. Got {params[name]!r} instead.")


def check_weight(
    sample_weight: ArrayLike | None, class_weight: Any, labels: NDArray[Any]
) -> NDArray[np.float32]:
    """Each row's weight times that of its class; checked to be finite, nonnegative, not all 0."""
    weight = np.ones(len(labels), dtype=np.float32)
    if sample_weight is not None:
        refuse_mask(sample_weight, "sample_weight")
        with overflow_ignored():
            weight = check_array(
                sample_weight, ensure_2d=False, dtype=np.float32, input_name="sample_weight"
            )
    if weight.shape != labels.shape:
        raise ValueError(
            f"sample_weight must have one value for each of the {len(labels)} rows of X. "
            f"Got shape {weight.shape} instead."
        )
    _check_range(weight, "sample_weight")
    if class_weight is None:
        return weight
    with overflow_ignored():
        product = (compute_sample_weight(class_weight, labels) * weight).astype(np.float32)
    _check_range(product, "class_weight times sample_weight")
    return product


def _check_range(weight: NDArray[np.float32], name: str) -> None:
    if not (weight.min() >= 0 and 0 < weight.max() < np.inf):
        raise ValueError(
            f"{name} must be nonnegative, finite in float32 and not all zero. "
            f"Got values from {weight.min()} to {weight.max()} instead."
        )


def encode_labels(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The sorted classes, and the index of each label among them."""
    check_classification_targets(labels)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"Classifier can't train when only one class is present: y holds only {classes[0]!r}, "
            "expected labels of at least two classes."
        )
    return classes, codes


def stratified_holdout(
    codes: NDArray[np.intp],
    weight: NDArray[np.float32],
    fraction: float,
    random_state: np.random.RandomState,
) -> NDArray[np.bool_]:
    """Choose the rows to hold out: a share of each class, at least one row but never all.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Each row's class, 0 to the number of classes less one.
    weight : ndarray of float, shape (n,)
        Each row's weight. Rows of weight 0 are not held out, as they would not count.
    fraction : float
        Share of the rows to hold out, in [0, 1); 0 holds out none.
    random_state : RandomState

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the rows held out.
    """
    held_out = np.zeros(len(codes), dtype=bool)
    if fraction == 0:
        return held_out
    for code in range(codes.max() + 1):
        rows = np.flatnonzero((codes == code) & (weight > 0))
        size = min(len(rows) - 1, max(1, round(fraction * len(rows))))
        held_out[random_state.choice(rows, max(size, 0), replace=False)] = True
    return held_out
