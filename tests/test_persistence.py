"""Model files: data only, whole, checked before they are believed."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import ensemble, linear_model
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

from mnist_models import (
    Deskew,
    HogFeatures,
    LogisticRegression,
    RandomForestClassifier,
    load_model,
    make_model,
    save_model,
)
from mnist_models.exceptions import (
    ModelFormatError,
)
from mnist_models.preprocessing import Standardize

from .conftest import Split, quick_model


@pytest.mark.parametrize(
    "labels", [np.array(["x", "yy", "zzz"]), np.array([-1, 0, 900]), np.array([1.0, 2.0, 3.0])]
)
def test_labels_of_any_kind_come_back(labels: Any, table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    model = LogisticRegression().fit(X, labels[y])
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("name", ["logistic", "forest", "network"])
def test_two_classes_and_column_names_come_back(
    name: str, table: tuple[Any, Any], network: Any, tmp_path: Path
) -> None:
    X, y = table
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = network if name == "network" else quick_model(name).fit(frame, y > 0)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(frame), model.predict_proba(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["d", "c", "b", "a"]])


def test_parameters_and_history_come_back(network: Any, tmp_path: Path) -> None:
    save_model(network, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.get_params() == network.get_params()
    assert loaded.history_ == network.history_
    assert loaded.n_epochs_ == 2


@pytest.mark.parametrize("weights", [{0: 1, 1: 2.5, 2: 1}, {"a": 2, "b": 1, "c": 1}, "balanced"])
@pytest.mark.parametrize("kind", [LogisticRegression, RandomForestClassifier])
def test_class_weights_come_back(
    kind: Any, weights: Any, table: tuple[Any, Any], tmp_path: Path
) -> None:
    X, y = table
    labels = np.array(["a", "b", "c"])[y] if "a" in weights else y
    model = kind(class_weight=weights).fit(X, labels)
    save_model(model, tmp_path / "model")
    assert load_model(tmp_path / "model").get_params() == model.get_params()


def test_of_a_search_the_best_model_is_saved(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    grid = {"classify__C": [0.01, 1.0]}
    search = GridSearchCV(make_model("logistic"), grid, cv=2).fit(X, y)
    save_model(search, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), search.predict_proba(X))
    assert loaded.get_params()["classify__C"] == search.best_params_["classify__C"]
    blind = GridSearchCV(make_model("logistic"), grid, cv=2, refit=False).fit(X, y)
    with pytest.raises(TypeError, match="refit=True"):
        save_model(blind, tmp_path / "model")


def test_what_cannot_be_plain_data_is_refused(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    path = tmp_path / "model"
    sparse = LogisticRegression().fit(X, y).sparsify()
    for model, told in [
        (KNeighborsClassifier().fit(X, y), r"sklearn\.neighbors.*KNeighborsClassifier"),
        (make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), "sklearn.preprocessing"),
        (make_pipeline("passthrough", LogisticRegression()).fit(X, y), "builtins.str"),
        (Standardize().fit(X), "classifier"),
        (LogisticRegression(random_state=np.random.RandomState(0)).fit(X, y), "random_state"),
        (RandomForestClassifier(2).fit(X, np.column_stack([y, y])), "one output"),
        (sparse, "coef must be an array"),
    ]:
        with pytest.raises(TypeError, match=told):
            save_model(model, path)
    assert not path.exists()


@pytest.mark.parametrize("dtype", ["M8[D]", "M8[ns]", np.longdouble])
def test_labels_that_no_file_can_hold_are_refused(
    dtype: Any, table: tuple[Any, Any], tmp_path: Path
) -> None:
    X, y = table
    model = LogisticRegression().fit(X, y.astype(dtype))
    with pytest.raises(TypeError, match="saved as plain data"):
        save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_what_is_not_fitted_is_refused(table: tuple[Any, Any], tmp_path: Path) -> None:
    fitted = LogisticRegression().fit(*table)
    for model in (make_model("logistic"), make_pipeline(Standardize(), fitted)):
        with pytest.raises(NotFittedError):
            save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_saved_twice_is_the_same_file(
    each_kind: list[tuple[Any, Path]], tmp_path: Path
) -> None:
    """So that whoever makes it anew can tell its SHA-256."""
    for model, path in each_kind:
        save_model(model, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


# -- pipelines of image features -------------------------------------------------------------------


def _accurate(name: str) -> Pipeline:
    """Recipes of the kind that read digits best, made small."""
    steps: list[tuple[str, Any]] = [("deskew", Deskew((28, -1)))]
    if name == "forest":
        steps.append(("hog", HogFeatures(dtype="uint8")))
    else:
        steps += [
            ("hog", HogFeatures(cell_size=9)),
            ("pca", PCA(8)),
            ("products", PolynomialFeatures(2, include_bias=False)),
            ("standardize", Standardize()),
        ]
    return Pipeline([("preprocess", Pipeline(steps)), ("classify", quick_model(name)[-1])])


@pytest.fixture(scope="module", params=["logistic", "forest"])
def accurate(request: pytest.FixtureRequest, digits: Split) -> Any:
    return _accurate(request.param).fit(digits[0], digits[2])


@pytest.fixture(scope="module")
def conv(digits: Split) -> Any:
    params: Any = {"epochs": 1, "dropout": 0.1, "random_state": 0}
    return make_model("network", recipe="accurate", **params).fit(digits[0], digits[2])


def test_a_convolutional_network_comes_back(conv: Any, digits: Split, tmp_path: Path) -> None:
    save_model(conv, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    _assert_same_bits(loaded, conv, digits[1])
    _assert_same_bits(pickle.loads(pickle.dumps(loaded)), conv, digits[1])
    assert repr(loaded) == repr(conv)
    assert loaded[-1].history_ == conv[-1].history_


def test_a_function_is_code_and_not_saved(table: tuple[Any, Any], tmp_path: Path) -> None:
    steps = [("f", FunctionTransformer(np.sqrt)), ("classify", LogisticRegression())]
    model = Pipeline(steps).fit(np.abs(table[0]), table[1])
    with pytest.raises(TypeError, match="func must be a number"):
        save_model(model, tmp_path / "model")


def _assert_same_bits(loaded: Any, model: Any, X: Any) -> None:
    for rows in (1, 2, 7, len(X)):
        ours, theirs = loaded.predict_proba(X[:rows]), model.predict_proba(X[:rows])
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_image_features_come_back(accurate: Any, digits: Split, tmp_path: Path) -> None:
    save_model(accurate, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    _assert_same_bits(loaded, accurate, digits[1])
    _assert_same_bits(pickle.loads(pickle.dumps(loaded)), accurate, digits[1])
    assert repr(loaded) == repr(accurate)
    names = loaded[0].get_feature_names_out()
    np.testing.assert_array_equal(names, accurate[0].get_feature_names_out())
    last = loaded[0][-1].set_output(transform="pandas")
    assert list(loaded[0].transform(digits[1]).columns) == list(last.get_feature_names_out())
    refitted = clone(loaded).fit(digits[0], digits[2])
    np.testing.assert_array_equal(
        refitted.predict_proba(digits[1]), accurate.predict_proba(digits[1])
    )


def test_all_that_a_pca_learned_comes_back(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table[0].astype(np.float32), table[1]
    pca = make_pipeline(PCA(2), LogisticRegression()).fit(X, y)
    save_model(pca, tmp_path / "model")
    loaded = load_model(tmp_path / "model")[0]
    for name, value in vars(pca[0]).items():
        if name.endswith("_"):
            np.testing.assert_array_equal(getattr(loaded, name), value)
            assert np.asarray(getattr(loaded, name)).dtype == np.asarray(value).dtype
    assert loaded.score(X) == pca[0].score(X)


@pytest.mark.parametrize(
    ("solver", "n_components"),
    [
        ("full", 7),
        ("full", "mle"),
        ("covariance_eigh", 0.8),
        ("covariance_eigh", None),
        ("arpack", 7),
        ("randomized", 7),
    ],
)
def test_components_come_back_however_they_lie_in_memory(
    solver: str, n_components: Any, rng: np.random.Generator, tmp_path: Path
) -> None:
    """BLAS rounds otherwise where a matrix lies otherwise; ARPACK's lies upside down."""
    X = (rng.normal(size=(300, 60)) @ rng.normal(size=(60, 60))).astype(np.float32)
    pca = PCA(n_components, svd_solver=solver, whiten=True, random_state=0)
    model = make_pipeline(pca, LogisticRegression()).fit(X, X[:, 0] > 0)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded[0].transform(X), model[0].transform(X))
    _assert_same_bits(loaded, model, X)


