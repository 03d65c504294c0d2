"""Model files through the public door: what comes back, whose file it is, and whole files only."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

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
from mnist_models.class_scores import ClassScores
from mnist_models.cli import main
from mnist_models.exceptions import ModelFormatError, ModelSecurityError, ModelVersionWarning
from mnist_models.preprocessing import Standardize

from .conftest import Split, quick_model
from .forging import MODELS, read_file, write_file

Table = tuple[Any, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digits.model"


def _saved_and_loaded(model: Any, path: Path) -> Any:
    save_model(model, path)
    return load_model(path)


def _assert_same_bits(loaded: Any, model: Any, X: Any) -> None:
    for rows in (1, 2, 7, len(X)):
        ours, theirs = loaded.predict_proba(X[:rows]), model.predict_proba(X[:rows])
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


# -- what comes back -------------------------------------------------------------------------------


def test_each_model_comes_back_and_a_second_file_is_the_same(
    fitted: Any, digits: Split, path: Path
) -> None:
    loaded = _saved_and_loaded(fitted, path)
    _assert_same_bits(loaded, fitted, digits[1])
    _assert_same_bits(pickle.loads(pickle.dumps(loaded)), fitted, digits[1])
    assert repr(loaded) == repr(fitted)
    again = path.with_name("again")
    for model in (fitted, loaded):
        save_model(model, again)
        assert again.read_bytes() == path.read_bytes()


def test_what_a_network_learned_comes_back(network: Any, table: Table, path: Path) -> None:
    loaded = _saved_and_loaded(network, path)
    assert loaded.get_params() == network.get_params()
    assert (loaded.history_, loaded.n_epochs_) == (network.history_, 2)
    assert loaded.best_epoch_ == network.best_epoch_
    _assert_same_bits(loaded, network, pd.DataFrame(table[0], columns=list("abcd")))


@pytest.mark.parametrize("dtype", [str, object, int, float, bool])
def test_labels_and_class_weights_of_any_kind_come_back(
    dtype: Any, table: Table, path: Path
) -> None:
    X, y = table
    labels = np.array(["x", "yy", "zzz"] if dtype in (str, object) else [0, 1, 900]).astype(dtype)
    weights = {label: i + 1.5 for i, label in enumerate(np.unique(labels).tolist())}
    for model in (LogisticRegression(), RandomForestClassifier(5)):
        model.set_params(class_weight=weights).fit(X, labels[y])
        loaded = _saved_and_loaded(model, path)
        assert loaded.classes_.dtype == model.classes_.dtype
        assert loaded.get_params() == model.get_params()
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_of_a_search_the_best_model_is_saved(table: Table, path: Path) -> None:
    X, y = table
    grid = {"classify__C": [0.01, 1.0]}
    search = GridSearchCV(make_model("logistic"), grid, cv=2).fit(X, y)
    loaded = _saved_and_loaded(search, path)
    _assert_same_bits(loaded, search, X)
    assert loaded.get_params()["classify__C"] == search.best_params_["classify__C"]
    blind = GridSearchCV(make_model("logistic"), grid, cv=2, refit=False).fit(X, y)
    with pytest.raises(TypeError, match="refit=True"):
        save_model(blind, path)


def test_models_of_scikit_learn_come_back_as_ours(table: Table, path: Path) -> None:
    X, y = table
    models: list[tuple[Any, type[Any]]] = [
        (linear_model.LogisticRegression(C=0.1), LogisticRegression),
        (ensemble.RandomForestClassifier(5, random_state=0), RandomForestClassifier),
    ]
    for theirs, ours in models:
        loaded = _saved_and_loaded(theirs.fit(X, y), path)
        assert type(loaded) is ours
        assert loaded.get_params() == theirs.get_params()
        _assert_same_bits(loaded, theirs, X)


def _image_features(name: str) -> Pipeline:
    """A recipe of the kind that reads digits best, made small."""
    steps: list[tuple[str, Any]] = [("deskew", Deskew((28, -1)))]
    if name == "forest":
        steps += [("hog", HogFeatures(dtype="uint8")), ("scores", ClassScores(explained=0.5))]
    else:
        steps += [
            ("hog", HogFeatures(cell_size=9)),
            ("pca", PCA(8)),
            ("products", PolynomialFeatures(2, include_bias=False)),
            ("standardize", Standardize()),
        ]
    return Pipeline([("preprocess", Pipeline(steps)), ("classify", quick_model(name)[-1])])


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_image_features_come_back(name: str, digits: Split, path: Path) -> None:
    model = _image_features(name).fit(digits[0], digits[2])
    loaded = _saved_and_loaded(model, path)
    _assert_same_bits(loaded, model, digits[1])
    names = loaded[0].get_feature_names_out()
    np.testing.assert_array_equal(names, model[0].get_feature_names_out())
    _assert_same_bits(clone(loaded).fit(digits[0], digits[2]), model, digits[1])


def test_frames_between_the_steps_come_back(digits: Split, path: Path) -> None:
    """Names that a step was fitted with, and no frame to carry them, would be a warning."""
    model = _image_features("logistic").set_output(transform="pandas")
    frame = pd.DataFrame(digits[0]).add_prefix("pixel")
    loaded = _saved_and_loaded(model.fit(frame, digits[2]), path)
    assert isinstance(loaded[0].transform(frame), pd.DataFrame)
    np.testing.assert_array_equal(loaded.feature_names_in_, frame.columns)
    _assert_same_bits(loaded, model, frame)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_forest_is_small_and_comes_back_whole(weighted: bool, digits: Split, path: Path) -> None:
    """A node has 137 bytes in memory; shares of weighted rows stay as they are."""
    weight = np.linspace(0.5, 1, len(digits[0])) if weighted else None
    # weighted rows are drawn more often, and then count whole; without drawing they count as such
    model = RandomForestClassifier(5, bootstrap=not weighted, random_state=0)
    model.fit(digits[0], digits[2], weight)
    loaded = _saved_and_loaded(model, path)
    _assert_same_bits(loaded, model, digits[1])
    for ours, theirs in zip(loaded.estimators_, model.estimators_, strict=True):
        for name, value in theirs.tree_.__getstate__().items():
            np.testing.assert_array_equal(ours.tree_.__getstate__()[name], value)
    n_nodes = sum(tree.tree_.node_count for tree in model.estimators_)
    size = path.stat().st_size - 2000  # of the description
    assert (size / n_nodes < 50) != weighted


_SOLVERS = [("full", 1), ("full", "mle"), ("covariance_eigh", 0.8), ("covariance_eigh", None)]


@pytest.mark.parametrize(("solver", "n_components"), [*_SOLVERS, ("arpack", 7), ("randomized", 7)])
def test_components_come_back_however_they_lie_in_memory(
    solver: str, n_components: Any, rng: np.random.Generator, path: Path
) -> None:
    """BLAS rounds otherwise where a matrix lies otherwise; ARPACK's lies upside down."""
    X = (rng.normal(size=(300, 60)) @ rng.normal(size=(60, 60))).astype(np.float32)
    pca = PCA(n_components, svd_solver=solver, whiten=True, random_state=0)
    model = make_pipeline(pca, LogisticRegression()).fit(X, X[:, 0] > 0)
    loaded = _saved_and_loaded(model, path)
    np.testing.assert_array_equal(loaded[0].transform(X), model[0].transform(X))
    for name, value in vars(pca).items():
        if name.endswith("_"):
            np.testing.assert_array_equal(getattr(loaded[0], name), value)
            assert np.asarray(getattr(loaded[0], name)).dtype == np.asarray(value).dtype
    _assert_same_bits(loaded, model, X)


