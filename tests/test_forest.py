"""The forest that counts grows the trees that scikit-learn grows, or leaves the work to it."""

import pickle
import subprocess
import sys
import tracemalloc
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn import ensemble
from sklearn.tree import DecisionTreeClassifier

from mnist_models import RandomForestClassifier, fetch_mnist, make_preprocessor
from tests.conftest import Split


def assert_same_trees(ours: Any, theirs: Any) -> None:
    """Node for node, bit for bit."""
    assert len(ours.estimators_) == len(theirs.estimators_)
    for a, b in zip(ours.estimators_, theirs.estimators_, strict=True):
        assert type(a) is DecisionTreeClassifier
        assert {k for k in vars(a) if k.endswith("_")} == {k for k in vars(b) if k.endswith("_")}
        nodes, expected = (each.tree_.__getstate__()["nodes"] for each in (a, b))
        inner = expected["feature"] >= 0  # of leaves scikit-learn leaves the last field as it was
        for field in expected.dtype.names:
            where = inner if field == "missing_go_to_left" else slice(None)
            np.testing.assert_array_equal(nodes[field][where], expected[field][where], field)
        np.testing.assert_array_equal(a.tree_.value, b.tree_.value)
        assert a.tree_.max_depth == b.tree_.max_depth


def fit_both(X: Any, y: Any, sample_weight: Any = None, **params: Any) -> tuple[Any, Any]:
    params = {"n_estimators": 5, "random_state": 0} | params
    return (
        RandomForestClassifier(**params).fit(X, y, sample_weight),
        ensemble.RandomForestClassifier(**params).fit(X, y, sample_weight),
    )


