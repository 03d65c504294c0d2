"""The arguments of evaluate, checked, and the folds made from them."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import BaseCrossValidator, StratifiedKFold, check_cv
from sklearn.utils import column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets

from mnist_models._rows import refuse_mask
from mnist_models._running.engine import RunOptions
from mnist_models._running.fitting import Data, Labels, Rows, Scoring

Folds: TypeAlias = list[tuple[Rows, Rows]]
CV: TypeAlias = "int | BaseCrossValidator | Iterable[tuple[ArrayLike, ArrayLike]]"


def check_data(
    X: Any,
    y: ArrayLike,
    test: tuple[Any, ArrayLike] | None,
    params: Mapping[str, ArrayLike] | None = None,
) -> Data:
    """The data, or an error where rows, labels, test set and ``params`` do not fit together."""
    X, labels = _check_rows(X, y)
    tested = None if test is None else _check_test(test, X)
    return Data(X, labels, tested, _check_params({} if params is None else params, len(labels)))


def check_models(models: Mapping[str, Any], scoring: Scoring) -> None:
    """Raise unless they are named classifiers and the scorer suits them."""
    if not isinstance(models, Mapping) or not models:
        raise ValueError(
            f"models must map names to classifiers, at least one. Got {models!r} instead."
        )
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(f"scoring must be one scorer: a str or callable. Got {scoring!r} instead.")
    for name, model in models.items():
        if not isinstance(name, str):
            raise TypeError(f"models must be named by strings. Got {name!r} instead.")
        if not (hasattr(model, "fit") and is_classifier(model)):
            raise TypeError(
                f"{name!r} must be a scikit-learn classifier (is_classifier of it is False). "
                f"Got {model!r} instead."
            )
        check_scoring(model, scoring=scoring)  # before any fit: it may be misspelt


def check_repeatable(cv: CV, random_state: Any) -> None:
    """Raise if every call makes other folds, so that a checkpoint cannot be resumed."""
    shuffled = isinstance(cv, int | np.integer) or getattr(cv, "shuffle", False)
    if shuffled and getattr(cv, "random_state", random_state) is None:
        raise ValueError(
            "With checkpoint, the folds must be the same at every call. Got random_state=None, "
            "which shuffles them anew. Pass random_state=0, or any int."
        )


def check_run_options(n_jobs: Any, executor: Any, timeout: Any) -> RunOptions:
    """The options, or an error where one has no such value."""
    if not (n_jobs is None or (isinstance(n_jobs, int | np.integer) and n_jobs != 0)):
        raise ValueError(f"n_jobs must be None or an int other than 0. Got {n_jobs!r} instead.")
    if not (executor is None or isinstance(executor, Executor)):
        raise TypeError(
            "executor must be a concurrent.futures.Executor (of a Dask client, "
            f"client.get_executor()). Got {executor!r} instead."
        )
    if not (timeout is None or (isinstance(timeout, int | float | np.number) and timeout > 0)):
        raise ValueError(f"timeout must be None or seconds above 0. Got {timeout!r} instead.")
    return RunOptions(
        None if n_jobs is None else int(n_jobs),
        executor,
        None if timeout is None else float(timeout),
    )


def make_folds(data: Data, cv: CV, random_state: int | np.random.RandomState | None) -> Folds:
    """Folds that test every row once; an int for ``cv`` makes stratified, shuffled ones."""
    if isinstance(cv, int | np.integer):
        cv = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():  # _preflight warns of this, too
        warnings.filterwarnings("ignore", "The least populated class in y has only", UserWarning)
        folds = [
            (np.asarray(train), np.asarray(held_out))
            for train, held_out in check_cv(cv, data.y, classifier=True).split(data.X, data.y)
        ]
    tested = np.sort(np.concatenate([[], *(held_out for _, held_out in folds)]))
    n_rows = len(data.y)
    if not np.array_equal(tested, np.arange(n_rows)):
        raise ValueError(
            "cv must test every row of X exactly once, so that the out-of-fold predictions are "
            f"complete. Got folds that test {len(tested)} rows, {len(np.unique(tested))} of them "
            f"different, for {n_rows} rows. Use an int, or KFold's kind of splitter."
        )
    n_leaked = sum(_n_shared(*fold, n_rows) for fold in folds)
    if n_leaked:
        raise ValueError(
            "cv must test every row by a model that was not fitted on it. Got folds that also "
            f"train on {n_leaked} of the {n_rows} rows they test. Take those out of the training "
            "parts, or use an int."
        )
    return folds


def _n_shared(train: Rows, held_out: Rows, n_rows: int) -> int:
    in_train = np.zeros(n_rows, dtype=bool)
    in_train[train] = True
    return int(np.count_nonzero(in_train[held_out]))


def _check_rows(X: Any, y: ArrayLike) -> tuple[Any, Labels]:
    refuse_mask(X, "X")
    refuse_mask(y, "y")
    X, labels = indexable(X if hasattr(X, "shape") else np.asarray(X), column_or_1d(y))
    if not len(labels):
        raise ValueError("X and y must have a row or more, and so must those of test. Got none.")
    check_classification_targets(labels)
    return X, labels


def _check_params(params: Mapping[str, ArrayLike], n_rows: int) -> dict[str, NDArray[Any]]:
    if not isinstance(params, Mapping):
        raise TypeError(
            "params must map names, as fit has them, to arrays. "
            f"Got {type(params).__name__} instead."
        )
    checked = {}
    for name, values in params.items():
        refuse_mask(values, name)
        array = np.asarray(values)
        if array.shape[:1] != (n_rows,):
            raise ValueError(
                f"params[{name!r}] must have a value for each of the {n_rows} rows of X. "
                f"Got shape {array.shape} instead."
            )
        checked[str(name)] = array
    return checked


def _check_test(test: tuple[Any, ArrayLike], X: Any) -> tuple[Any, Labels]:
    if not isinstance(test, Sequence) or len(test) != 2:
        length = f" of length {len(test)}" if isinstance(test, Sequence) else ""
        raise ValueError(
            f"test must be a tuple (X_test, y_test). Got {type(test).__name__}{length} instead."
        )
    X_test, y_test = _check_rows(*test)
    if X_test.shape[1:] != X.shape[1:]:
        raise ValueError(
            f"X_test must have rows of shape {X.shape[1:]}, as X has. "
            f"Got {X_test.shape[1:]} instead."
        )
    return X_test, y_test
