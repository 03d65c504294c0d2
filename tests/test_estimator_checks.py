"""scikit-learn's own checks of an estimator, on the three classifiers and on their pipelines."""

from functools import partial
from itertools import product
from typing import Any

import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import estimator_checks as checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_models import (
    Deskew,
    HogFeatures,
    LogisticRegression,
    RandomForestClassifier,
    SequentialClassifier,
    make_preprocessor,
)
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
_STEPS = "scikit-learn's Pipeline puts fitted steps into its own parameter; it lists this itself"
_EXPECTED_FAILURES = {
    RandomForestClassifier: {
        "check_sample_weight_equivalence_on_dense_data": _DRAWN,
        "check_sample_weight_equivalence_on_sparse_data": _DRAWN,
    },
    SequentialClassifier: {"check_sample_weight_equivalence_on_dense_data": _BATCHED},
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


def _expected_failures(estimator: Any) -> dict[str, str]:
    return _EXPECTED_FAILURES.get(type(estimator), {})


_checks = partial(
    parametrize_with_checks, expected_failed_checks=_expected_failures, xfail_strict=True
)


@_checks([*_classifiers(), Standardize()])  # type: ignore[untyped-decorator]
def test_estimators(estimator: Any, check: Any) -> None:
    check(estimator)


@_checks([_classifiers()[1]])  # type: ignore[untyped-decorator]
def test_the_forest_that_counts_even_the_smallest_data(
    estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_models.forest._MIN_VALUES", 0)
    check(estimator)


@_checks([make_pipeline(make_preprocessor(), each) for each in _classifiers()[:2]])  # type: ignore[untyped-decorator]
def test_pipelines(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@_checks([make_pipeline(make_preprocessor(), _classifiers()[2])])  # type: ignore[untyped-decorator]
def test_pipelines_of_the_network(estimator: Any, check: Any) -> None:
    check(estimator)


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


def _transformers() -> list[Any]:
    row = (1, -1)  # the checks' tables have 2 to 12 columns: images one pixel high
    return [Standardize(), Deskew(row), HogFeatures(row, cell_size=1, stride=1)]


def _by_hand() -> list[Any]:
    pairs = [
        *product([*_classifiers(), *_transformers()], _OF_ALL),
        *product(_classifiers()[:2], _OF_PARAMETERS),  # others check theirs by themselves
        *product(_transformers(), _OF_OUTPUT),
    ]
    return [
        pytest.param(*each, id=f"{type(each[0]).__name__}-{each[1].__name__}") for each in pairs
    ]


@pytest.mark.filterwarnings("ignore:X .* feature names:UserWarning")  # of what the checks do
@pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning")  # a tree's
@pytest.mark.parametrize(("estimator", "check"), _by_hand())
def test_checks_that_check_estimator_leaves_out(estimator: Any, check: Any) -> None:
    if "polars" in check.__name__:
        pytest.importorskip("polars")
    check(type(estimator).__name__, clone(estimator))