def test_pipelines_nest_so_far(table: Table, path: Path) -> None:
    X, y = table
    model: Any = LogisticRegression().fit(X, y)
    for _ in range(8):
        model = make_pipeline(model)
    _assert_same_bits(_saved_and_loaded(model, path), model, X)
    with pytest.raises(ModelFormatError, match="nested at most 8 deep"):
        save_model(make_pipeline(model), path)


# -- what is not saved -----------------------------------------------------------------------------


def test_what_cannot_be_plain_data_is_refused(table: Table, path: Path) -> None:
    X, y = table
    root = FunctionTransformer(np.sqrt)
    for model, told in [
        (KNeighborsClassifier().fit(X, y), r"sklearn\.neighbors.*KNeighborsClassifier"),
        (make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), "sklearn.preprocessing"),
        (make_pipeline("passthrough", LogisticRegression()).fit(X, y), "builtins.str"),
        (make_pipeline(root, LogisticRegression()).fit(abs(X), y), "func must be a number"),
        (Standardize().fit(X), "classifier"),
        (LogisticRegression(random_state=np.random.RandomState(0)).fit(X, y), "random_state"),
        (LogisticRegression().fit(X, y).sparsify(), "coef must be an array"),
        (LogisticRegression().fit(X, y.astype("M8[D]")), "saved as plain data"),
    ]:
        with pytest.raises(TypeError, match=told):
            save_model(model, path)
    fitted = LogisticRegression().fit(X, y)
    for model in (make_model("logistic"), make_pipeline(Standardize(), fitted)):
        with pytest.raises(NotFittedError):
            save_model(model, path)
    assert not path.exists()


