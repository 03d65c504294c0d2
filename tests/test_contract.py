"""What holds for one of the three models holds for all: they are interchangeable."""

import io
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    check_cv,
    cross_val_predict,
)

from mnist_models import MODEL_NAMES, load_model, make_model, save_model, search_space
from mnist_models.exceptions import ScaleWarning
from mnist_models.preprocessing import RECIPES

from .conftest import QUICK, Split, quick_model

every_model = pytest.mark.parametrize("name", MODEL_NAMES)


@pytest.fixture(scope="module")
def small(digits: Split) -> Split:
    """Digits of 14 by 14 pixels. More rows than pixels: fewer are left to scikit-learn."""

    def shrunk(X: Any) -> Any:
        return (
            X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).round().astype(np.uint8).reshape(-1, 196)
        )

    X_train, X_test, y_train, y_test = digits
    return shrunk(X_train[:300]), shrunk(X_test[:60]), y_train[:300], y_test[:60]


def test_reads_digits(fitted: Any, digits: Split) -> None:
    _, X_test, _, y_test = digits
    assert fitted.score(X_test, y_test) > 0.85


def test_an_int_for_cv_means_stratified_folds(fitted: Any, digits: Split) -> None:
    cv = check_cv(5, digits[2], classifier=is_classifier(fitted))
    assert isinstance(cv, StratifiedKFold)


def test_probabilities_are_one_row_a_digit_one_column_a_class(fitted: Any, digits: Split) -> None:
    X_test = digits[1]
    for rows in (X_test, X_test[:1]):
        probabilities = fitted.predict_proba(rows)
        assert probabilities.shape == (len(rows), 10)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        most_probable = fitted.classes_[probabilities.argmax(axis=1)]
        np.testing.assert_array_equal(fitted.predict(rows), most_probable)


def test_a_rows_answer_does_not_depend_on_its_company(fitted: Any, digits: Split) -> None:
    X_test = digits[1]
    alone = np.vstack([fitted.predict_proba(row[None]) for row in X_test[:20]])
    np.testing.assert_allclose(fitted.predict_proba(X_test)[:20], alone, rtol=1e-4, atol=1e-6)


def test_images_are_as_good_as_rows(fitted: Any, digits: Split, small: Split) -> None:
    X_test = digits[1]
    for rows in (X_test, X_test[:1]):
        expected = fitted.predict_proba(rows)
        for shape in ((-1, 28, 28), (-1, 28, 28, 1)):
            np.testing.assert_array_equal(fitted.predict_proba(rows.reshape(shape)), expected)
    X, X_test, y, _ = small
    model = clone(fitted)
    as_images = model.fit(X.reshape(-1, 14, 14), y).predict(X_test)
    np.testing.assert_array_equal(model.fit(X, y).predict(X_test.reshape(-1, 14, 14)), as_images)
    with pytest.raises(ValueError, match=r"X must hold grey images.*Got colours"):
        fitted.predict(np.zeros((2, 28, 28, 3)))


def test_pixels_on_another_scale_are_named(
    fitted: Any, digits: Split, small: Split, tmp_path: Path
) -> None:
    save_model(fitted, tmp_path / "model")
    for model in (fitted, load_model(tmp_path / "model")):
        with pytest.warns(ScaleWarning, match=r"fitted on pixels from 0 to 255\. Got .* 0 to 1 "):
            model.predict(digits[1] / 255)
    X, X_test, y, y_test = small
    bare = clone(fitted[-1]).fit(X / 255, y)
    with pytest.warns(ScaleWarning, match=r"from 0 to 1\. Got .* 0 to 255 .* Divide X") as found:
        bare.predict(X_test[:1])
    assert [warning.filename for warning in found] == [__file__], "once, at this line"
    with pytest.warns(ScaleWarning, match=r"from 0 to 1\. Got standardized values"):
        bare.score(X_test / 100.0 - 1, y_test)


