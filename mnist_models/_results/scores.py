"""What the name of a scikit-learn score tells about its values."""

import re

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float]
SHARE: Bounds = (0.0, 1.0)
ANY: Bounds = (-np.inf, np.inf)

# shares, and means of shares: their differences are percentage points
_SHARES = re.compile(r"((balanced_|top_k_)?accuracy|(precision|recall|f1|jaccard)(_\w+)?)$")

_BOUNDS = {
    _SHARES: SHARE,
    re.compile(r"(roc_auc(_\w+)?|average_precision)$"): SHARE,
    re.compile(r"matthews_corrcoef$"): (-1.0, 1.0),
    re.compile(r"neg_\w+$"): (-np.inf, 0.0),
}


def score_bounds(name: str, scores: NDArray[np.float64]) -> Bounds:
    """The least and the greatest possible value of a score; infinite where unknown.

    Parameters
    ----------
    name : str
        The score's name.
    scores : ndarray of float
        Some of its values. A scorer of the caller's may have any name: one value out of bounds
        shows that it is not scikit-learn's. NaN is ignored.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> score_bounds("roc_auc_ovr", np.array([0.98, 0.99]))
    (0.0, 1.0)
    >>> score_bounds("recall_per_minute", np.array([12.0, 15.0]))
    (-inf, inf)
    """
    finite = scores[np.isfinite(scores)]
    for known, (low, high) in _BOUNDS.items():
        if known.match(name) and np.all((finite >= low) & (finite <= high)):
            return low, high
    return ANY


def is_share(name: str, scores: NDArray[np.float64]) -> bool:
    """Whether a score is a share, such as recall: differences are then percentage points.

    Examples
    --------
    >>> is_share("f1_macro", np.array([0.9])), is_share("roc_auc", np.array([0.9]))
    (True, False)
    """
    return bool(_SHARES.match(name)) and score_bounds(name, scores) == SHARE
