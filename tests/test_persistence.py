"""Model files: data only, whole, checked before they are believed."""

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier

from mnist_models import (
    LogisticRegression,
    RandomForestClassifier,
    SequentialClassifier,
    load_model,
    make_model,
    save_model,
)
from mnist_models.exceptions import ModelFormatError
from mnist_models.persistence import _fingerprint
from mnist_models.preprocessing import Standardize

from .conftest import Split, quick_model


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def _write(path: Path, manifest: Any, arrays: dict[str, Any]) -> None:
    """A file as somebody would forge it: well-formed, the sum right, the content theirs."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    metadata = {"mnist_models": text, "sha256": _fingerprint(text, arrays)}
    path.write_bytes(safetensors.numpy.save(arrays, metadata))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["mnist_models"]), safetensors.numpy.load(content)


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
    name: str, table: tuple[Any, Any], tmp_path: Path
) -> None:
    X, y = table
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = quick_model(name).fit(frame, y > 0)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(frame), model.predict_proba(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["d", "c", "b", "a"]])


def test_parameters_and_history_come_back(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    network = SequentialClassifier((8, 4), epochs=3, dropout=0.1, random_state=0).fit(X, y)
    save_model(network, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.get_params() == network.get_params()
    assert loaded.history_ == network.history_
    assert loaded.n_epochs_ == 3


def test_what_cannot_be_plain_data_is_refused(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    path = tmp_path / "model"
    with pytest.raises(TypeError, match="KNeighborsClassifier"):
        save_model(KNeighborsClassifier().fit(X, y), path)
    with pytest.raises(TypeError, match="classifier"):
        save_model(Standardize().fit(X), path)
    with pytest.raises(TypeError, match="class_weight"):
        save_model(LogisticRegression(class_weight={0: 1, 1: 2, 2: 1}).fit(X, y), path)
    with pytest.raises(NotFittedError):
        save_model(make_model("logistic"), path)
    assert not path.exists()


def test_a_failing_save_leaves_the_old_file(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(X, y), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_model(KNeighborsClassifier().fit(X, y), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_kill_9_while_saving_leaves_a_good_file(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    code = f"""
import numpy as np
from mnist_models import RandomForestClassifier, save_model
rng = np.random.default_rng(0)
model = RandomForestClassifier(30).fit(rng.random((2000, 9)), np.arange(2000) % 7)
print("saving", flush=True)
while True:
    save_model(model, {str(path)!r})
