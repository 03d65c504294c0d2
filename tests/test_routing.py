"""Sample weights reach the classifiers by every way that scikit-learn has, and by evaluate."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate

from mnist_models import MODEL_NAMES, compare, evaluate, load_sample_digits
from mnist_models.exceptions import ResumeMismatchError

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


def _agrees_with_the_heavy(model: Any, table: Table) -> bool:
    X, y, weight = table
    return bool(model.score(X[weight > 0], y[weight > 0]) > 0.9 > 1 - model.score(X, y) > 0.3)


@every_model
def test_weights_go_through_a_pipeline_by_the_name_of_the_step(name: str, weighted: Table) -> None:
    X, y, weight = weighted
    model = _model(name).fit(X, y, classify__sample_weight=weight)
    assert _agrees_with_the_heavy(model, weighted)


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


@every_model
def test_weights_that_nobody_asked_for_are_an_error(name: str, weighted: Table) -> None:
    X, y, weight = weighted
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError, match="set_fit_request"),
    ):
        _model(name).fit(X, y, sample_weight=weight)


@every_model
def test_weights_are_routed_through_cross_validation(name: str, weighted: Table) -> None:
    X, y, weight = weighted
    with config_context(enable_metadata_routing=True):
        model = _model(name)
        model[-1].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_validate(model, X, y, cv=2, params={"sample_weight": weight})["test_score"]
    assert scores.min() > 0.65  # without weights, a half


def test_weights_are_routed_through_a_search(weighted: Table) -> None:
    X, y, weight = weighted
    with config_context(enable_metadata_routing=True):
        model = _model("logistic")
        model[-1].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"classify__C": [0.1, 1.0]}, cv=2)
        search.fit(X, y, sample_weight=weight)
    assert search.best_score_ > 0.65
    assert _agrees_with_the_heavy(search, weighted)


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


def test_weights_go_wherever_fits_are_made(weighted: Table) -> None:
    X, y, weight = weighted
    params = {"classify__sample_weight": weight.tolist()}
    models = {name: _model(name) for name in ("logistic", "forest")}
    here = compare(models, X, y, cv=2, params=params)
    with ThreadPoolExecutor(2) as pool:
        there = compare(models, X, y, cv=2, params=params, executor=pool)
    for name in models:
        np.testing.assert_array_equal(here[name].out_of_fold, there[name].out_of_fold)
        plain = evaluate(models[name], X, y, cv=2)
        assert (here[name].out_of_fold != plain.out_of_fold).any()


def test_a_run_with_other_weights_is_another_run(weighted: Table, tmp_path: Path) -> None:
    X, y, weight = weighted
    model = _model("logistic")

    def run(params: Any) -> Any:
        return evaluate(model, X, y, cv=2, params=params, checkpoint=tmp_path / "run")

    first = run({"classify__sample_weight": weight})
    again = run({"classify__sample_weight": weight})
    np.testing.assert_array_equal(first.out_of_fold, again.out_of_fold)
    for params in (None, {"classify__sample_weight": weight + 1}):
        with pytest.raises(ResumeMismatchError, match="data_sha256"):
            run(params)


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
