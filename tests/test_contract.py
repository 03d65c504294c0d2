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
from sklearn.metrics import ConfusionMatrixDisplay, get_scorer, get_scorer_names
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    check_cv,
    cross_val_predict,
    cross_val_score,
)

from mnist_models import MODEL_NAMES, load_model, make_model, save_model, search_space
from mnist_models.preprocessing import RECIPES

from .conftest import QUICK, Split, quick_model

every_model = pytest.mark.parametrize("name", MODEL_NAMES)


def _small(digits: Split) -> Split:
    X_train, X_test, y_train, y_test = digits
    return X_train[:200], X_test[:40], y_train[:200], y_test[:40]


def test_reads_digits(fitted: Any, digits: Split) -> None:
    _, X_test, _, y_test = digits
    assert fitted.score(X_test, y_test) > 0.85


def test_is_a_classifier(fitted: Any) -> None:
    assert is_classifier(fitted)
    assert is_classifier(fitted[-1])


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
def test_the_same_seed_gives_the_same_answers(name: str, recipe: str, digits: Split) -> None:
    """Of one that has been fitted before, too, and of one that came through pickle in between."""
    X_train, X_test, y_train, _ = _small(digits)
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
    name: str, params: dict[str, Any], backend: str, digits: Split
) -> None:
    """Of more rows than columns: fewer are left to scikit-learn, whose BLAS has its threads.

    The network's last digits depend on TensorFlow's threads: see test_evaluation.
    """
    X, _, y, _ = digits
    X = X.reshape(-1, 28, 28)[:, 7:-7, 7:-7].reshape(len(X), -1)
    folds: dict[str, Any] = {"cv": 2, "method": "predict_proba"}
    alone = cross_val_predict(quick_model(name), X, y, **folds)
    with joblib.parallel_config(backend):
        together = cross_val_predict(quick_model(name, **params), X, y, n_jobs=2, **folds)
    np.testing.assert_array_equal(alone, together)


@every_model
def test_class_sorted_labels_score_as_shuffled_ones_do(name: str, digits: Split) -> None:
    X, _, y, _ = digits
    order = np.argsort(y, kind="stable")
    model = quick_model(name)
    shuffled = cross_val_score(model, X, y, cv=3)
    in_order = cross_val_score(model, X[order], y[order], cv=3)
    assert in_order.mean() == pytest.approx(shuffled.mean(), abs=0.05)
    assert in_order.min() > 0.75


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


def test_there_are_scorers_to_try() -> None:
    assert {"accuracy", "neg_log_loss", "roc_auc_ovr", "top_k_accuracy"} < set(
        _classification_scorers()
    )


@pytest.mark.parametrize("scoring", _classification_scorers())
def test_every_classification_scorer_is_finite(fitted: Any, digits: Split, scoring: str) -> None:
    _, X_test, _, y_test = digits
    assert np.isfinite(get_scorer(scoring)(fitted, X_test, y_test))