def test_features_of_any_shape_are_counted_right(rng: np.random.Generator, path: Path) -> None:
    """Where the count were another than what transform makes, saving would refuse the model."""
    X, y = rng.random((8, 16 * 19)), np.arange(8) % 2
    for _ in range(10):
        orientations, cell_size, stride, block_size = map(int, rng.integers(1, 5, size=4))
        hog = HogFeatures(
            (16, 19),
            orientations=orientations,
            cell_size=cell_size,
            stride=min(stride, cell_size),
            block_size=block_size,
        )
        lowest, highest = sorted(map(int, rng.integers(1, 4, size=2)))
        products = PolynomialFeatures((lowest, highest), interaction_only=orientations > 2)
        for model, rows in [
            (make_pipeline(hog, LogisticRegression()), X),
            (make_pipeline(products, LogisticRegression()), X[:, :5]),
        ]:
            save_model(model.fit(rows, y), path)
            expected = model.predict_proba(rows)
            np.testing.assert_array_equal(load_model(path).predict_proba(rows), expected)


def test_what_could_not_be_loaded_is_not_saved(table: Table, path: Path) -> None:
    X, y = table
    pca = make_pipeline(PCA(2), LogisticRegression()).fit(X, y).set_params(pca__n_components=3)
    products = make_pipeline(PolynomialFeatures(101), LogisticRegression())
    for model, told in [
        (products.fit([[0.5], [0.9], [0.2]], [0, 1, 0]), "degree .*101"),
        (pca, "n_components=3"),
        (LogisticRegression().fit(X, y).set_params(max_iter=1), "n_iter"),
    ]:
        with pytest.raises(ModelFormatError, match=f"could not be loaded again: .*{told}"):
            save_model(model, path)
    assert not path.exists()


# -- whose file it is, and which version's ---------------------------------------------------------


