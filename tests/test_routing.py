"""Sample weights reach the classifiers through a Pipeline, by metadata routing and by evaluate."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold

from mnist_models import MODEL_NAMES, Step, evaluate, load_sample_digits

from .conftest import quick_model

every_model = pytest.mark.parametrize("name", MODEL_NAMES)

Table = tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]


@pytest.fixture(scope="module")
def weighted() -> Table:
    """Rows, half of them labelled at random, which weigh nothing."""
    digits = load_sample_digits().sample(240, random_state=0)
    X = np.ascontiguousarray(digits.images[:, 8:-8, 8:-8]).reshape(240, -1)
    y = digits.target % 2
    weight = (np.arange(240) % 2).astype(float)
    y[weight == 0] = 1 - y[weight == 0]
    return X, y, weight


def _model(name: str) -> Any:
    params = {"epochs": 6, "learning_rate": 1e-2} if name == "network" else {}
    return quick_model(name, **params)


@every_model
def test_weights_are_routed_where_they_are_asked_for(name: str, weighted: Table) -> None:
    X, y, weight = weighted
    expected = _model(name).fit(X, y, classify__sample_weight=weight).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        model = _model(name)
        model[-1].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        model.fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(model.predict_proba(X), expected)
        weighed = accuracy_score(y, model.predict(X), sample_weight=weight)
        assert model.score(X, y, sample_weight=weight) == weighed > model.score(X, y)


# -- evaluate --------------------------------------------------------------------------------------


@every_model
def test_each_folds_fit_gets_the_weights_of_its_rows(name: str, weighted: Table) -> None:
    X, y, weight = weighted
    params = {"classify__sample_weight": weight}
    evaluation = evaluate(
        _model(name), X, y, cv=2, params=params, test=(X, y), ignore=("duplicate-rows",)
    )
    for train, held_out in StratifiedKFold(2, shuffle=True, random_state=0).split(X, y):
        model = _model(name).fit(X[train], y[train], classify__sample_weight=weight[train])
        np.testing.assert_array_equal(evaluation.out_of_fold[held_out], model.predict(X[held_out]))
    model = _model(name).fit(X, y, classify__sample_weight=weight)
    np.testing.assert_array_equal(evaluation.test_predictions, model.predict(X))
    # every row counts once, whatever it weighs in training
    assert evaluation.accuracy == accuracy_score(y, model.predict(X))


@pytest.mark.slow
def test_weights_go_to_workers_too(weighted: Table) -> None:
    X, y, weight = weighted
    params = {"classify__sample_weight": weight.tolist()}
    here, there = (
        evaluate(_model("logistic"), X, y, cv=2, params=params, n_jobs=n) for n in (1, 2)
    )
    np.testing.assert_array_equal(here.out_of_fold, there.out_of_fold)
    plain = evaluate(_model("logistic"), X, y, cv=2)
    assert (here.out_of_fold != plain.out_of_fold).any()


def test_other_weights_are_other_data_to_memory(weighted: Table, tmp_path: Path) -> None:
    X, y, weight = weighted
    whats = []
    for params in ({"classify__sample_weight": weight}, None, {"classify__sample_weight": weight}):
        steps: list[Step] = []
        evaluate(
            _model("logistic"), X, y, cv=2, params=params, memory=tmp_path, progress=steps.append
        )
        whats.append(steps[-1].what)
    assert whats == ["finished", "finished", "kept"]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"classify__sample_weight": np.ones(3)}, ValueError, "each of the 240 rows of X. Got"),
        ({"classify__sample_weight": 2.0}, ValueError, r"Got shape \(\)"),
        ({"classify__sample_weight": np.ma.masked_all(240)}, ValueError, "240 masked values"),
        (np.ones(240), TypeError, "params must map names.*Got ndarray"),
        ({"sample_weight": np.ones(240)}, ValueError, "stepname__parameter"),
    ],
)
def test_params_that_cannot_be(
    params: Any, error: type[Exception], message: str, weighted: Table
) -> None:
    X, y, _ = weighted
    with pytest.raises(error, match=message):
        evaluate(_model("logistic"), X, y, cv=2, params=params)
