"""Model files: data only, whole, checked before they are believed."""

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
    SequentialClassifier,
    load_model,
    make_model,
    save_model,
)
from mnist_models.exceptions import (
    ModelFormatError,
    ModelSecurityError,
    ModelVersionWarning,
)
from mnist_models.preprocessing import Standardize

from .conftest import Split, quick_model
from .forging import read_file, write_file


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


@pytest.fixture(scope="module")
def network(table: tuple[Any, Any]) -> Any:
    """Of two classes, fitted on a DataFrame."""
    X, y = table
    params: Any = {"hidden_units": (8, 4), "epochs": 2, "dropout": 0.1, "random_state": 0}
    return SequentialClassifier(**params).fit(pd.DataFrame(X, columns=list("abcd")), y > 0)


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


def test_a_failing_save_leaves_the_old_file(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(X, y), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_model(KNeighborsClassifier().fit(X, y), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


_TWO_MODELS = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from mnist_models import RandomForestClassifier, load_model, save_model
path, rng = Path(sys.argv[1]), np.random.default_rng(0)
X, y = rng.random((2000, 9)), np.arange(2000) % 7
models = [RandomForestClassifier(10, random_state=seed).fit(X, y) for seed in (0, 1)]
contents = []
for model in models:
    save_model(model, path)
    contents.append(path.read_bytes())
assert len(set(contents)) == 2

def saving(models):
    child = os.fork()
    while not child:
        for model in models:
            save_model(model, path)
    return child
"""

_KILL = (
    _TWO_MODELS
    + """
for delay in rng.uniform(0, 0.06, 50):
    child = saving(models)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert path.read_bytes() in contents
load_model(path)
"""
)


def test_kill_9_at_fifty_instants_of_saving_leaves_a_good_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILL, str(tmp_path / "model")], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stderr


_AT_ONCE = (
    _TWO_MODELS
    + """
children, found = [saving([model]) for model in models], []
try:
    while len(found) < 500 or len(set(found)) < 2:
        content = path.read_bytes()
        assert content in contents
        found.append(content)
finally:
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""
)


def test_two_processes_save_to_one_path_and_a_third_reads_whole_files(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AT_ONCE, str(tmp_path / "model")],
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr


_FULL = """
import resource, sys
import numpy as np
from mnist_models import LogisticRegression, load_model, save_model
model = LogisticRegression().fit(np.eye(2, 5000), [0, 1])
save_model(model, sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_model(model, sys.argv[1])
except OSError as error:
    print(error)
load_model(sys.argv[1])
"""


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path / "model")], capture_output=True, text=True
    )
    said = f"[Errno 27] File too large: '{tmp_path / 'model'}'\n"
    assert (done.stdout, done.stderr) == (said, "")
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


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


# -- files that are none ---------------------------------------------------------------------------


class _Canary:
    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


def _by_joblib() -> bytes:
    file = io.BytesIO()
    joblib.dump([_Canary(), np.zeros(9)], file, compress=3)
    return file.getvalue()


def _zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, coef=np.array([_Canary()], dtype=object))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        b"<html>not found</html>",
        pickle.dumps(_Canary()),
        _by_joblib(),
        _npz(),
        _zip(**{"schema.json": b'{"__class__": "mkdir", "__module__": "os"}'}),
        b"\x89HDF\r\n\x1a\n" + bytes(2040),
        safetensors.numpy.save({"coef": np.zeros(9)}, {"format": "np"}),
        (2).to_bytes(8, "little") + b"{}",
        (10**12).to_bytes(8, "little") + b"{}",
        (100_000).to_bytes(8, "little") + b'{"a":' + b"[" * 99_995,
    ],
    ids=[
        "empty",
        "zeros",
        "ones",
        "html",
        "pickle",
        "joblib",
        "npz",
        "skops",
        "hdf5",
        "safetensors",
        "no model",
        "huge header",
        "deep",
    ],
)
def test_other_files_are_refused_and_not_run(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").write_bytes(content)
    with pytest.raises(ModelFormatError, match="model is not a model"):
        load_model("model")
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_a_file_of_keras_is_refused(network: Any, tmp_path: Path) -> None:
    network.model_.save(tmp_path / "model.keras")
    with pytest.raises(ModelFormatError, match="expected a safetensors header"):
        load_model(tmp_path / "model.keras")


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "model")


def test_no_flipped_bit_goes_unnoticed(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    sound = path.read_bytes()
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        with pytest.raises(ModelFormatError, match="model is not a model"):
            load_model(path)


@pytest.fixture(scope="module")
def each_kind(
    table: tuple[Any, Any], network: Any, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Any, Path]]:
    """A small model of each of the three kinds, and its file."""
    folder = tmp_path_factory.mktemp("kinds")
    X, y = table
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    models = [make_model("logistic").fit(X, y), forest, network]
    for number, model in enumerate(models):
        save_model(model, folder / f"{number}.model")
    return [(model, folder / f"{number}.model") for number, model in enumerate(models)]


