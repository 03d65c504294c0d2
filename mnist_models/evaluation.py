"""Evaluate one model, or several on the same folds. Every fold is fitted once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.parallel import Parallel, delayed

from mnist_models import _preflight
from mnist_models._evaluation_input import CV, Folds, check_data, check_models, make_folds
from mnist_models._fitting import Data, Outcome, Scoring, Task, final_estimator, fit_and_predict
from mnist_models._progress import progress_bar
from mnist_models._provenance import parameters_of, sha256_of, versions
from mnist_models.comparison import Comparison
from mnist_models.results import Evaluation, Provenance


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
        Fits at a time, in processes of joblib's; None is 1, -1 one for each core.
    progress : bool, default=None
        Show a progress bar on standard error; None: if that is a terminal.
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
    accuracy: 0.9... ± 0.0... over 3 folds, on the test set 0.9...; fitted in ...
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
    progress: bool | None = None,
    ignore: Sequence[str] = (),
) -> Comparison:
    """Evaluate several classifiers on the same folds.

    Parameters
    ----------
    models : dict of str to classifier
        The models and what to call them.
    X, y, test, cv, scoring, random_state, n_jobs, progress, ignore
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
    check_models(models, scoring)
    data = check_data(X, y, test)
    folds = make_folds(data, cv, random_state)
    _preflight.check(models, data, folds, ignore)
    tasks = _make_tasks(models, folds, test is not None, scoring)
    outcomes = list(_run(tasks, data, n_jobs, progress))
    origin = Provenance(
        data_sha256=sha256_of([data.X, data.y, *(data.test or ())]),
        folds_sha256=sha256_of(rows for fold in folds for rows in fold),
        random_state=repr(random_state),
        parameters={},
        versions=versions(),
    )
    score_name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    return Comparison(
        {
            name: _assemble(
                name,
                score_name,
                data,
                folds,
                [
                    outcome
                    for task, outcome in zip(tasks, outcomes, strict=True)
                    if task.name == name
                ],
                replace(origin, parameters=parameters_of(model)),
            )
            for name, model in models.items()
        }
    )


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


def _run(
    tasks: list[Task], data: Data, n_jobs: int | None, progress: bool | None
) -> Iterator[Outcome]:
    """The outcomes in the order of the tasks, each as soon as it and those before are done."""
    work = (delayed(fit_and_predict)(task, data) for task in tasks)
    outcomes = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    with progress_bar(len(tasks), progress) as advance:
        for task, outcome in zip(tasks, outcomes, strict=True):
            advance(task.name)
            yield outcome


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
