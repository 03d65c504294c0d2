"""Evaluate one model, or several on the same folds. Every fold is fitted once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import BaseCrossValidator, StratifiedKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed

from mnist_models._progress import progress_bar
from mnist_models.comparison import Comparison
from mnist_models.results import Evaluation, Fit

Rows = NDArray[np.intp]
Folds = list[tuple[Rows, Rows]]
CV: TypeAlias = "int | BaseCrossValidator | Iterable[tuple[ArrayLike, ArrayLike]]"
Scoring = str | Callable[[Any, Any, Any], float] | None
Labels = NDArray[Any]


def evaluate(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    test: tuple[Any, ArrayLike] | None = None,
    cv: CV = 5,
    scoring: Scoring = "accuracy",
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Cross-validate a classifier, keeping what each fold predicted; then test it.

    Each fold is fitted once and gives its score *and* its out-of-fold predictions, so report,
    confusion matrix and scores speak of the same fits. With ``test``, the model is fitted once
    more on all of X, and report and matrix are the test set's.

    Parameters
    ----------
    model : classifier
        Any scikit-learn classifier, Pipeline or search; it is cloned, never changed.
    X : array-like or DataFrame, shape (n_samples, n_features)
        The training rows.
    y : array-like, shape (n_samples,)
        Their labels.
    test : tuple (X_test, y_test), default=None
        A test set, looked at once.
    cv : int, splitter or iterable, default=5
        An int means that many stratified folds, shuffled by ``random_state``. Anything else must
        test every row exactly once.
    scoring : str, callable or None, default="accuracy"
        A scikit-learn scorer; None is the model's own ``score``.
    random_state : int, RandomState instance or None, default=0
        Shuffles the folds. It does not seed the model, which has its own.
    n_jobs : int, default=None
        Fits at a time, in processes of joblib's; None is 1, -1 one for each core.
    progress : bool, default=None
        Show a progress bar on standard error; None: if that is a terminal.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError
        If the model is not a classifier.
    ValueError
        If X, y, the test set or the folds do not fit together.

    See Also
    --------
    compare : Several models on the same folds.

    Examples
    --------
    >>> from mnist_models import evaluate, load_sample_digits, make_model
    >>> X_train, X_test, y_train, y_test = load_sample_digits().split()
    >>> model = make_model("forest", random_state=0)
    >>> evaluation = evaluate(model, X_train, y_train, test=(X_test, y_test), cv=3)
    >>> evaluation.accuracy > 0.95
    True
    >>> print(evaluation)
    RandomForestClassifier
    accuracy: 0.9... ± 0.0... over 3 folds, on the test set 0.9...; fitted in ...
    """
    name = type(_final_estimator(model)).__name__
    comparison = compare(
        {name: model},
        X,
        y,
        test=test,
        cv=cv,
        scoring=scoring,
        random_state=random_state,
        n_jobs=n_jobs,
        progress=progress,
    )
    return comparison[name]