@pytest.fixture
def must_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the data."""
    monkeypatch.setattr("mnist_models.forest._MIN_VALUES", 0)


@pytest.fixture
def must_hand_over(must_count: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that counts would fail."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("counted")

    monkeypatch.setattr("mnist_models.forest._grow", refuse)


# -- the same trees --------------------------------------------------------------------------------

_PARAMS: list[dict[str, Any]] = [
    {},
    {"criterion": "entropy"},
    {"criterion": "log_loss", "min_samples_leaf": 3},
    {"max_depth": 4},
    {"min_samples_split": 0.1},
    {"min_samples_leaf": 0.02},
    {"min_weight_fraction_leaf": 0.03},
    {"max_features": None},
    {"max_features": "log2"},
    {"max_features": 0.3},
    {"min_impurity_decrease": 0.005},
    {"bootstrap": False, "max_features": None, "criterion": "entropy"},
    {"max_samples": 0.3},
    {"class_weight": {4: 2, 9: 3}},
    {"class_weight": "balanced"},
    {"ccp_alpha": 0.004},
    {"oob_score": True, "n_estimators": 30},
    {"n_jobs": 2},
]


@pytest.mark.parametrize("params", _PARAMS, ids=str)
def test_trees_are_those_of_scikit_learn(digits: Split, params: dict[str, Any]) -> None:
    X_train, X_test, y_train, _ = digits
    ours, theirs = fit_both(X_train, y_train, **params)
    assert_same_trees(ours, theirs)
    np.testing.assert_array_equal(ours.predict_proba(X_test), theirs.predict_proba(X_test))
    np.testing.assert_array_equal(ours.feature_importances_, theirs.feature_importances_)
    if params.get("oob_score"):
        np.testing.assert_array_equal(ours.oob_decision_function_, theirs.oob_decision_function_)


def test_trees_are_the_same_for_every_seed(digits: Split) -> None:
    X_train, _, y_train, _ = digits
    for seed in range(8):
        assert_same_trees(*fit_both(X_train, y_train, n_estimators=3, random_state=seed))


@pytest.mark.parametrize("bootstrap", [True, False])
def test_trees_are_the_same_with_whole_weights(
    digits: Split, rng: np.random.Generator, bootstrap: bool
) -> None:
    X_train, _, y_train, _ = digits
    weight = rng.integers(0, 4, len(y_train))
    assert_same_trees(*fit_both(X_train, y_train, weight, bootstrap=bootstrap))


@pytest.mark.parametrize(
    "params", [{"class_weight": "balanced_subsample"}, {"bootstrap": False}], ids=str
)
def test_forests_are_alike_with_fractional_weights(
    digits: Split, rng: np.random.Generator, params: dict[str, Any]
) -> None:
    X_train, X_test, y_train, _ = digits
    weight = rng.random(len(y_train)) + 0.1
    ours, theirs = fit_both(X_train, y_train, weight, n_estimators=100, **params)
    assert _n_pure_splits(ours) == 0 < _n_pure_splits(theirs)  # rounding leaves it crumbs
    n_splits = [
        sum(t.get_n_leaves() - 1 for t in f.estimators_) - _n_pure_splits(f) for f in (ours, theirs)
    ]
    assert n_splits[0] == pytest.approx(n_splits[1], rel=0.03)
    assert np.mean(ours.predict(X_test) == theirs.predict(X_test)) > 0.9


def _n_pure_splits(forest: Any) -> int:
    """Splits of nodes that hold one class only."""
    trees = [tree.tree_ for tree in forest.estimators_]
    return sum(
        int(np.sum(((t.value[:, 0] > 1e-9).sum(axis=1) == 1) & (t.children_left >= 0)))
        for t in trees
    )


def test_standardized_pixels_give_the_same_trees(digits: Split) -> None:
    X_train, X_test, y_train, _ = digits
    standardize = make_preprocessor().fit(X_train)
    X_train, X_test = standardize.transform(X_train), standardize.transform(X_test)
    ours, theirs = fit_both(X_train, y_train)
    assert_same_trees(ours, theirs)
    np.testing.assert_array_equal(ours.predict_proba(X_test), theirs.predict_proba(X_test))


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.astype(np.float64) / 3,
        lambda X: X > 128,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.astype(">f4"),
        lambda X: np.where(X == 0, -0.0, X.astype(np.float32)),
        lambda X: X.tolist(),
        lambda X: X.astype(object),
    ],
    ids=["f8", "bool", "strided", "big-endian", "minus-zero", "list", "object"],
)
def test_every_type_and_layout_of_few_values(digits: Split, convert: Any) -> None:
    X_train, _, y_train, _ = digits
    assert_same_trees(*fit_both(convert(X_train), y_train, n_estimators=3))


@settings(max_examples=150)
@given(data=st.data())
def test_a_single_tree_parts_random_data_as_scikit_learn_does(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**31 - 1))
    rng = np.random.default_rng(seed)
    n, d = data.draw(st.integers(2, 300)), data.draw(st.integers(1, 12))
    n_levels, n_classes = data.draw(st.integers(1, 256)), data.draw(st.integers(1, 12))
    ink = data.draw(st.sampled_from([0.05, 0.5, 1.0]))
    X = (rng.integers(0, n_levels, (n, d)) * (rng.random((n, d)) < ink)).astype(np.uint8)
    y = rng.integers(0, n_classes, n)
    params = {"max_features": None, "bootstrap": False, "n_estimators": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_models.forest._MIN_VALUES", 0)
        assert_same_trees(*fit_both(X, y, random_state=seed % 1000, **params))
        # and where weights round differently, ties aside, into the same parts
        weight = rng.random(n) + 0.5
        ours, theirs = fit_both(X, y, weight, **params)
    a, b = ours.apply(X)[:, 0], theirs.apply(X)[:, 0]
    if len(np.unique(X, axis=0)) == n and d == 1:
        assert len(np.unique(a)) == len(np.unique(b)) == len(np.unique(np.stack([a, b]), axis=1).T)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.slow
def test_trees_are_the_same_on_all_of_mnist(mnist_folder: Path) -> None:
    X, _, y, _ = fetch_mnist(data_home=mnist_folder, download_if_missing=False).split("classic")
    assert_same_trees(*fit_both(X, y, n_estimators=10, n_jobs=2))


# -- the rest of a forest's life -------------------------------------------------------------------


def test_more_trees_by_warm_start(digits: Split) -> None:
    X_train, _, y_train, _ = digits
    ours, theirs = fit_both(X_train, y_train, warm_start=True)
    for forest in (ours, theirs):
        forest.set_params(n_estimators=9).fit(X_train, y_train)
    assert_same_trees(ours, theirs)
    with pytest.warns(UserWarning, match="does not fit new trees"):
        ours.fit(X_train, y_train)


def test_names_of_features_are_kept(digits: Split) -> None:
    X_train, X_test, y_train, _ = digits
    names = [f"pixel{i}" for i in range(X_train.shape[1])]
    forest = RandomForestClassifier(3).fit(pd.DataFrame(X_train, columns=names), y_train)
    assert forest.feature_names_in_.tolist() == names
    forest.predict_proba(pd.DataFrame(X_test, columns=names))  # warns, if they were lost
    assert not hasattr(forest.fit(X_train, y_train), "feature_names_in_")


def test_labels_of_any_kind(digits: Split) -> None:
    X_train, _, y_train, _ = digits
    for labels in (np.array(list("abcdefghij"))[y_train], y_train * 1000 - 5, y_train > 4):
        ours, theirs = fit_both(X_train, labels)
        assert_same_trees(ours, theirs)
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)


def test_pickles_and_is_light(digits: Split) -> None:
    X_train, X_test, y_train, _ = digits
    ours, theirs = fit_both(X_train, y_train)
    copy = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(copy.predict_proba(X_test), ours.predict_proba(X_test))
    assert len(pickle.dumps(ours)) < 1.05 * len(pickle.dumps(theirs))
    assert set(vars(ours)) == set(vars(theirs)) | {"_pixel_scale"}


def test_pixels_are_not_copied_to_float32(rng: np.random.Generator) -> None:
    X = rng.integers(0, 256, (4000, 784)).astype(np.uint8)
    y = rng.integers(0, 2, 4000)
    forest = RandomForestClassifier(2, max_depth=2).fit(X, y)
    tracemalloc.start()
    try:
        forest.fit(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * X.nbytes  # a transposed copy; float32 alone would be four times X


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize("n", [1, 17, 500, 501, 9000])
def test_few_and_many_rows_get_the_same_probabilities(digits: Split, n: int, dtype: str) -> None:
    X_train, _, y_train, _ = digits
    ours, theirs = fit_both(X_train, y_train, n_estimators=10)
    rows = np.resize(X_train, (n, X_train.shape[1])).astype(dtype)
    np.testing.assert_array_equal(ours.predict_proba(rows), theirs.predict_proba(rows))
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))
    ours.set_params(n_jobs=2)
    np.testing.assert_array_equal(ours.predict_proba(rows), theirs.predict_proba(rows))


# -- what is left to scikit-learn ------------------------------------------------------------------


def _many_values(X: Any) -> Any:
    return X + np.random.default_rng(0).random(X.shape)


@pytest.mark.parametrize(
    ("convert", "params"),
    [
        (csr_array, {}),
        (_many_values, {}),
        (lambda X: np.where(X == 255, np.nan, X), {}),
        (lambda X: X * np.float32(1e-10), {}),
        (lambda X: X, {"max_leaf_nodes": 20}),
    ],
    ids=["sparse", "many values", "missing values", "too close", "max_leaf_nodes"],
)
@pytest.mark.usefixtures("must_hand_over")
def test_left_to_scikit_learn(digits: Split, convert: Any, params: dict[str, Any]) -> None:
    X_train, X_test, y_train, _ = digits
    ours, theirs = fit_both(convert(X_train), y_train, **params)
    assert_same_trees(ours, theirs)
    rows = convert(X_test)
    np.testing.assert_array_equal(ours.predict_proba(rows), theirs.predict_proba(rows))


@pytest.mark.usefixtures("must_hand_over")
def test_labels_left_to_scikit_learn(digits: Split) -> None:
    X_train, _, y_train, _ = digits
    many = np.arange(900) % 300
    assert_same_trees(*fit_both(np.resize(X_train, (900, 784)), many, max_depth=4))
    monotonic = np.ones(X_train.shape[1], dtype=int)
    assert_same_trees(*fit_both(X_train, y_train > 4, monotonic_cst=monotonic))


_PATCHED = """
from sklearnex import patch_sklearn
patch_sklearn(verbose=False)
from mnist_models import LogisticRegression, RandomForestClassifier, load_sample_digits
from sklearn.tree import DecisionTreeClassifier
X_train, X_test, y_train, y_test = load_sample_digits().sample(600, random_state=0).split()
forest = RandomForestClassifier(20, random_state=0).fit(X_train, y_train)
assert {type(tree) for tree in forest.estimators_} == {DecisionTreeClassifier}
assert forest.score(X_test, y_test) > 0.85
small = RandomForestClassifier(20, random_state=0).fit(X_train[:100, ::2], y_train[:100])
assert {type(tree) for tree in small.estimators_} == {DecisionTreeClassifier}
assert LogisticRegression().fit(X_train / 255, y_train).score(X_test / 255, y_test) > 0.85
"""


@pytest.mark.slow
def test_sklearnex_may_patch_scikit_learn_before(tmp_path: Path) -> None:
    """It puts other classes into sklearn.ensemble, of which ours must not be made."""
    if not find_spec("sklearnex"):
        pytest.skip("needs scikit-learn-intelex")
    subprocess.run([sys.executable, "-c", _PATCHED], check=True, cwd=tmp_path, timeout=120)


@pytest.mark.parametrize("small", [1e-17, 1e-200])
def test_weights_that_vanish_beside_others_are_no_error(
    digits: Split, rng: np.random.Generator, small: float
) -> None:
    X_train, X_test, y_train, _ = digits
    weight = np.where(rng.random(len(y_train)) < 0.5, 1.0, small)
    for w in (weight, np.full(len(y_train), small)):
        forest = RandomForestClassifier(3, bootstrap=False, random_state=0)
        shares = forest.fit(X_train, y_train, w).predict_proba(X_test)
        np.testing.assert_allclose(shares.sum(axis=1), 1)


@pytest.mark.filterwarnings("ignore:.*sparse:UserWarning")  # pandas' columns are made dense
def test_sparse_columns_of_a_dataframe(digits: Split) -> None:
    X_train, _, y_train, _ = digits
    frame = pd.DataFrame(X_train.astype(float)).astype(pd.SparseDtype("float", 0.0))
    ours, theirs = fit_both(frame, y_train, n_estimators=3)
    assert_same_trees(ours, theirs)
    np.testing.assert_array_equal(ours.predict(frame[:5]), theirs.predict(frame[:5]))


def test_a_number_is_no_row(digits: Split) -> None:
    X_train, _, y_train, _ = digits
    with pytest.raises(ValueError, match="2D array"):
        RandomForestClassifier(3).fit(X_train, y_train).predict_proba(3.0)