@every_model
@pytest.mark.parametrize("labels", [["three", "other"], [-1, 1], [False, True]], ids=str)
def test_two_classes_of_any_labels(name: str, labels: list[Any], digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    classes = np.array(labels)
    model = quick_model(name).fit(X_train, classes[(y_train != 3).astype(int)])
    truth = classes[(y_test != 3).astype(int)]
    assert set(model.predict(X_test)) <= set(classes)
    assert model.predict_proba(X_test[:1]).shape == (1, 2)
    assert get_scorer("roc_auc")(model, X_test, truth) > 0.9
    assert np.isfinite(get_scorer("neg_log_loss")(model, X_test, truth))


@every_model
def test_every_scorer_of_two_classes_is_finite(name: str, digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    model = quick_model(name).fit(X_train, y_train % 2)
    for scoring in _BINARY_SCORERS:
        assert np.isfinite(get_scorer(scoring)(model, X_test, y_test % 2)), scoring


@every_model
def test_a_dataframe_goes_in(name: str, digits: Split) -> None:
    X_train, X_test, y_train, _ = _small(digits)
    columns = [f"pixel{i}" for i in range(784)]
    frame = pd.DataFrame(X_train, columns=columns)
    model = quick_model(name).fit(frame, pd.Series(y_train))
    expected = quick_model(name).fit(X_train, y_train).predict_proba(X_test)
    answer = model.predict_proba(pd.DataFrame(X_test, columns=columns))
    np.testing.assert_array_equal(answer, expected)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(X_test, columns=columns[::-1]))


@every_model
def test_set_output_names_the_features(name: str, digits: Split) -> None:
    X_train, X_test, y_train, _ = _small(digits)
    columns = [f"pixel{i}" for i in range(784)]
    model = quick_model(name).set_output(transform="pandas")
    model.fit(pd.DataFrame(X_train, columns=columns), y_train)
    assert list(model[-1].feature_names_in_) == columns
    assert model.predict(pd.DataFrame(X_test, columns=columns)).shape == (len(X_test),)


@every_model
def test_cross_val_predict_gives_probabilities(name: str, digits: Split) -> None:
    X, _, y, _ = _small(digits)
    probabilities = cross_val_predict(quick_model(name), X, y, cv=2, method="predict_proba")
    assert probabilities.shape == (len(X), 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_soft_voting_and_stacking_over_all_three(digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    models = [(name, quick_model(name)) for name in MODEL_NAMES]
    voting = VotingClassifier(models, voting="soft").fit(X_train, y_train)
    stacking = StackingClassifier(models, final_estimator=make_model("logistic"), cv=2)
    stacking.fit(X_train, y_train)
    assert voting.score(X_test, y_test) > 0.85
    assert stacking.score(X_test, y_test) > 0.85


@every_model
def test_calibration(name: str, digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    calibrated = CalibratedClassifierCV(quick_model(name), cv=2).fit(X_train, y_train)
    assert calibrated.score(X_test, y_test) > 0.8


def test_confusion_matrix_display(fitted: Any, digits: Split) -> None:
    from matplotlib.figure import Figure

    _, X_test, _, y_test = digits
    axes = Figure().subplots()
    display = ConfusionMatrixDisplay.from_estimator(fitted, X_test, y_test, ax=axes)
    assert display.confusion_matrix.sum() == len(y_test)


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_one_grid_search_over_all_three(digits: Split, n_jobs: int | None) -> None:
    X_train, X_test, y_train, y_test = _small(digits)
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


@every_model
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X, y: (np.where(X[0, 400] == X, np.nan, X), y), "NaN"),
        (lambda X, y: (np.char.add(X.astype("U3"), "x"), y), "string"),
        (lambda X, y: (X[:-1], y), "inconsistent numbers of samples"),
        (lambda X, y: (X[0], y), "2D array"),
        (lambda X, y: (X, y + 0.5), "continuous"),
        (lambda X, y: (X * (1 + 1j), y), "Complex"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
    ],
    ids=["NaN", "strings", "too few rows", "1-D", "continuous", "complex", "empty"],
)
def test_bad_input_is_an_error_that_says_so(
    name: str, spoil: Any, message: str, digits: Split
) -> None:
    X, _, y, _ = _small(digits)
    spoilt_X, spoilt_y = spoil(X.astype(float) if message == "NaN" else X, y)
    with pytest.raises(ValueError, match=message):
        quick_model(name).fit(spoilt_X, spoilt_y)


@pytest.mark.parametrize("name", ["logistic", "network"])
def test_one_class_is_an_error(name: str, digits: Split) -> None:
    """Of scikit-learn's forest it is none: every tree is a leaf, and every answer that class."""
    X, _, y, _ = _small(digits)
    with pytest.raises(ValueError, match="class"):
        quick_model(name).fit(X, np.zeros_like(y))


def test_another_number_of_features_is_an_error(fitted: Any, digits: Split) -> None:
    with pytest.raises(ValueError, match="784 features"):
        fitted.predict(digits[1][:, :-1])


def test_inputs_are_not_changed(fitted: Any, digits: Split) -> None:
    _, X_test, _, _ = digits
    before = X_test.copy()
    fitted.predict_proba(X_test)
    np.testing.assert_array_equal(X_test, before)
