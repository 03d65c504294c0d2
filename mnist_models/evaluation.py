"""Evaluate one model, or several on the same folds. Every fold is fitted once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_models import _preflight
from mnist_models._checkpoint import Checkpoint, open_checkpoint
from mnist_models._engine import Asked, Hearing, Lost, make_fits
from mnist_models._evaluation_input import (
    CV,
    Folds,
    check_asked,
    check_data,
    check_models,
    make_folds,
)
from mnist_models._fitting import Data, Outcome, Scoring, Task, final_estimator
from mnist_models._progress import Step, Teller, told
from mnist_models._provenance import described, parameters_of, sha256_of, versions
from mnist_models.comparison import Comparison
from mnist_models.exceptions import WorkerLostError
from mnist_models.results import Evaluation, Provenance

# Parameters that do not change what a fit comes to.
_WITHOUT_EFFECT = {"n_jobs", "verbose", "memory"}


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
    executor: Executor | None = None,
    timeout: float | None = None,
    checkpoint: str | PathLike[str] | None = None,
    progress: bool | Callable[[Step], None] | None = None,
    ignore: Sequence[str] = (),
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
        Fits at a time, each in a process of its own that has its share of the cores; None is 1,
        here, and -1 as many as there are cores. With ``executor``: how many are given to it at a
        time; None: all.
    executor : concurrent.futures.Executor, default=None
        What makes the fits, each with one thread: a pool of threads or processes, or
        ``client.get_executor()`` of a Dask cluster.
    timeout : float, default=None
        Seconds that a fit may take, from when its worker has it; one that takes longer is lost.
    checkpoint : str or path-like, default=None
        A folder where every finished fit is kept. The same call, after whatever ended the first,
        goes on from there and comes to the same result.
    progress : bool or callable, default=None
        Show how far it is on standard error; None: if that is a terminal. A callable is called
        instead, with a :class:`mnist_models.Step` for whatever happens.
    ignore : sequence of str, default=()
        Warnings to leave out: ``"many-classes"``, ``"few-rows"``, ``"class-missing"``,
        ``"unstratified-folds"``, ``"duplicate-rows"``, ``"scaled-outside"``, ``"unseeded"``.

    Returns
    -------
    Evaluation

    Raises
    ------
    TypeError
        If the model is not a classifier.
    ValueError
        If X, y, the test set or the folds do not fit together.
    ResumeMismatchError, CheckpointInUseError
        If the checkpoint is of a run that differs, or another run is at work on it.
    WorkerLostError
        If a worker died twice on the same fit, or a fit took longer than ``timeout``. All others
        are finished first.

    Warns
    -----
    PreflightWarning
        Before the first fit, if something would mislead: for each finding its name, what was found
        and the remedy.

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
        The models and what to call them.
    X, y, test, cv, scoring, random_state, n_jobs, executor, timeout, checkpoint, progress, ignore
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
    asked = check_asked(n_jobs, executor, timeout)
    data = check_data(X, y, test)
    folds = make_folds(data, cv, random_state)
    _preflight.check(models, data, folds, ignore)
    tasks = _make_tasks(models, folds, test is not None, scoring)
    score_name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    origins = _origins(models, data, folds, random_state)
    with (
        open_checkpoint(checkpoint, _identity(scoring, origins)) as kept,
        told(progress, [task.name for task in tasks]) as tell,
    ):
        outcomes, lost = _make_all(tasks, data, asked, kept, tell)
    size = len(tasks) // len(models)
    evaluations = {}
    for i, (name, origin) in enumerate(origins.items()):
        mine = [outcomes.get(number) for number in range(i * size, (i + 1) * size)]
        whole = [outcome for outcome in mine if outcome is not None]
        if len(whole) == size:
            evaluations[name] = _assemble(name, score_name, data, folds, whole, origin)
    if lost:
        raise _lost_error(lost, len(tasks), checkpoint, evaluations)
    return Comparison(evaluations)


def _make_tasks(
    models: Mapping[str, Any], folds: Folds, tested: bool, scoring: Scoring
) -> list[Task]:
    """Every model's folds, then its fit on all rows if there is a test set."""
    tasks = []
    for name, model in models.items():
        tasks += [
            Task(name, model, number, fold, scoring, reported=not tested)
            for number, fold in enumerate(folds)
        ]
        if tested:
            tasks.append(Task(name, model, len(folds), None, scoring, reported=True))
    return tasks