def test_no_cut_of_any_kind_goes_unnoticed(
    each_kind: list[tuple[Any, Path]], tmp_path: Path
) -> None:
    """At every hundredth of the file; what lies in arrays is told to be cut."""
    for _, path in each_kind:
        content, cut = path.read_bytes(), tmp_path / "cut.model"
        told = []
        for percent in range(100):
            cut.write_bytes(content[: len(content) * percent // 100])
            with pytest.raises(ModelFormatError, match=r"cut\.model is not a model") as error:
                load_model(cut)
            told.append(str(error.value))
        assert "the file was cut" in told[-1]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_bytes_change_it_is_refused_or_the_same_model(
    data: st.DataObject, each_kind: list[tuple[Any, Path]]
) -> None:
    """The same where only white space was changed, say."""
    model, path = data.draw(st.sampled_from(each_kind))
    content = path.read_bytes()
    begin = data.draw(st.integers(0, len(content)))
    end = begin + data.draw(st.sampled_from([0, 1, 1, 1, 8, 300]))
    put = data.draw(st.binary(max_size=9) | st.sampled_from([content[:end], content[begin:]]))
    changed = path.with_name("changed.model")
    changed.write_bytes(content[:begin] + put + content[end:])
    try:
        loaded = load_model(changed)
    except ModelFormatError as error:
        assert "changed.model is not a model" in str(error)  # noqa: PT017
    else:
        rows = np.linspace(-3, 3, 4 * 9).reshape(9, 4)
        if hasattr(model, "feature_names_in_"):
            rows = pd.DataFrame(rows, columns=list("abcd"))
        np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


def test_a_pipeline_of_real_digits_comes_back(fitted: Any, digits: Split, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert [name for name, _ in loaded.steps] == ["preprocess", "classify"]
    assert loaded[-1].get_params().keys() == fitted[-1].get_params().keys()
    assert loaded.score(digits[1], digits[3]) == fitted.score(digits[1], digits[3])


# -- whose file it is, and which version's ---------------------------------------------------------


def test_a_file_with_another_sum_is_refused_before_it_is_read(
    table: tuple[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    for same in (right, right.upper()):
        load_model(path=path, expected_sha256=same)
    with pytest.raises(ModelSecurityError, match=f"expected the SHA-256 {'0' * 64}, found {right}"):
        load_model(path, expected_sha256="0" * 64)
    path.write_bytes(b"anything")
    with pytest.raises(ModelSecurityError):
        load_model(path, expected_sha256=right)
    for no_sum in ("md5", "", right + "\n", right.encode()):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            load_model(path, expected_sha256=no_sum)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["logistic", "network", "pipeline"])
def test_other_versions_are_one_warning(
    name: str, request: pytest.FixtureRequest, table: tuple[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    if name == "logistic":
        model: Any = LogisticRegression().fit(*table)
    else:
        model = request.getfixturevalue("network")
    if name == "pipeline":
        frame = pd.DataFrame(table[0], columns=list("abcd"))
        model = make_pipeline(Standardize().fit(frame), Standardize().fit(frame), model)
    save_model(model, path)
    manifest, arrays = read_file(path)
    here = manifest["versions"]
    same_minor = here["scikit-learn"].rpartition(".")[0] + ".99"
    write_file(path, manifest | {"versions": here | {"scikit-learn": same_minor}}, arrays)
    load_model(path)
    others = here | {"scikit-learn": "1.2.3", "keras": "2.1.0", "numpy": "1.0"}
    write_file(path, manifest | {"versions": others}, arrays)
    with pytest.warns(ModelVersionWarning) as told:
        load_model(path)
    message = str(told[0].message)
    assert f"{path} was saved with scikit-learn 1.2.3 (here {here['scikit-learn']})" in message
    assert ("keras 2.1.0" in message) == (name != "logistic")
    assert "numpy" not in message
    assert len(told) == 1
    assert told[0].filename == __file__


def test_what_only_other_versions_know_is_not_called_forged(
    table: tuple[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    manifest, arrays = read_file(path)
    here = manifest["versions"]["scikit-learn"]
    manifest["versions"]["scikit-learn"] = "2.0.0"
    manifest["settings"]["params"]["invented"] = True
    write_file(path, manifest, arrays)
    with pytest.raises(
        ModelFormatError, match=r"invented.*saved with scikit-learn 2\.0\.0"
    ) as error:
        load_model(path)
    assert not isinstance(error.value, ModelSecurityError)
    manifest["versions"]["scikit-learn"] = here
    write_file(path, manifest, arrays)
    with pytest.raises(ModelSecurityError, match=r"checksum is right: .*invented"):
        load_model(path)


def test_what_a_description_lacks_is_named(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    manifest, arrays = read_file(path)
    del manifest["settings"]["classes"]
    write_file(path, manifest, arrays)
    with pytest.raises(ModelSecurityError, match="its checksum is right: missing 'classes'"):
        load_model(path)


def test_a_transformer_is_no_model(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(make_pipeline(Standardize(), LogisticRegression()).fit(*table), path)
    manifest, arrays = read_file(path)
    step = manifest["settings"]["steps"][0]
    forged = manifest | {"kind": step["kind"], "settings": step["settings"]}
    write_file(path, forged, {k[2:]: a for k, a in arrays.items() if k.startswith("0/")})
    with pytest.raises(ModelFormatError, match="expected a classifier, found Standardize"):
        load_model(path)


RELEASED = Path(__file__).parent / "models"


@pytest.mark.parametrize(
    "path", sorted(RELEASED.glob("*/*.model")), ids=lambda p: p.parent.name + "-" + p.stem
)
@pytest.mark.filterwarnings("ignore::mnist_models.exceptions.ModelVersionWarning")  # which is true
def test_files_of_every_format_stay_readable(path: Path) -> None:
    """Made by tests/models/make.py of the version that wrote that format first."""
    expected = json.loads(path.with_suffix(".json").read_text())
    loaded = load_model(path)
    answers = loaded.predict_proba(np.asarray(expected["X"], dtype=np.uint8))
    np.testing.assert_allclose(answers, expected["probabilities"], rtol=1e-4, atol=1e-6)


def test_there_are_files_of_this_format() -> None:
    names = {path.stem for path in RELEASED.glob("format-1/*.model")}
    assert {name.partition("-")[0] for name in names} == {"logistic", "forest", "network"}