def test_frames_between_the_steps_come_back(digits: Split, tmp_path: Path) -> None:
    """Names that a step was fitted with, and no frame to carry them, would be a warning."""
    model = _accurate("logistic").set_output(transform="pandas")
    frame = pd.DataFrame(digits[0]).add_prefix("pixel")
    model.fit(frame, digits[2])
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert isinstance(loaded[0].transform(frame), pd.DataFrame)
    np.testing.assert_array_equal(loaded.feature_names_in_, frame.columns)
    _assert_same_bits(loaded, model, frame)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (linear_model.LogisticRegression(C=0.1), LogisticRegression),
        (ensemble.RandomForestClassifier(5, random_state=0), RandomForestClassifier),
    ],
)
def test_models_of_scikit_learn_come_back_as_ours(
    theirs: Any, ours: type[Any], table: tuple[Any, Any], tmp_path: Path
) -> None:
    X, y = table
    save_model(theirs.fit(X, y), tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert type(loaded) is ours
    assert loaded.get_params() == theirs.get_params()
    _assert_same_bits(loaded, theirs, X)


def test_pipelines_nest_so_far(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    model: Any = LogisticRegression().fit(X, y)
    for _ in range(8):
        model = make_pipeline(model)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ModelFormatError, match="nested at most 8 deep"):
        save_model(make_pipeline(model), tmp_path / "deeper")
    assert not (tmp_path / "deeper").exists()


def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    X = np.array([[0.5], [1.5], [0.2]])
    model = make_pipeline(PolynomialFeatures(101), LogisticRegression()).fit(X, [0, 1, 0])
    with pytest.raises(ModelFormatError, match="degree 101"):
        save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_pipeline_of_real_digits_comes_back(fitted: Any, digits: Split, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert [name for name, _ in loaded.steps] == ["preprocess", "classify"]
    assert loaded[-1].get_params().keys() == fitted[-1].get_params().keys()
    assert loaded.score(digits[1], digits[3]) == fitted.score(digits[1], digits[3])
