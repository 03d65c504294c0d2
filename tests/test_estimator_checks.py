"""scikit-learn's own checks of an estimator, on the three classifiers and on their pipelines."""

from importlib.util import find_spec
from operator import attrgetter
from typing import Any

import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import estimator_checks as checks
from sklearn.utils.estimator_checks import check_estimator

from mnist_models import (
    CleanPaper,
    Deskew,
    HogFeatures,
    KerasClassifier,
    LogisticRegression,
    RandomForestClassifier,
    SequentialClassifier,
    make_preprocessor,
)
from mnist_models.class_scores import ClassScores
from mnist_models.preprocessing import Standardize

_NETWORK: dict[str, Any] = {
    "epochs": 6,
    "batch_size": 16,
    "learning_rate": 3e-2,
    "hidden_units": (16,),
}

# A row of weight 2 against the same row twice, to seven digits. scikit-learn lists the same failure
# for its own forest.
_DRAWN = "rows are drawn into bootstrap samples by number, so two rows draw otherwise than one"
_BATCHED = "rows are dealt into mini-batches and a validation part by number"
_OUT_OF_SAMPLE = "fit_transform scores each row by the model of all others, as TargetEncoder does"
_STEPS = "scikit-learn's Pipeline puts fitted steps into its own parameter; it lists this itself"
_SCIKERAS = "scikeras's classes are written for an older scikit-learn; what they do is mended"
_EXPECTED_FAILURES = {
    RandomForestClassifier: {
        "check_sample_weight_equivalence_on_dense_data": _DRAWN,
        "check_sample_weight_equivalence_on_sparse_data": _DRAWN,
    },
    SequentialClassifier: {
        "check_sample_weight_equivalence_on_dense_data": _BATCHED,
        "check_mixin_order": _SCIKERAS,
        "check_estimator_tags_renamed": _SCIKERAS,
    },
    KerasClassifier: {
        "check_sample_weight_equivalence_on_dense_data": _BATCHED,
        "check_sample_weight_equivalence_on_sparse_data": _BATCHED,
        "check_mixin_order": _SCIKERAS,
        "check_estimator_tags_renamed": _SCIKERAS,
        "check_no_attributes_set_in_init": "routed parameters are no arguments that have a name",
        "check_estimator_sparse_array": "Keras reads an index of -1 otherwise than scikit-learn",
        "check_supervised_y_2d": "scikeras takes labels in one column without a warning",
    },
    ClassScores: {
        "check_transformer_general": _OUT_OF_SAMPLE,
        "check_transformer_data_not_an_array": _OUT_OF_SAMPLE,
    },
    Pipeline: {
        "check_estimators_overwrite_params": _STEPS,
        "check_dont_overwrite_parameters": _STEPS,
    },
}


def _classifiers() -> list[Any]:
    # The checks seed an estimator, but not the steps of a Pipeline
    return [
        LogisticRegression(max_iter=1000, random_state=0),
        RandomForestClassifier(n_estimators=10, random_state=0),
        SequentialClassifier(random_state=0, **_NETWORK),
    ]


def _transformers() -> list[Any]:
    row = (1, -1)  # the checks' tables have 2 to 12 columns: images one pixel high
    hog = HogFeatures(row, cell_size=1, stride=1)
    return [Standardize(), CleanPaper(row), Deskew(row), hog, ClassScores()]


def _check(estimator: Any) -> None:
    """All checks pass but those that are listed, and those fail."""
    expected = _EXPECTED_FAILURES.get(type(estimator), {})
    results = check_estimator(
        estimator, on_skip=None, on_fail=None, expected_failed_checks=expected
    )
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(expected)


_name = attrgetter("__class__.__name__")


def _build(meta: Any) -> Any:
    import keras

    hidden = keras.layers.Dense(16, "relu")
    outputs = keras.layers.Dense(meta["n_classes_"], activation="softmax")
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), hidden, outputs])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")  # 1 class
@pytest.mark.filterwarnings("ignore:Can't check dok sparse matrix:UserWarning")  # scikit-learn's
def test_keras_classifier() -> None:
    _check(
        KerasClassifier(
            _build,
            loss="sparse_categorical_crossentropy",
            optimizer="adam",
            optimizer__learning_rate=3e-2,
            epochs=6,
            batch_size=16,
            verbose=0,
            random_state=0,
        )
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("estimator", [*_classifiers()[:2], *_transformers()], ids=_name)
def test_estimators(estimator: Any) -> None:
    _check(estimator)


@pytest.mark.slow  # about 60 networks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_network() -> None:
    _check(_classifiers()[2])


@pytest.mark.parametrize(
    "check",
    [
        checks.check_no_attributes_set_in_init,
        checks.check_fit_score_takes_y,
        checks.check_estimators_unfitted,
        checks.check_estimators_overwrite_params,
        checks.check_estimators_pickle,
        checks.check_classifiers_one_label,
        checks.check_supervised_y_2d,
        checks.check_n_features_in,
    ],
)
def test_the_network_quickly(check: Any) -> None:
    check("SequentialClassifier", _classifiers()[2])


@pytest.mark.slow
def test_the_forest_that_counts_even_the_smallest_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnist_models.forest._MIN_VALUES", 0)
    _check(_classifiers()[1])


@pytest.mark.slow  # they check scikit-learn's Pipeline more than its steps
@pytest.mark.parametrize("classifier", _classifiers(), ids=_name)
def test_pipelines(classifier: Any) -> None:
    _check(make_pipeline(make_preprocessor(), classifier))


# -- what check_estimator never runs ---------------------------------------------------------------

_OF_ALL = [
    checks.check_dataframe_column_names_consistency,
    checks.check_inplace_ensure_writeable,
]
_OF_PARAMETERS = [checks.check_param_validation]
_OF_OUTPUT = [
    checks.check_transformer_get_feature_names_out,
    checks.check_transformer_get_feature_names_out_pandas,
    checks.check_set_output_transform,
    checks.check_set_output_transform_pandas,
    checks.check_global_output_transform_pandas,
    checks.check_set_output_transform_polars,
    checks.check_global_set_output_transform_polars,
]


@pytest.mark.filterwarnings("ignore:X .* feature names:UserWarning")  # of what the checks do
@pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning")  # a tree's
@pytest.mark.parametrize("estimator", [*_classifiers(), *_transformers()], ids=_name)
def test_checks_that_check_estimator_leaves_out(estimator: Any) -> None:
    more = _OF_OUTPUT if hasattr(estimator, "transform") else []
    if isinstance(estimator, LogisticRegression | RandomForestClassifier):
        more = _OF_PARAMETERS  # others check theirs by themselves
    for check in [*_OF_ALL, *more]:
        if "polars" not in check.__name__ or find_spec("polars"):
            check(type(estimator).__name__, clone(estimator))