def _make_all(
    tasks: list[Task], data: Data, asked: Asked, kept: Checkpoint, tell: Teller
) -> tuple[dict[int, Outcome], dict[str, str]]:
    """The outcome of every task by its place in the list, and what became of those that have none.

    What the checkpoint has is taken from there; what is fitted is put there.
    """
    outcomes, lost = kept.finished(tasks), {}
    for number in outcomes:
        tell("kept", tasks[number])
    numbers = {id(task): number for number, task in enumerate(tasks) if number not in outcomes}
    todo = [tasks[number] for number in numbers.values()]
    hearing = Hearing(partial(tell, "begun"), partial(tell, "epoch"))
    for task, outcome in make_fits(todo, data, asked, hearing):
        if isinstance(outcome, Lost):
            lost[str(task)] = outcome.reason
            tell("lost", task)
            continue
        number = numbers[id(task)]
        kept.keep(number, task, outcome)
        outcomes[number] = outcome
        tell("finished", task)
    return outcomes, lost


def _origins(
    models: Mapping[str, Any], data: Data, folds: Folds, random_state: Any
) -> dict[str, Provenance]:
    """What each model's results come from."""
    shared = Provenance(
        data_sha256=sha256_of([data.X, data.y, *(data.test or ())]),
        folds_sha256=sha256_of(rows for fold in folds for rows in fold),
        random_state=described(random_state),
        parameters={},
        versions=versions(),
    )
    return {
        name: replace(shared, parameters=parameters_of(model)) for name, model in models.items()
    }


def _identity(scoring: Scoring, origins: Mapping[str, Provenance]) -> dict[str, Any]:
    """What must be the same for a run to go on from where it was: all that decides its results."""
    shared = asdict(next(iter(origins.values())))
    del shared["parameters"]
    models = {
        name: {
            key: value
            for key, value in origin.parameters.items()
            if key.split("__")[-1] not in _WITHOUT_EFFECT
        }
        for name, origin in origins.items()
    }
    return shared | {"scoring": described(scoring), "models": models}


def _lost_error(
    lost: dict[str, str],
    n_fits: int,
    checkpoint: Any,
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


def _assemble(
    name: str,
    scoring: str,
    data: Data,
    folds: Folds,
    outcomes: list[Outcome],
    origin: Provenance,
) -> Evaluation:
    in_folds, after = outcomes[: len(folds)], outcomes[len(folds) :]
    order = np.argsort(np.concatenate([held_out for _, held_out in folds]))
    predictions = np.concatenate([outcome.predictions for outcome in in_folds])
    y_test = None if data.test is None else data.test[1]
    # what a model answers counts too: it may have a label of its own, as for "none of these"
    labels = [data.y, predictions, *([] if y_test is None else [y_test, after[0].predictions])]
    classes = np.unique(np.concatenate(labels))
    chances = _stack(after or in_folds, classes)
    return Evaluation(
        model_name=name,
        scoring=scoring,
        classes=classes,
        y=data.y,
        out_of_fold=predictions[order],
        folds=tuple(outcome.fit for outcome in in_folds),
        y_test=y_test,
        test_predictions=after[0].predictions if after else None,
        test=after[0].fit if after else None,
        probabilities=chances if after or chances is None else chances[order],
        provenance=origin,
    )


def _stack(outcomes: Iterable[Outcome], classes: NDArray[Any]) -> NDArray[np.float32] | None:
    """Probabilities with a column for every class: 0 where a model had not seen it."""
    stacked = []
    for outcome in outcomes:
        if outcome.probabilities is None or outcome.known is None:
            return None
        chances = np.zeros((len(outcome.probabilities), len(classes)), dtype=np.float32)
        chances[:, np.searchsorted(classes, outcome.known)] = outcome.probabilities
        stacked.append(chances)
    return np.concatenate(stacked)