"""
    for delay in (0.0, 0.02, 0.05, 0.11):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        load_model(path)


# -- files that are none ---------------------------------------------------------------------------


class _Canary:
    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        b"<html>not found</html>",
        pickle.dumps(_Canary()),
        (2).to_bytes(8, "little") + b"{}",
        (10**12).to_bytes(8, "little") + b"{}",
        (100_000).to_bytes(8, "little") + b'{"a":' + b"[" * 99_995,
    ],
    ids=["empty", "zeros", "ones", "html", "pickle", "no model", "huge header", "deep"],
)
def test_other_files_are_refused_and_not_run(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").write_bytes(content)
    with pytest.raises(ModelFormatError, match="model is not a model"):
        load_model("model")
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "model")


def test_no_cut_and_no_flipped_bit_goes_unnoticed(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    sound = path.read_bytes()
    for at in range(0, len(sound), 7):
        flipped = sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :]
        for content in (sound[:at], flipped):
            path.write_bytes(content)
            with pytest.raises(ModelFormatError, match="model is not a model"):
                load_model(path)


# -- forged files ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forest_file(table: tuple[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forest") / "model"
    save_model(quick_model("forest", n_estimators=3)[-1].fit(*table), path)
    return path


_TREE_HARMS = {
    "a child behind the end": ("0/node.left_child", 0, 10**6),
    "a negative child": ("0/node.right_child", 0, -7),
    "a cycle": ("0/node.left_child", 0, 0),
    "a feature that is not there": ("0/node.feature", 0, 4),
    "a negative feature": ("0/node.feature", 0, -3),
    "a threshold of NaN": ("0/node.threshold", 0, np.nan),
    "a value of infinity": ("0/values", (0, 0), np.inf),
    "a count too high": ("0/node_count", 0, 10**15),
    "counts that wrap around": ("0/node_count", 0, 2**63 - 1),
    "a negative count": ("0/node_count", 0, -1),
}


def test_nodes_with_two_parents_are_refused(forest_file: Path, tmp_path: Path) -> None:
    """Their depth is not what it seems, and scikit-learn sizes its buffers by that."""
    manifest, arrays = _read(forest_file)
    left, right = arrays["0/node.left_child"], arrays["0/node.right_child"]
    parents = np.flatnonzero(left != -1)
    shared = left.copy()
    shared[parents[0]] = right[parents[0]]
    _write(tmp_path / "model", manifest, arrays | {"0/node.left_child": shared})
    with pytest.raises(ModelFormatError, match="tree 0 with nodes shared"):
        load_model(tmp_path / "model")


def test_arrays_are_looked_at_before_others_of_their_size_are_made(
    forest_file: Path, tmp_path: Path
) -> None:
    """Values of no width cost nothing in a file, however many rows they claim."""
    manifest, arrays = _read(forest_file)
    arrays["0/values"] = np.zeros((10**13, 0))
    arrays["0/node_count"] = np.array([10**13])
    _write(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError, match="values"):
        load_model(tmp_path / "model")


def test_a_forest_fitted_on_missing_values_comes_back(
    table: tuple[Any, Any], tmp_path: Path
) -> None:
    """scikit-learn splits those at infinity."""
    X, y = table
    X = np.where(np.arange(len(X))[:, None] % 3 == 0, np.nan, X)
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    assert any(np.isinf(tree.tree_.threshold).any() for tree in forest.estimators_)
    save_model(forest, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), forest.predict_proba(X))


@pytest.mark.parametrize("harm", _TREE_HARMS.values(), ids=_TREE_HARMS.keys())
def test_trees_that_would_lead_astray_are_refused(
    harm: tuple[str, Any, Any], forest_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = _read(forest_file)
    name, index, value = harm
    arrays[name] = arrays[name].copy()
    arrays[name][index] = value
    _write(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError):
        load_model(tmp_path / "model")


def _set(path: list[Any], value: Any) -> Any:
    def harm(manifest: Any) -> Any:
        place = manifest
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return manifest

    return harm


_STEP = ["steps", 0]
_MANIFEST_HARMS = {
    "a list": lambda m: [m],
    "deep": lambda m: '{"a":' + "[" * 100_000,
    "no steps at all": lambda m: m | {"steps": []},
    "an empty pipeline": lambda m: m | {"steps": [], "pipeline": True},
    "two steps and no pipeline": lambda m: m | {"steps": m["steps"] * 2},
    "two classifiers": lambda m: m | {"steps": m["steps"] * 2, "pipeline": True},
    "no steps": lambda m: {"format": 1},
    "another format": _set(["format"], 2),
    "another kind": _set([*_STEP, "kind"], "os.system"),
    "a list for a kind": _set([*_STEP, "kind"], ["forest"]),
    "no settings": _set([*_STEP, "settings"], None),
    "an unknown parameter": _set([*_STEP, "settings", "params"], {"__class__": "os.system"}),
    "a fitted attribute": _set([*_STEP, "settings", "params"], {"estimators_": [1]}),
    "too many features": _set([*_STEP, "settings", "n_features"], 10**30),
    "features in words": _set([*_STEP, "settings", "n_features"], "four"),
    "one class": _set([*_STEP, "settings", "classes"], [0]),
    "other labels": _set([*_STEP, "settings", "classes"], ["a", [], {}]),
    "another type of labels": _set([*_STEP, "settings", "classes_dtype"], "V999999999"),
    "a huge type of labels": _set([*_STEP, "settings", "classes_dtype"], "<U999999999"),
}


@pytest.mark.parametrize("harm", _MANIFEST_HARMS.values(), ids=_MANIFEST_HARMS.keys())
def test_descriptions_that_were_forged_are_refused(
    harm: Any, forest_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = _read(forest_file)
    _write(tmp_path / "model", harm(manifest), arrays)
    with pytest.raises(ModelFormatError, match="not a model that this version"):
        load_model(tmp_path / "model")


def test_a_network_is_not_built_larger_than_its_arrays(
    table: tuple[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    save_model(SequentialClassifier((4,), epochs=1, random_state=0).fit(*table), path)
    manifest, arrays = _read(path)
    manifest["steps"][0]["settings"]["spec"]["hidden_units"] = [60_000_000]
    _write(path, manifest, arrays)
    with pytest.raises(ModelFormatError, match="weight0"):
        load_model(path)


def test_weights_that_are_not_finite_are_refused(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    manifest, arrays = _read(path)
    arrays["0/coef"] = np.full_like(arrays["0/coef"], np.nan)
    _write(path, manifest, arrays)
    with pytest.raises(ModelFormatError, match="not finite"):
        load_model(path)


def test_the_sum_is_over_everything(forest_file: Path) -> None:
    manifest, arrays = _read(forest_file)
    text = json.dumps(manifest)
    assert len(_fingerprint(text, arrays)) == len(hashlib.sha256().hexdigest())
    renamed = {f"x{name}": array for name, array in arrays.items()}
    assert _fingerprint(text, arrays) != _fingerprint(text, renamed)
    assert _fingerprint(text, arrays) != _fingerprint(text + " ", arrays)


def test_a_pipeline_of_real_digits_comes_back(fitted: Any, digits: Split, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert [name for name, _ in loaded.steps] == ["preprocess", "classify"]
    assert loaded[-1].get_params().keys() == fitted[-1].get_params().keys()
    assert loaded.score(digits[1], digits[3]) == fitted.score(digits[1], digits[3])
