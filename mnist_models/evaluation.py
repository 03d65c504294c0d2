"""Evaluate one model, or several on the same folds. Every fold is fitted once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets

from mnist_models._fits import (
    CV,
    Data,
    Memory,
    Records,
    Run,
    Scoring,
    assemble,
    final_estimator,
    make_folds,
    make_tasks,
    origins_of,
)
from mnist_models._preflight import preflight
from mnist_models._progress import Step, track_progress
from mnist_models._validation import refuse_columns, refuse_mask
from mnist_models.comparison import Comparison
from mnist_models.exceptions import WorkerLostError
from mnist_models.results import Evaluation


def evaluate(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    test: tuple[Any, ArrayLike] | None = None,
    cv: CV = 5,
    scoring: Scoring = "accuracy",
    params: Mapping[str, ArrayLike] | None = None,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    timeout: float | None = None,
    memory: Memory = None,
    progress: bool | Callable[[Step], None] | None = None,
    ignore: Sequence[str] = (),
) -> Evaluation:
    """Cross-validate a classifier, keep its out-of-fold predictions, and test it.

    Each fold is fitted once and gives its score *and* its out-of-fold predictions: scores,
    classification report and confusion matrix come from the same fits. With ``test``, the model
    is fitted once more on all of X, and report and matrix are those of the test set.

    Parameters
    ----------
    model : classifier
        Any scikit-learn classifier, Pipeline or search. It is cloned, never changed.
    X : array-like or DataFrame, shape (n_samples, n_features)
        The training rows.
    y : array-like, shape (n_samples,)
        Their labels.
    test : tuple (X_test, y_test), default=None
        A test set, used only by the fit on all of X.
    cv : int, splitter or iterable, default=5
        An int means that many stratified folds, shuffled by ``random_state``. Anything else must
        test every row exactly once.
    scoring : str, callable or None, default="accuracy"
        A scikit-learn scorer; None uses the model's own ``score``.
    params : dict of str to array-like, shape (n_samples, ...), default=None
        More arguments for ``fit``, each with a value for every row of X:
        ``{"sample_weight": weights}``, or for a Pipeline of :func:`make_model`
        ``{"classify__sample_weight": weights}``. Each fold's fit gets the values of its training
        rows. They do not weigh the rows in scores and classification report.
    random_state : int, RandomState instance or None, default=0
        Shuffles the folds. It does not seed the model, which has a ``random_state`` of its own.
    n_jobs : int, default=None
        Number of fits at a time, as in all of scikit-learn: None is 1 unless
        ``joblib.parallel_config`` says otherwise, -1 is one for each core. Its ``backend`` says
        where they run: in worker processes, in threads or on a cluster.
    timeout : float, default=None
        Seconds that a fit may take; one that takes longer is lost, and the others are finished.
        With ``n_jobs=None``, fits then run in a worker process, which can be ended.
    memory : str, path-like or joblib.Memory, default=None
        A folder in which every finished fit is kept. The same call later fits only what had not
        finished, or has changed since. Give only a folder that nobody else writes to: reading it
        runs what pickles in it say.
    progress : bool or callable, default=None
        Whether to show progress on standard error. None: only if that is a terminal. True: also
        elsewhere, as a line for every finished fit. A callable is called instead, with a
        :class:`mnist_models.Step` for every event.
    ignore : sequence of str, default=()
        Names of warnings to leave out: ``"many-classes"``, ``"few-rows"``, ``"class-missing"``,
        ``"unstratified-folds"``, ``"duplicate-rows"``, ``"scaled-outside"``, ``"unseeded"``.

    Returns
    -------
    Evaluation
        Scores, classification report, confusion matrix and misread rows, all of the same fits.

    Raises
    ------
    TypeError
        If the model is not a classifier; with ``memory``, if a later run could not tell whether a
        parameter or the scorer is the same.
    ValueError
        If X, y, the test set, ``params`` or the folds do not fit together.
    WorkerLostError
        If a worker died twice of the same fit, or a fit took longer than ``timeout``. All other
        fits are finished first.

    Warns
    -----
    PreflightWarning
        Before the first fit, for everything found that would make the results misleading: its
        name, what was found and the remedy.
    RuntimeWarning
        If ``predict_proba`` gives values that are not finite: no probabilities are then reported.
        If a fit that ``memory`` keeps is damaged: it is made again.

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
    accuracy: 0.9... ± 0.0... over 3 folds, 95 % interval 0.9... to ...
    test accuracy: 0.9..., 95 % interval 0.9... to 0.9...
    ...
    """
    name = type(final_estimator(model)).__name__
    comparison = compare(
        {name: model},
        X,
        y,
        test=test,
        cv=cv,
        scoring=scoring,
        params=params,
        random_state=random_state,
        n_jobs=n_jobs,
        timeout=timeout,
        memory=memory,
        progress=progress,
        ignore=ignore,
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
    params: Mapping[str, ArrayLike] | None = None,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    timeout: float | None = None,
    memory: Memory = None,
    progress: bool | Callable[[Step], None] | None = None,
    ignore: Sequence[str] = (),
) -> Comparison:
    """Evaluate several classifiers on the same folds.

    Parameters
    ----------
    models : dict of str to classifier
        The models by their names.
    X, y, test, cv, scoring, params, random_state, n_jobs, timeout, memory, progress, ignore : any
        The same for all models: see :func:`evaluate`, and also for what may be raised.

    Returns
    -------
    Comparison
        A mapping from name to :class:`Evaluation`.

    Examples
    --------
    >>> from mnist_models import compare, load_sample_digits, make_model
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> models = {name: make_model(name, random_state=0) for name in ("logistic", "forest")}
    >>> print(compare(models, digits.data, digits.target))
    model     CV accuracy      out-of-fold accuracy (95 % CI)  fit      predict
    ...
    """
    check_models(models, scoring)
    check_options(n_jobs, timeout, memory, cv, random_state)
    data = check_data(X, y, test, params)
    folds = make_folds(data, cv, random_state)
    preflight(models, data, folds, ignore)
    origins = origins_of(models, data, folds, random_state)
    tasks = make_tasks(models, folds, test is not None, scoring)
    with track_progress(progress, [task.name for task in tasks]) as notify:
        run = Run(data, Records(memory, origins), notify)
        run.make(tasks, n_jobs, timeout)
    evaluations = {}
    for name, origin in origins.items():
        of_model = [str(task) for task in tasks if task.name == name]
        if not run.lost.keys() & of_model:
            results = [run.results[task] for task in of_model]
            evaluations[name] = assemble(name, scoring, data, folds, results, origin)
    if run.lost:
        raise lost_error(run.lost, len(tasks), memory, evaluations)
    return Comparison(evaluations)


def lost_error(
    lost: dict[str, str], n_fits: int, memory: Memory, finished: dict[str, Evaluation]
) -> WorkerLostError:
    """The error that names the lost fits, says what to do, and carries what finished."""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in lost.items())
    remedy = (
        "Give memory=FOLDER, so that the others need not be fitted again; fewer n_jobs leave "
        "more memory for each fit."
        if memory is None
        else "The others are kept in memory: the same call tries only these again."
    )
    message = f"{len(lost)} of {n_fits} fits were lost. {reasons}. {remedy}"
    return WorkerLostError(message, lost, finished)


# -- checks of what was given ----------------------------------------------------------------------


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


def check_options(n_jobs: Any, timeout: Any, memory: Any, cv: Any, random_state: Any) -> None:
    """Raise where one has no such value, or if every call would make other folds to keep."""
    if not (n_jobs is None or (isinstance(n_jobs, int | np.integer) and n_jobs != 0)):
        raise ValueError(f"n_jobs must be None or an int other than 0. Got {n_jobs!r} instead.")
    if not (timeout is None or (isinstance(timeout, int | float | np.number) and timeout > 0)):
        raise ValueError(f"timeout must be None or seconds above 0. Got {timeout!r} instead.")
    shuffled = isinstance(cv, int | np.integer) or getattr(cv, "shuffle", False)
    if memory is not None and shuffled and getattr(cv, "random_state", random_state) is None:
        raise ValueError(
            "With memory, the folds must be the same at every call. Got random_state=None, "
            "which shuffles them anew. Pass random_state=0, or any int."
        )


def check_data(
    X: Any,
    y: ArrayLike,
    test: tuple[Any, ArrayLike] | None,
    params: Mapping[str, ArrayLike] | None,
) -> Data:
    """The data, or an error where rows, labels, test set and ``params`` do not fit together."""
    X, labels = _check_rows(X, y)
    checked = _check_params({} if params is None else params, len(labels))
    if test is None:
        return Data(X, labels, params=checked)
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
    return Data(X, labels, X_test, y_test, checked)


def _check_rows(X: Any, y: ArrayLike) -> tuple[Any, NDArray[Any]]:
    refuse_mask(X, "X")
    refuse_mask(y, "y")
    refuse_columns(y)
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
