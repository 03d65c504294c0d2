"""Evaluate one model, or several on the same folds. Every fold is fitted once."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mnist_models._preflight.check import preflight
from mnist_models._progress import Step, track_progress
from mnist_models._running.assembly import assemble, identity_of, origins_of
from mnist_models._running.checkpoint import open_checkpoint
from mnist_models._running.fitting import Scoring, final_estimator
from mnist_models._running.input import (
    CV,
    check_data,
    check_models,
    check_repeatable,
    check_run_options,
    make_folds,
)
from mnist_models._running.run import make_all, make_tasks
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
    executor: Executor | None = None,
    timeout: float | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: bool | Callable[[Step], None] | None = None,
    ignore: Sequence[str] = (),
) -> Evaluation:
    """Cross-validate a classifier, keep its out-of-fold predictions, and test it.

    Each fold is fitted once and gives its score *and* its out-of-fold predictions: report,
    confusion matrix and scores come from the same fits. With ``test``, the model is fitted once
    more on all of X, and report and matrix are those of the test set.

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
        rows. They do not weigh the rows in scores and report.
    random_state : int, RandomState instance or None, default=0
        Shuffles the folds. It does not seed the model, which has a ``random_state`` of its own.
    n_jobs : int, default=None
        Number of fits at a time, each in a worker process with its share of the cores; at most
        as many as there are cores, which is what -1 means. None is 1: one fit after the other, in
        this process. With ``executor``: how many fits are submitted to it at a time; None: as many
        as it can run.
    executor : concurrent.futures.Executor, default=None
        Runs the fits, each with one thread: a pool of threads or processes, or
        ``client.get_executor()`` of a Dask cluster.
    timeout : float, default=None
        Seconds that a fit may take, counted from when it begins; a fit that takes longer is lost.
        With ``n_jobs=None``, fits then run in one worker process, which can be killed.
    checkpoint : str or path-like, default=None
        A folder in which every finished fit is kept. If the run is interrupted, the same call
        resumes it and gives the same result.
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
        Scores, report, confusion matrix and misclassified rows, all of the same fits.

    Raises
    ------
    TypeError
        If the model is not a classifier; with a checkpoint, if a later run could not tell whether
        a parameter or the scorer is the same.
    ValueError
        If X, y, the test set, ``params`` or the folds do not fit together.
    ResumeMismatchError, CheckpointInUseError
        If the checkpoint is of another run, or in use by one.
    WorkerLostError
        If a worker died twice on the same fit, or a fit took longer than ``timeout``. All other
        fits are finished first.

    Warns
    -----
    PreflightWarning
        Before the first fit, for everything found that would make the results misleading: its
        name, what was found and the remedy.
    RuntimeWarning
        If ``predict_proba`` gives values that are not finite: no probabilities are then reported.

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
    accuracy: 0.9... ± 0.0... over 3 folds, 95 % interval 0.9... to 0.9...
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
        executor=executor,
        timeout=timeout,
        checkpoint=checkpoint,
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
    executor: Executor | None = None,
    timeout: float | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: bool | Callable[[Step], None] | None = None,
    ignore: Sequence[str] = (),
) -> Comparison:
    """Evaluate several classifiers on the same folds.

    Parameters
    ----------
    models : dict of str to classifier
        The models by their names.
    X : array-like or DataFrame, shape (n_samples, n_features)
        The training rows. This and all other parameters are the same for all models, and are
        described in full at :func:`evaluate`.
    y : array-like, shape (n_samples,)
        Their labels.
    test : tuple (X_test, y_test), default=None
        A test set, used only by each model's fit on all of X.
    cv : int, splitter or iterable, default=5
        The folds; an int means that many stratified folds.
    scoring : str, callable or None, default="accuracy"
        A scikit-learn scorer; None uses each model's own ``score``.
    params : dict of str to array-like, shape (n_samples, ...), default=None
        More arguments for ``fit``, each with a value for every row of X.
    random_state : int, RandomState instance or None, default=0
        Shuffles the folds.
    n_jobs : int, default=None
        Number of fits at a time; None is 1, -1 as many as there are cores.
    executor : concurrent.futures.Executor, default=None
        Runs the fits, in place of worker processes.
    timeout : float, default=None
        Seconds that a fit may take.
    checkpoint : str or path-like, default=None
        A folder in which every finished fit is kept.
    progress : bool or callable, default=None
        Whether to show progress, or what to call with each :class:`mnist_models.Step`.
    ignore : sequence of str, default=()
        Names of warnings to leave out.

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
    ResumeMismatchError, CheckpointInUseError, WorkerLostError
        As for :func:`evaluate`.

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
    options = check_run_options(n_jobs, executor, timeout)
    if checkpoint is not None:
        check_repeatable(cv, random_state)
    data = check_data(X, y, test, params)
    folds = make_folds(data, cv, random_state)
    preflight(models, data, folds, ignore)
    tasks = make_tasks(models, folds, test is not None, scoring)
    score_name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    origins = origins_of(models, data, folds, random_state)
    opened = (
        nullcontext()
        if checkpoint is None
        else open_checkpoint(checkpoint, identity_of(models, scoring, origins))
    )
    with opened as kept, track_progress(progress, [task.name for task in tasks]) as notify:
        outcomes, lost = make_all(tasks, data, options, kept, notify)
    evaluations = {}
    for name, origin in origins.items():
        of_model = [str(task) for task in tasks if task.name == name]
        if not lost.keys() & of_model:
            complete = [outcomes[task] for task in of_model]
            evaluations[name] = assemble(name, score_name, data, folds, complete, origin)
    if lost:
        raise _lost_error(lost, len(tasks), checkpoint, evaluations)
    return Comparison(evaluations)


def _lost_error(
    lost: dict[str, str],
    n_fits: int,
    checkpoint: str | PathLike[str] | None,
    finished: dict[str, Evaluation],
) -> WorkerLostError:
    each = "; ".join(f"{name}: {reason}" for name, reason in lost.items())
    remedy = (
        "Give checkpoint=FOLDER, so that the others need not be fitted again; fewer n_jobs leave "
        "each more memory."
        if checkpoint is None
        else f"The others are kept in {checkpoint}: the same call tries only these again."
    )
    message = f"{len(lost)} of {n_fits} fits were lost. {each}. {remedy}"
    return WorkerLostError(message, lost, finished)