def test_ordinary_tables_are_on_no_scale(rng: np.random.Generator) -> None:
    X = np.c_[np.eye(20)[rng.integers(0, 20, 300)], rng.integers(0, 90, (300, 1))]
    X[:100, -1] = 0  # unknown
    y = np.arange(300) % 3
    forest = make_model("forest", n_estimators=2)[-1].fit(X, y)
    for row in X[:110]:
        forest.predict(row[None])  # a warning would be an error


def test_clone_keeps_every_parameter_and_nothing_learned(fitted: Any, digits: Split) -> None:
    fresh = clone(fitted)
    params = fitted[-1].get_params()
    assert fresh[-1].get_params() == params
    with pytest.raises(NotFittedError):
        fresh.predict(digits[1])


def _through_pickle(model: Any, folder: Path) -> Any:
    return pickle.loads(pickle.dumps(model))


def _through_joblib(model: Any, folder: Path) -> Any:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def _through_a_file(model: Any, folder: Path) -> Any:
    save_model(model, folder / "digits.model")
    return load_model(folder / "digits.model")


@pytest.mark.parametrize("through", [_through_pickle, _through_joblib, _through_a_file])
def test_kept_models_answer_the_same_to_the_last_bit(
    fitted: Any, digits: Split, through: Any, tmp_path: Path
) -> None:
    X_test = digits[1]
    kept = through(fitted, tmp_path)
    np.testing.assert_array_equal(kept.predict_proba(X_test), fitted.predict_proba(X_test))
    np.testing.assert_array_equal(kept.predict(X_test), fitted.predict(X_test))
    for row in X_test[:5]:  # a product of one row is another routine of the BLAS
        one = row[None]
        np.testing.assert_array_equal(kept.predict_proba(one), fitted.predict_proba(one))


@every_model
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_gives_the_same_answers(name: str, recipe: str, small: Split) -> None:
    """Of one that has been fitted before, too, and of one that came through pickle in between."""
    X_train, X_test, y_train, _ = small
    X_train, y_train = X_train[:120], y_train[:120]
    quick = {"epochs": 1} if recipe == "accurate" and name == "network" else {}
    model = quick_model(name, recipe=recipe, **quick)
    first = model.fit(X_train, y_train).predict_proba(X_test)
    again = model.fit(X_train, y_train).predict_proba(X_test)
    sent = pickle.loads(pickle.dumps(clone(model)))
    anew = pickle.loads(pickle.dumps(sent.fit(X_train, y_train))).predict_proba(X_test)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(anew, first)


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "params"), [("logistic", {}), ("forest", {"n_jobs": 2})])
def test_jobs_and_processes_change_nothing(
    name: str, params: dict[str, Any], backend: str, small: Split
) -> None:
    """Of more rows than columns: fewer are left to scikit-learn, whose BLAS has its threads.

    The network's last digits depend on TensorFlow's threads.
    """
    X, _, y, _ = small
    folds: dict[str, Any] = {"cv": 2, "method": "predict_proba"}
    alone = cross_val_predict(quick_model(name), X, y, **folds)
    with joblib.parallel_config(backend):
        together = cross_val_predict(quick_model(name, **params), X, y, n_jobs=2, **folds)
    np.testing.assert_array_equal(alone, together)


_BINARY_SCORERS = {
    "f1", "precision", "recall", "jaccard", "roc_auc", "average_precision",
    "positive_likelihood_ratio", "neg_negative_likelihood_ratio",
}  # fmt: skip


def _classification_scorers() -> list[str]:
    """Every built-in scorer that says something of a classifier of ten classes."""
    regression = ("error", "r2", "variance", "d2_absolute", "poisson", "gamma", "deviance")
    clustering = (
        "rand_score", "mutual_info", "homogeneity", "completeness", "v_measure", "fowlkes",
    )  # fmt: skip
    names = [n for n in get_scorer_names() if not any(w in n for w in regression + clustering)]
    multilabel = {n for n in names if n.endswith("_samples")}
    return sorted(set(names) - _BINARY_SCORERS - multilabel)