def compare(
    models: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    *,
    test: tuple[Any, ArrayLike] | None = None,
    cv: CV = 5,
    scoring: Scoring = "accuracy",
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Comparison:
    """Evaluate several classifiers on the same folds.

    Parameters
    ----------
    models : dict of str to classifier
        The models and what to call them.
    X, y, test, cv, scoring, random_state, n_jobs, progress
        As for :func:`evaluate`.

    Returns
    -------
    Comparison
        A mapping from name to :class:`Evaluation`.

    Raises
    ------
    TypeError
        If a model is not a classifier.
    ValueError
        If there is no model, or X, y, the test set or the folds do not fit together.

    Examples
    --------
    >>> from mnist_models import compare, load_sample_digits, make_model
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> models = {name: make_model(name, random_state=0) for name in ("logistic", "forest")}
    >>> print(compare(models, digits.data, digits.target))
    model     CV accuracy      out-of-fold accuracy  fit      predict
    ...
    """
    _check_models(models, scoring)
    X, y = _check_rows(X, y)
    test = None if test is None else _check_test(test, X)
    folds = _make_folds(X, y, cv, random_state)
    tasks = [
        _Task(name, model, fold)
        for name, model in models.items()
        for fold in [*folds, *([] if test is None else [None])]
    ]
    outcomes = list(_run(tasks, X, y, test, scoring, n_jobs, progress))
    score_name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    size = len(tasks) // len(models)
    return Comparison(
        {
            name: _assemble(name, score_name, y, test, folds, outcomes[i * size : (i + 1) * size])
            for i, name in enumerate(models)
        }
    )


class _Task(NamedTuple):
    """One fit to do; without a fold it is the one on all of X, for the test set."""

    name: str
    model: Any
    fold: tuple[Rows, Rows] | None


class _Outcome(NamedTuple):
    fit: Fit
    predictions: Labels


def fit_and_predict(
    model: Any,
    X: Any,
    y: Labels,
    test: tuple[Any, Labels] | None,
    fold: tuple[Rows, Rows] | None,
    scoring: Scoring,
) -> _Outcome:
    """Fit a clone on a fold's training rows, or on all, and ask it about the others.

    Parameters
    ----------
    model : classifier
        What to clone.
    X, y : array-like or DataFrame and ndarray
        All training rows.
    test : tuple (X_test, y_test) or None
        The test set, for the task without a fold.
    fold : tuple of ndarray of int, or None
        Training and test rows of X.
    scoring : str, callable or None
        As for :func:`evaluate`.

    Returns
    -------
    outcome : tuple (Fit, predictions)
    """
    if fold is not None:
        train, held_out = fold
        test = take(X, held_out), y[held_out]
        X, y = take(X, train), y[train]
    assert test is not None  # a task without a fold is made only where there is a test set
    X_test, y_test = test
    fitted = clone(model)
    start = perf_counter()
    fitted.fit(X, y)
    fit_seconds = perf_counter() - start
    start = perf_counter()
    predictions = np.asarray(fitted.predict(X_test))
    predict_seconds = perf_counter() - start
    score = float(check_scoring(fitted, scoring=scoring)(fitted, X_test, y_test))
    history = getattr(_final_estimator(fitted), "history_", None)
    best = getattr(_final_estimator(fitted), "best_epoch_", None)
    fit = Fit(score, fit_seconds, predict_seconds, len(y), len(y_test), history, best)
    return _Outcome(fit, predictions)


def take(X: Any, rows: Rows) -> Any:
    """Rows of an array, a sparse matrix or a DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _run(
    tasks: list[_Task],
    X: Any,
    y: Labels,
    test: tuple[Any, Labels] | None,
    scoring: Scoring,
    n_jobs: int | None,
    progress: bool | None,
) -> Iterator[_Outcome]:
    """The outcomes in the order of the tasks, each as soon as it and those before are done."""
    work = (delayed(fit_and_predict)(task.model, X, y, test, task.fold, scoring) for task in tasks)
    outcomes = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    with progress_bar(len(tasks), progress) as advance:
        for task, outcome in zip(tasks, outcomes, strict=True):
            advance(task.name)
            yield outcome


def _assemble(
    name: str,
    scoring: str,
    y: Labels,
    test: tuple[Any, Labels] | None,
    folds: Folds,
    outcomes: list[_Outcome],
) -> Evaluation:
    in_folds, after = outcomes[: len(folds)], outcomes[len(folds) :]
    rows = np.concatenate([held_out for _, held_out in folds])
    predictions = np.concatenate([outcome.predictions for outcome in in_folds])
    y_test = None if test is None else test[1]
    # what a model answers counts too: it may have a label of its own, as for "none of these"
    labels = [y, predictions, *([] if y_test is None else [y_test, after[0].predictions])]
    return Evaluation(
        model_name=name,
        scoring=scoring,
        classes=np.unique(np.concatenate(labels)),
        y=y,
        out_of_fold=predictions[np.argsort(rows)],
        folds=tuple(outcome.fit for outcome in in_folds),
        y_test=y_test,
        test_predictions=after[0].predictions if after else None,
        test=after[0].fit if after else None,
    )


def _make_folds(
    X: Any, y: Labels, cv: CV, random_state: int | np.random.RandomState | None
) -> Folds:
    if isinstance(cv, int | np.integer):
        cv = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    folds = [
        (np.asarray(train), np.asarray(held_out))
        for train, held_out in check_cv(cv, y, classifier=True).split(X, y)
    ]
    tested = np.sort(np.concatenate([[], *(held_out for _, held_out in folds)]))
    if not np.array_equal(tested, np.arange(len(y))):
        raise ValueError(
            "cv must test every row of X exactly once, so that the out-of-fold predictions are "
            f"complete. Got folds that test {len(tested)} rows, {len(np.unique(tested))} of them "
            f"different, for {len(y)} rows. Use an int, or KFold's kind of splitter."
        )
    return folds


def _check_rows(X: Any, y: ArrayLike) -> tuple[Any, Labels]:
    X, labels = indexable(X if hasattr(X, "shape") else np.asarray(X), column_or_1d(y))
    check_classification_targets(labels)
    return X, labels


def _check_test(test: tuple[Any, ArrayLike], X: Any) -> tuple[Any, Labels]:
    if not isinstance(test, Sequence) or len(test) != 2:
        raise ValueError(
            f"test must be a tuple (X_test, y_test). Got {type(test).__name__} instead."
        )
    X_test, y_test = _check_rows(*test)
    if X_test.shape[1:] != X.shape[1:]:
        raise ValueError(
            f"X_test must have rows of shape {X.shape[1:]}, as X has. "
            f"Got {X_test.shape[1:]} instead."
        )
    return X_test, y_test


def _check_models(models: Mapping[str, Any], scoring: Scoring) -> None:
    if not isinstance(models, Mapping) or not models:
        raise ValueError(f"models must map names to classifiers, at least one. Got {models!r}.")
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise ValueError(f"scoring must be one scorer: a str or callable. Got {scoring!r} instead.")
    for name, model in models.items():
        if not is_classifier(model):
            raise TypeError(
                f"{name!r} must be a scikit-learn classifier (is_classifier of it is False). "
                f"Got {model!r} instead."
            )
        check_scoring(model, scoring=scoring)  # a misspelt one costs no fit


def _final_estimator(model: Any) -> Any:
    return model[-1] if isinstance(model, Pipeline) else model