def test_a_file_with_another_sha256_is_refused_before_it_is_parsed(
    table: Table, path: Path
) -> None:
    save_model(LogisticRegression().fit(*table), path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    for same in (right, right.upper()):
        load_model(path, expected_sha256=same)
    with pytest.raises(ModelSecurityError, match=f"expected the SHA-256 {'0' * 64}, found {right}"):
        load_model(path, expected_sha256="0" * 64)
    for none in (right[1:], right + "0", "0x" + right[2:], "", right + "\n"):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            load_model(path, expected_sha256=none)
    path.write_bytes(b"anything")
    with pytest.raises(ModelSecurityError, match="is not the file expected"):
        load_model(path, expected_sha256=right)


def test_what_is_hashed_is_what_is_loaded(table: Table, path: Path) -> None:
    """The file is read once: one that is exchanged meanwhile is never seen."""
    save_model(LogisticRegression().fit(*table), path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    name = MagicMock(**{"__fspath__.side_effect": [str(path)]})  # a second reading is an error
    load_model(name, expected_sha256=expected)


@pytest.mark.parametrize("name", ["logistic", "network"])
def test_other_versions_are_a_warning_at_the_callers_line(
    name: str, table: Table, network: Any, path: Path
) -> None:
    save_model(network if name == "network" else LogisticRegression().fit(*table), path)
    description, arrays = read_file(path)
    here = description["versions"]
    same_minor = here["scikit-learn"].rpartition(".")[0] + ".99"
    write_file(path, description | {"versions": here | {"scikit-learn": same_minor}}, arrays)
    load_model(path)
    others = here | {"scikit-learn": "1.2.3\x1b[2J", "keras": "2.1.0", "numpy": "1.0"}
    write_file(path, description | {"versions": others}, arrays)
    with pytest.warns(ModelVersionWarning) as told:
        load_model(path)
    message = str(told[0].message)
    assert f"was saved with scikit-learn 1.2.3\\x1b[2J (here {here['scikit-learn']})" in message
    assert ("keras 2.1.0" in message) == (name == "network")
    assert "numpy" not in message
    assert (len(told), told[0].filename) == (1, __file__)


def test_what_only_other_versions_know_is_not_called_forged(table: Table, path: Path) -> None:
    save_model(LogisticRegression().fit(*table), path)
    description, arrays = read_file(path)
    description["settings"]["params"]["invented"] = True
    write_file(path, description, arrays)
    with pytest.raises(ModelSecurityError, match=r"checksum is right: .*invented"):
        load_model(path)
    description["versions"]["scikit-learn"] = "2.0.0"
    write_file(path, description, arrays)
    with pytest.raises(ModelFormatError, match=r"invented.*with scikit-learn 2\.0\.0") as error:
        load_model(path)
    assert not isinstance(error.value, ModelSecurityError)


def test_a_transformer_is_no_model(table: Table, path: Path) -> None:
    save_model(make_pipeline(Standardize(), LogisticRegression()).fit(*table), path)
    description, arrays = read_file(path)
    step = description["settings"]["steps"][0]
    forged = description | {"kind": step["kind"], "settings": step["settings"]}
    write_file(path, forged, {k[2:]: a for k, a in arrays.items() if k.startswith("0/")})
    with pytest.raises(ModelFormatError, match="expected a classifier, found Standardize"):
        load_model(path)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*/*.model")), ids=lambda p: p.parent.name)
@pytest.mark.filterwarnings("ignore::mnist_models.exceptions.ModelVersionWarning")  # which is true
def test_files_of_every_format_stay_readable(path: Path) -> None:
    """Made by tests/models/make.py of the version that wrote that format first."""
    expected = json.loads(path.with_suffix(".json").read_text())
    predicted = load_model(path).predict_proba(np.asarray(expected["X"], dtype=np.uint8))
    np.testing.assert_allclose(predicted, expected["probabilities"], rtol=1e-4, atol=1e-6)


# -- inspect ---------------------------------------------------------------------------------------


def test_inspect_tells_what_a_file_holds(
    fitted: Any, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(fitted, path)
    assert main(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    assert hashlib.sha256(path.read_bytes()).hexdigest() in told
    description, arrays = read_file(path)
    for name, version in description["versions"].items():
        assert f"saved with {name} {version}\n" in told
    for name, array in arrays.items():
        shape = " x ".join(f"{side:,}" for side in array.shape)
        assert f"  {name}: {array.dtype} {shape}, {array.nbytes:,} bytes\n" in told
    assert "\n  preprocess: standardize\n" in told
    assert "    random_state = 0\n" in told


def test_inspect_builds_nothing_and_harms_no_terminal(
    table: Table, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(make_model("logistic").fit(*table), path)
    description, arrays = read_file(path)
    hostile = "\x1b[2J\u202egniht\n" + "long" * 1000
    description["settings"]["steps"][0]["settings"]["params"] = {hostile: [hostile]}
    description["settings"]["steps"][1]["kind"] = hostile
    description["versions"]["keras"] = "\x1b[2J"
    write_file(path, description, arrays | {hostile[:9]: arrays["0/mean"]})
    assert main(["inspect", str(path)]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 1000


def test_inspect_refuses_what_is_no_description(table: Table, path: Path) -> None:
    save_model(LogisticRegression().fit(*table), path)
    description, arrays = read_file(path)
    wrong: list[Any] = [7, [], {"steps": 7}, {"steps": [{"kind": "forest"}]}]
    for settings in wrong:
        write_file(path, description | {"settings": settings}, arrays)
        assert main(["inspect", str(path)]) == 2


# -- whole files only ------------------------------------------------------------------------------

_KILL = """
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
for delay in rng.uniform(0, 0.1, 50):
    children = []
    for model in models:  # both to one path
        children.append(os.fork())
        while not children[-1]:
            save_model(model, path)
    time.sleep(delay)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert path.read_bytes() in contents
load_model(path)
"""


@pytest.mark.slow
def test_kill_9_at_fifty_instants_of_saving_leaves_a_good_file(path: Path) -> None:
    subprocess.run([sys.executable, "-c", _KILL, str(path)], check=True, timeout=300)


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


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on files")
def test_a_disk_that_is_full_leaves_the_old_file(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (f"[Errno 27] File too large: '{path}'\n", "")
    assert [each.name for each in path.parent.iterdir()] == [path.name]