def test_every_classification_scorer_is_finite(fitted: Any, digits: Split) -> None:
    _, X_test, _, y_test = digits
    scorers = _classification_scorers()
    assert {"accuracy", "neg_log_loss", "roc_auc_ovr", "top_k_accuracy"} < set(scorers)
    for scoring in scorers:
        assert np.isfinite(get_scorer(scoring)(fitted, X_test, y_test)), scoring


@every_model
def test_two_classes_of_text(name: str, small: Split) -> None:
    X_train, X_test, y_train, y_test = small
    classes = np.array(["three", "other"])
    model = quick_model(name).fit(X_train, classes[(y_train != 3).astype(int)])
    truth = classes[(y_test != 3).astype(int)]
    assert set(model.predict(X_test)) <= set(classes)
    assert model.predict_proba(X_test[:1]).shape == (1, 2)
    assert get_scorer("roc_auc")(model, X_test, truth) > 0.9
    assert np.isfinite(get_scorer("neg_log_loss")(model, X_test, truth))


@every_model
def test_every_scorer_of_two_classes_is_finite(name: str, small: Split) -> None:
    X_train, X_test, y_train, y_test = small
    model = quick_model(name).fit(X_train, y_train % 2)
    truth = y_test % 2
    truth[np.unique(truth, return_index=True)[1]] ^= 1  # without any errors, some are undefined
    for scoring in _BINARY_SCORERS:
        assert np.isfinite(get_scorer(scoring)(model, X_test, truth)), scoring


@every_model
def test_a_dataframe_goes_in_and_may_go_through(name: str, small: Split) -> None:
    X_train, X_test, y_train, _ = small
    columns = [f"pixel{i}" for i in range(X_train.shape[1])]
    frame = pd.DataFrame(X_train, columns=columns)
    model = quick_model(name).fit(frame, pd.Series(y_train))
    expected = quick_model(name).fit(X_train, y_train).predict_proba(X_test)
    answer = model.predict_proba(pd.DataFrame(X_test, columns=columns))
    np.testing.assert_array_equal(answer, expected)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(X_test, columns=columns[::-1]))
    named = quick_model(name).set_output(transform="pandas").fit(frame, y_train)
    assert list(named[-1].feature_names_in_) == columns
    np.testing.assert_allclose(named.predict_proba(frame), model.predict_proba(frame), atol=1e-6)


@pytest.mark.slow
def test_soft_voting_and_stacking_over_all_three(small: Split) -> None:
    X_train, X_test, y_train, y_test = small
    models = [(name, quick_model(name)) for name in MODEL_NAMES]
    voting = VotingClassifier(models, voting="soft").fit(X_train, y_train)
    stacking = StackingClassifier(models, final_estimator=make_model("logistic"), cv=2)
    stacking.fit(X_train, y_train)
    assert voting.score(X_test, y_test) > 0.85
    assert stacking.score(X_test, y_test) > 0.85


@every_model
def test_calibration(name: str, small: Split) -> None:
    X_train, X_test, y_train, y_test = small
    calibrated = CalibratedClassifierCV(quick_model(name), cv=2).fit(X_train, y_train)
    assert calibrated.score(X_test, y_test) > 0.6


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_one_grid_search_over_all_three(small: Split, n_jobs: int | None) -> None:
    X_train, X_test, y_train, y_test = small
    grid = search_space(random_state=0)
    for space in grid:  # as small as the other tests' models
        classifier = space["classify"][0]
        quick = next(q for n, q in QUICK.items() if type(make_model(n)[-1]) is type(classifier))
        classifier.set_params(**quick)
    search = GridSearchCV(make_model("logistic"), grid, cv=2, n_jobs=n_jobs, error_score="raise")
    search.fit(X_train, y_train)
    tried = {type(params["classify"]) for params in search.cv_results_["params"]}
    assert tried == {type(make_model(name)[-1]) for name in MODEL_NAMES}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(X_test, y_test) > 0.7
