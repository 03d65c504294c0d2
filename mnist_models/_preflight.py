"""Warn before a long run of what would make its results misleading.

A check returns what it found, with the remedy, or None. False alarms would make users switch
warnings off, so each check has a threshold below which a finding cannot change a conclusion, or may
well be chance.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.stats import chi2_contingency

from mnist_models._fits import Data, Folds, Labels
from mnist_models._validation import check_name, some, warn_user
from mnist_models.exceptions import PreflightWarning

_MOST_CLASSES = 20  # more are too many only if they are over a fifth of the rows
_MOST_DEVIATION = 0.1  # of a fold's class shares from those of y, beyond what chance makes
_FALSE_ALARMS = 1e-4  # how often shuffled folds may be warned of
# A test row that was trained on changes the accuracy by at most 1/n. A smaller share of them than
# this is lost in the rounding of an accuracy to three digits.
_LEAKED = 0.001
# Classes, or bases of classes, that draw random numbers in every fit.
_DRAWING = {"BaseEnsemble", "BaseDecisionTree", "BaseMultilayerPerceptron", "BaseSGD"}
_DRAWING |= {"SequentialClassifier", "KerasClassifier"}


def preflight(models: Mapping[str, Any], data: Data, folds: Folds, ignore: Iterable[str]) -> None:
    """Warn of each finding, but for the checks to ignore, at the line that called the library."""
    checks = {
        "many-classes": lambda: _many_classes(data.y),
        "few-rows": lambda: _few_rows(data.y, folds),
        "class-missing": lambda: _class_missing(data.y, folds),
        "unstratified-folds": lambda: _unstratified(data.y, folds),
        "duplicate-rows": lambda: _duplicate_rows(data, folds),
        "scaled-outside": lambda: _scaled_outside(data),
        "unseeded": lambda: _unseeded(models),
    }
    ignored = [ignore] if isinstance(ignore, str) else list(ignore)
    for name in ignored:
        check_name(name, checks, "each of ignore")
    for name, check in checks.items():
        finding = None if name in ignored else check()
        if finding is not None:
            warn_user(PreflightWarning(f"[{name}] {finding} To silence this: ignore=({name!r},)."))


def _many_classes(y: Labels) -> str | None:
    """Labels that look like numbers on a scale, or like identifiers of rows."""
    n_classes, n_rows = len(np.unique(y)), len(y)
    if n_classes <= max(_MOST_CLASSES, n_rows / 5):
        return None
    return (
        f"y has {n_classes} classes in {n_rows} rows, as numbers on a scale or identifiers have. "
        "If they are on a scale, use a regressor, or bin them; if not, get more rows of each class."
    )


def _few_rows(y: Labels, folds: Folds) -> str | None:
    """Classes that cannot be in every fold. If no class can (LeaveOneOut), that is meant."""
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


def _class_missing(y: Labels, folds: Folds) -> str | None:
    """Rows whose class is not in their fold's training part, but for classes of one row."""
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


def _unstratified(y: Labels, folds: Folds) -> str | None:
    """Folds whose class shares are far from those of y, and farther than chance makes them.

    One chi-square test of all folds together tells chance. A test for each fold would give false
    alarms where a fold has only a row or two of a class: in up to one run of twelve, at 1e-4.
    """
    if not folds or _class_missing(y, folds):
        return None  # the latter warning says the same, and worse
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


def _duplicate_rows(data: Data, folds: Folds) -> str | None:
    """Rows that are tested by a model that was trained on equal ones; of numbers, not sparse."""
    parts = _tables(data)
    dtype = np.result_type(*parts) if parts else np.dtype(object)
    if dtype.hasobject:
        return None
    # 64 bits a row: of a million rows, two different ones agree once in 4·10⁷ runs
    tables = (np.ascontiguousarray(part, dtype=dtype) for part in parts)
    hashed = [hash(row.tobytes()) for table in tables for row in table]
    hashes, codes = np.unique(np.array(hashed, dtype=np.int64), return_inverse=True)
    if len(hashes) == len(codes):
        return None
    in_X, in_test = np.split(codes, [len(data.y)])
    within = sum(int(np.isin(in_X[held_out], in_X[train]).sum()) for train, held_out in folds)
    across = int(np.isin(in_test, in_X).sum())
    found = []
    if across > _LEAKED * len(in_test):
        found.append(f"{across} of {len(in_test)} rows of the test set are also in X.")
    if within > _LEAKED * len(in_X):
        found.append(f"{within} of {len(in_X)} rows of X are in their fold's training part too.")
    if not found or _repeats_by_chance(parts[0]):
        return None
    return (
        f"{' '.join(found)} A model can classify these from memory. Drop the copies "
        "(np.unique(X, axis=0, return_index=True)), or keep them in one fold by GroupKFold."
    )


