"""Evaluations assembled from the outcomes of their fits, and their provenance."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._running.fitting import Data, Outcome, Scoring
from mnist_models._running.input import Folds
from mnist_models._running.provenance import (
    describe,
    describe_or_raise,
    parameters_of,
    parameters_that_decide,
    sha256_of,
    versions,
)
from mnist_models.results import Evaluation, Provenance


def origins_of(
    models: Mapping[str, Any], data: Data, folds: Folds, random_state: Any
) -> dict[str, Provenance]:
    """The provenance of each model's results."""
    params = (thing for pair in sorted(data.params.items()) for thing in pair)
    shared = Provenance(
        data_sha256=sha256_of([data.X, data.y, *(data.test or ()), *params]),
        folds_sha256=sha256_of(rows for fold in folds for rows in fold),
        random_state=describe(random_state),
        parameters={},
        versions=versions(),
    )
    return {
        name: replace(shared, parameters=parameters_of(model)) for name, model in models.items()
    }


def identity_of(
    models: Mapping[str, Any], scoring: Scoring, origins: Mapping[str, Provenance]
) -> dict[str, Any]:
    """Everything that determines a run's results, as plain data: equal if a run can be resumed.

    Raises
    ------
    TypeError
        If a parameter cannot be told from other values of it.
    """
    shared = asdict(next(iter(origins.values())))
    del shared["parameters"]
    parameters = {name: parameters_that_decide(model, name) for name, model in models.items()}
    return shared | {"scoring": describe_or_raise("scoring", scoring), "models": parameters}


def assemble(
    name: str,
    scoring: str,
    data: Data,
    folds: Folds,
    outcomes: list[Outcome],
    origin: Provenance,
) -> Evaluation:
    """One model's evaluation from the outcomes of its folds and, if there is one, of its test."""
    in_folds, on_test = outcomes[: len(folds)], outcomes[len(folds) :]
    order = np.argsort(np.concatenate([held_out for _, held_out in folds]))
    predictions = np.concatenate([outcome.predictions for outcome in in_folds])
    y_test = None if data.test is None else data.test[1]
    # predicted and known labels too: a model may have one of its own, such as "none of these"
    known = [outcome.known for outcome in outcomes if outcome.known is not None]
    tested = [] if y_test is None else [y_test, on_test[0].predictions]
    labels = [data.y, predictions, *tested, *known]
    classes = np.unique(np.concatenate(labels))
    chances = _stack(on_test or in_folds, classes)
    return Evaluation(
        model_name=name,
        scoring=scoring,
        classes=classes,
        y=data.y,
        out_of_fold=predictions[order],
        folds=tuple(outcome.fit for outcome in in_folds),
        y_test=y_test,
        test_predictions=on_test[0].predictions if on_test else None,
        test=on_test[0].fit if on_test else None,
        probabilities=chances if on_test or chances is None else chances[order],
        provenance=origin,
    )


def _stack(outcomes: Iterable[Outcome], classes: NDArray[Any]) -> NDArray[np.float32] | None:
    """Probabilities with a column for every class: 0 for classes that a fit had not seen."""
    stacked = []
    for outcome in outcomes:
        if outcome.probabilities is None or outcome.known is None:
            return None
        chances = np.zeros((len(outcome.probabilities), len(classes)), dtype=np.float32)
        chances[:, np.searchsorted(classes, outcome.known)] = outcome.probabilities
        stacked.append(chances)
    return np.concatenate(stacked)
