"""Model files that somebody forged: well-formed, the sum right, the content theirs."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures

from mnist_models import (
    Deskew,
    HogFeatures,
    LogisticRegression,
    RandomForestClassifier,
    load_model,
    save_model,
)
from mnist_models._container import _fingerprint
from mnist_models._model_files.checks import MOST_NUMBERS
from mnist_models.exceptions import ModelFormatError
from mnist_models.preprocessing import Standardize

from .conftest import Split
from .forging import read_file, write_file

Table = tuple[NDArray[Any], NDArray[Any]]


def _set(path: list[Any], value: Any) -> Any:
    def harm(manifest: Any) -> Any:
        place = manifest
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return manifest

    return harm


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def test_weights_that_are_not_finite_are_refused(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    manifest, arrays = read_file(path)
    arrays["coef"] = np.full_like(arrays["coef"], np.nan)
    write_file(path, manifest, arrays)
    with pytest.raises(ModelFormatError, match="not finite"):
        load_model(path)


# -- a forest --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forest_file(table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forest") / "model"
    save_model(RandomForestClassifier(3, random_state=0).fit(*table), path)
    return path


_TREE_HARMS = {
    "a child behind the end": ("node.left_child", 0, 10**6),
    "a negative child": ("node.right_child", 0, -7),
    "a cycle": ("node.left_child", 0, 0),
    "a feature that is not there": ("node.feature", 0, 4),
    "a negative feature": ("node.feature", 0, -3),
    "a threshold of NaN": ("node.threshold", 0, np.nan),
    "a value of infinity": ("values", (0, 0), np.inf),
    "a count too high": ("node_count", 0, 10**15),
    "counts that wrap around": ("node_count", 0, 2**63 - 1),
    "a negative count": ("node_count", 0, -1),
}


@pytest.mark.parametrize("harm", _TREE_HARMS.values(), ids=_TREE_HARMS.keys())
def test_trees_that_would_lead_astray_are_refused(
    harm: tuple[str, Any, Any], forest_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = read_file(forest_file)
    name, index, value = harm
    arrays[name] = arrays[name].copy()
    arrays[name][index] = value
    write_file(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError):
        load_model(tmp_path / "model")


def test_nodes_with_two_parents_are_refused(forest_file: Path, tmp_path: Path) -> None:
    """Their depth is not what it seems, and scikit-learn sizes its buffers by that."""
    manifest, arrays = read_file(forest_file)
    left, right = arrays["node.left_child"], arrays["node.right_child"]
    parents = np.flatnonzero(left != -1)
    shared = left.copy()
    shared[parents[0]] = right[parents[0]]
    write_file(tmp_path / "model", manifest, arrays | {"node.left_child": shared})
    with pytest.raises(ModelFormatError, match="tree 0 with nodes shared"):
        load_model(tmp_path / "model")


def test_arrays_are_looked_at_before_others_of_their_size_are_made(
    forest_file: Path, tmp_path: Path
) -> None:
    """Values of no width cost nothing in a file, however many rows they claim."""
    manifest, arrays = read_file(forest_file)
    arrays["values"] = np.zeros((10**13, 0))
    arrays["node_count"] = np.array([10**13])
    write_file(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError, match="values"):
        load_model(tmp_path / "model")


_FOREST_HARMS = {
    "a list": lambda m: [m],
    "deep": lambda m: '{"a":' + "[" * 100_000,
    "only a format": lambda m: {"format": 1},
    "another format": _set(["format"], 2),
    "another kind": _set(["kind"], "os.system"),
    "a key more": _set(["settings", "callbacks"], ["os.system"]),
    "a list for a kind": _set(["kind"], ["forest"]),
    "no settings": _set(["settings"], None),
    "an unknown parameter": _set(["settings", "params"], {"__class__": "os.system"}),
    "a fitted attribute": _set(["settings", "params"], {"estimators_": [1]}),
    "a parameter of another type": _set(["settings", "params", "criterion"], {"a": []}),
    "too many features": _set(["settings", "n_features"], 10**30),
    "features in words": _set(["settings", "n_features"], "four"),
    "names of fewer features": _set(["settings", "feature_names"], ["a", "b"]),
    "names that are none": _set(["settings", "feature_names"], [["a"], {}, 3, None]),
    "an output that is none": _set(["settings", "output"], "os.system"),
    "an output of no transformer": _set(["settings", "output"], "pandas"),
    "layouts that are none": _set(["settings", "layouts"], {"values": 7}),
    "a layout of more axes": _set(["settings", "layouts"], {"values": [0, 0, 0, 0]}),
    "one class": _set(["settings", "classes"], [0]),
    "other labels": _set(["settings", "classes"], ["a", [], {}]),
    "another type of labels": _set(["settings", "classes_dtype"], "V999999999"),
    "a huge type of labels": _set(["settings", "classes_dtype"], "<U999999999"),
}


@pytest.mark.parametrize("harm", _FOREST_HARMS.values(), ids=_FOREST_HARMS.keys())
def test_descriptions_that_were_forged_are_refused(
    harm: Any, forest_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = read_file(forest_file)
    write_file(tmp_path / "model", harm(manifest), arrays)
    with pytest.raises(ModelFormatError, match="not a model that"):
        load_model(tmp_path / "model")


def test_the_sum_is_over_everything(forest_file: Path) -> None:
    manifest, arrays = read_file(forest_file)
    text = json.dumps(manifest)
    assert len(_fingerprint(text, arrays)) == len(hashlib.sha256().hexdigest())
    renamed = {f"x{name}": array for name, array in arrays.items()}
    assert _fingerprint(text, arrays) != _fingerprint(text, renamed)
    assert _fingerprint(text, arrays) != _fingerprint(text + " ", arrays)


# -- pipelines and what transforms -----------------------------------------------------------------


@pytest.fixture(scope="module")
def pipeline_file(digits: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    X, _, y, _ = digits
    steps = [
        ("deskew", Deskew()),
        ("hog", HogFeatures(cell_size=9)),
        ("pca", PCA(8)),
        ("products", PolynomialFeatures(2, include_bias=False)),
        ("standardize", Standardize()),
    ]
    pipeline = Pipeline([("preprocess", Pipeline(steps)), ("classify", LogisticRegression())])
    path = tmp_path_factory.mktemp("pipeline") / "model"
    save_model(pipeline.fit(X, y), path)
    return path


_OUTER: list[Any] = ["settings", "steps"]
_INNER = [*_OUTER, 0, "settings", "steps"]
_STEPS = {name: [*_INNER, i] for i, name in enumerate(["deskew", "hog", "pca", "products"])}


def _told(step: str, name: str, value: Any) -> Any:
    return _set([*_STEPS[step], "settings", name], value)


def _param(step: str, name: str, value: Any) -> Any:
    return _set([*_STEPS[step], "settings", "params", name], value)


def _put(path: list[Any], make: Any) -> Any:
    """Make the list at that place another one."""

    def harm(manifest: Any) -> Any:
        steps = manifest
        for key in path:
            steps = steps[key]
        steps[:] = make(list(steps))
        return manifest

    return harm


def _nested(depth: int) -> Any:
    """The pipeline within so many others, as text: json cannot write what is so deep."""
    before = '"kind": "pipeline", "settings": {"steps": [{"name": "a", '

    def harm(manifest: Any) -> str:
        inner = json.dumps({key: manifest[key] for key in ("kind", "settings")})[1:-1]
        versions = json.dumps(manifest["versions"])
        return (
            f'{{"format": 1, "versions": {versions}, '
            + before * depth
            + inner
            + "}]}" * depth
            + "}"
        )

    return harm


# Each with what the error must tell of what was found.
_PIPELINE_HARMS = {
    "another image shape": (_param("deskew", "image_shape", [10, 10]), r"\(10, 10\).*784"),
    "an image shape of nothing": (_param("hog", "image_shape", [-1, -1]), r"\(-1, -1\)"),
    "an image shape in words": (_param("hog", "image_shape", "28x28"), "'28x28'"),
    "a flat image": (_param("hog", "image_shape", [1, 784]), r"\(1, 784\)"),
    "many orientations": (_param("hog", "orientations", 10**9), "49000000000"),
    "orientations that wrap around": (_param("hog", "orientations", 2**58 + 8), "orientations="),
    "orientations beyond 64 bits": (_param("hog", "orientations", 10**400), "orientations="),
    "another number of orientations": (_param("hog", "orientations", 9), "441 features"),
    "no cells": (_param("hog", "cell_size", 0), "cell_size == 0"),
    "cells beyond the image": (_param("hog", "cell_size", 29), "cell_size=29"),
    "blocks beyond the image": (_param("hog", "block_size", 10**12), "block_size=10"),
    "strides beyond the cell": (_param("hog", "stride", 10), "stride == 10"),
    "another norm": (_param("hog", "block_norm", ["L2"]), "block_norm"),
    "another dtype": (_param("hog", "dtype", "object"), "'object'"),
    "an epsilon of NaN": (_param("hog", "epsilon", float("nan")), "epsilon"),
    "more components asked for": (_param("pca", "n_components", 9), "8 components"),
    "more components told": (_told("pca", "n_components", 9), "n_components=8"),
    "components beyond the rows": (_told("pca", "n_samples", 3), "n_components 8"),
    "rows in words": (_told("pca", "n_samples", "many"), "'many'"),
    "another solver": (_param("pca", "svd_solver", "evil"), "'evil'"),
    "a high degree": (_param("products", "degree", 50), "1916797310 products"),
    "a degree that takes years to count": (_param("products", "degree", 10**9), "1000000000"),
    "degrees that take years": (_param("products", "degree", [2, 10**9]), "1000000000"),
    "a negative degree": (_param("products", "degree", -1), "-1"),
    "no degrees": (_param("products", "degree", []), "index"),
    "degrees in words": (_param("products", "degree", ["one", "two"]), "'two'"),
    "another degree": (_param("products", "degree", 3), "164 features"),
    "a bias": (_param("products", "include_bias", True), "45 features"),
    "no features": (_told("products", "n_features", 0), "n_features 0"),
    "too many features": (_told("products", "n_features", MOST_NUMBERS + 1), "16777217"),
    "other widths": (_told("products", "n_features", 9), "a step for 9"),
    "steps in another order": (_put(_INNER, lambda s: [s[1], s[0], *s[2:]]), "a step for 784"),
    "a step left out": (_put(_INNER, lambda s: s[:1] + s[2:]), "components|array"),
    "a classifier in front": (_put(_OUTER, lambda s: [s[1], s[0]]), "array"),
    "two classifiers": (_put(_OUTER, lambda s: [*s, s[1]]), "array"),
    "no classifier": (_put(_OUTER, lambda s: s[:1]), "nothing beside what it is made of"),
    "no steps inside": (_put(_INNER, lambda s: []), "without steps"),
    "no steps outside": (_put(_OUTER, lambda s: []), "without steps"),
    "steps of nothing": (_put(_OUTER, lambda s: [None]), "NoneType"),
    "steps in words": (_set(_OUTER, "steps"), "."),
    "names that are equal": (_set([*_STEPS["hog"], "name"], "deskew"), "deskew"),
    "a name of two": (_set([*_STEPS["hog"], "name"], "pca__hog"), "pca__hog"),
    "a name that is taken": (_set([*_STEPS["hog"], "name"], "memory"), "memory"),
    "a name that is a number": (_set([*_STEPS["hog"], "name"], 7), "7"),
    "nesting": (_nested(7), "nested at most 8"),
    "deep nesting": (_nested(10_000), "."),
}


@pytest.mark.parametrize("harm", _PIPELINE_HARMS.values(), ids=_PIPELINE_HARMS.keys())
def test_pipelines_that_were_forged_are_refused(
    harm: tuple[Any, str], pipeline_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = read_file(pipeline_file)
    forge, found = harm
    write_file(tmp_path / "model", forge(manifest), arrays)
    with pytest.raises(ModelFormatError, match=f"(?s)not a model that.*(?:{found})"):
        load_model(tmp_path / "model")


def test_a_classifier_in_front_is_refused_though_its_arrays_are_there(
    pipeline_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = read_file(pipeline_file)
    steps = manifest["settings"]["steps"]
    steps.append(steps[1])
    arrays |= {f"2/{k[2:]}": array for k, array in arrays.items() if k.startswith("1/")}
    write_file(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError, match="found LogisticRegression in front of a step"):
        load_model(tmp_path / "model")


_ARRAY_HARMS = {
    "fewer components": ("0/2/components", lambda a: a[:-1]),
    "components of whole numbers": ("0/2/components", lambda a: a.astype(np.int64)),
    "components of another type": ("0/2/components", lambda a: a.astype(np.float64)),
    "components of NaN": ("0/2/components", lambda a: a * np.nan),
    "components of no width": ("0/2/components", lambda a: np.zeros((10**13, 0))),
    "a mean too short": ("0/2/mean", lambda a: a[1:]),
    "a mean of more axes": ("0/2/mean", lambda a: a[None]),
    "two noises": ("0/2/noise_variance", lambda a: np.append(a, a)),
    "negative variances": ("0/2/explained_variance", lambda a: -a),
    "singular values missing": ("0/2/singular_values", lambda a: None),
    "scales of 0": ("0/4/scale", lambda a: a * 0),
    "scales of infinity": ("0/4/scale", lambda a: a * np.inf),
}


@pytest.mark.parametrize("harm", _ARRAY_HARMS.values(), ids=_ARRAY_HARMS.keys())
def test_arrays_that_were_forged_are_refused(
    harm: tuple[str, Any], pipeline_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = read_file(pipeline_file)
    name, change = harm
    forged = {name: change(arrays.pop(name))}
    arrays |= {key: np.ascontiguousarray(a) for key, a in forged.items() if a is not None}
    write_file(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError, match="found"):
        load_model(tmp_path / "model")


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a description, the branches too."""
    if not isinstance(node, dict | list):
        return []
    keys: Any = node if isinstance(node, dict) else range(len(node))
    found = [(*path, key) for key in keys]
    return found + [each for place in found for each in _places(node[place[-1]], place)]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 30)
    | st.sampled_from([10**9, 2**31, 2**63, 10**30])
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["pipeline", "hog", "logistic", "uint8", "<U1", "pandas"]),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=2)
    ),
    max_leaves=5,
)


# what a forged name or output costs is scikit-learn's warning that names do not match
@pytest.mark.filterwarnings("ignore:X (has|does not have) .*feature names")
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_description_says_it_is_refused_or_predicts(
    data: st.DataObject, pipeline_file: Path
) -> None:
    manifest, arrays = read_file(pipeline_file)
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(_places(manifest)))
        _set(list(place), data.draw(_JSON))(manifest)
    forged = pipeline_file.with_name("forged")
    write_file(forged, manifest, arrays)
    try:
        model = load_model(forged)
    except ModelFormatError as error:
        assert "not a model that" in str(error)  # noqa: PT017
    else:
        X = np.eye(2, model.n_features_in_, dtype=np.uint8)
        assert model.predict_proba(X).shape == (2, len(model.classes_))