def _tables(data: Data) -> list[NDArray[Any]]:
    """X, and the test set's, a row for each; nothing if one of them is sparse."""
    parts = [data.X] if data.y_test is None else [data.X, data.X_test]
    if any(issparse(part) for part in parts):
        return []
    return [np.asarray(part).reshape(part.shape[0], -1) for part in parts]


def _repeats_by_chance(rows: NDArray[Any]) -> bool:
    """Whether rows have so few different values that equal rows tell nothing.

    The number of equal pairs is estimated as if columns were independent. They never are: hence
    repeats pass for chance from a millionth of a pair on, not from one pair on.
    """
    sample = rows[:: max(1, len(rows) // 1000)]
    pairs = len(rows) ** 2 / 2
    for column in sample.T:
        _, counts = np.unique(column, return_counts=True)
        pairs *= np.sum(counts * (counts - 1)) / max(1, len(sample) * (len(sample) - 1))
    return bool(pairs > 1e-6)


def _scaled_outside(data: Data) -> str | None:
    """Rows that were standardized before the split, in most columns or in all."""
    parts = _tables(data)
    for name, rows in (("X", parts[:1]), ("X and the test set together", parts)):
        n_scaled, n_varied = _standardized(rows)
        if 0 < n_varied <= 2 * n_scaled:
            columns = "All" if n_scaled == n_varied else f"{n_scaled} of {n_varied}"
            return (
                f"{columns} columns of {name} have mean 0 and standard deviation 1, so they were "
                "scaled before the split, and training has used something of the rows held out. "
                "Give the raw rows, and put the scaler into the model: "
                "make_pipeline(StandardScaler(), model)."
            )
    return None


def _standardized(parts: list[NDArray[Any]]) -> tuple[int, int]:
    """How many columns have mean 0 and standard deviation 1, and how many vary at all.

    They must be a hundred times closer to 0 and 1 than a random sample would be.
    """
    n_rows = sum(len(part) for part in parts)
    if any(part.dtype.kind != "f" for part in parts) or n_rows < 2:
        return 0, 0
    close = 0.01 / np.sqrt(n_rows)
    with np.errstate(invalid="ignore", over="ignore"):  # some models accept NaN and infinity
        means = sum(part.sum(axis=0, dtype=np.float64) for part in parts) / n_rows
        squares = sum(np.einsum("ij,ij->j", part, part, dtype=np.float64) for part in parts)
        # where the mean is 0, the root of the mean square is the standard deviation
        from_1 = np.abs(np.sqrt(squares / n_rows) - 1)
    # 1 / n more, for a variance that was divided by n - 1
    scaled = (np.abs(means) < close) & (from_1 < close + 1 / n_rows)
    if not scaled.any():
        return 0, 0
    varied = np.any([(part != parts[0][0]).any(axis=0) for part in parts], axis=0)
    return int(scaled.sum()), int(varied.sum())


def _unseeded(models: Mapping[str, Any]) -> str | None:
    """Parts of the models that are known to draw random numbers, and have no seed."""
    found = {
        id(part): f"{name!r} ({type(part).__name__})"
        for name, model in models.items()
        for part in _parts(model)
        if getattr(part, "random_state", 0) is None and _DRAWING & _bases(part)
    }
    if not found:
        return None
    return (
        f"{some(list(found.values()))}: random_state is None, so every fit gives another model, "
        "and no run can be repeated. Pass random_state=0, or any int."
    )


def _parts(model: Any) -> list[Any]:
    """A model and those inside it, but for the models of an ensemble, which seeds them itself."""
    parts = {"": model} | {f"__{name}": part for name, part in model.get_params().items()}
    seeded = tuple(f"{name}__" for name, part in parts.items() if "BaseEnsemble" in _bases(part))
    return [part for name, part in parts.items() if not name.startswith(seeded)]


def _bases(part: Any) -> set[str]:
    return {kind.__name__ for kind in type(part).__mro__}
