"""How the package is built: arrows one way, light to import, every public name documented."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mnist_models

PACKAGE = Path(mnist_models.__file__).parent
PUBLIC_NAMES = set(dir(mnist_models)) - {"__version__"}
# Their modules import TensorFlow.
NETWORKS = {"KerasClassifier", "SequentialClassifier"}

# A module imports only from floors below its own.
FLOORS = [
    {"exceptions", "_compiled", "_blas", "_text"},
    {"_validation", "_files", "_progress", "_statistics", "_keras_start"},
    {"_image_kernels", "_forest_kernels", "_warp_kernels", "_linear_solver"}
    | {"_idx", "_csv", "_model_files", "_plots"},
    {"_mnist", "pictures", "preprocessing", "class_scores", "linear", "forest"}
    | {"_keras_training", "_page"},
    {"datasets", "keras_classifier", "results", "evidence"},
    {"network", "significance", "_fits"},
    {"models", "comparison", "_preflight", "_model_parts"},
    {"evaluation", "persistence"},
    {"reproduction", "drawing", "curves"},
    {"cli"},
    {"__main__"},
]

MODULES = {path.stem: path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}


def _imports(path: Path) -> set[str]:
    """The modules of the package that a file imports when it runs, anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    names = {name.split(".")[1] for name in found if name.startswith("mnist_models.")}
    return {_home(name) for name in names} & set(MODULES)


def _home(name: str) -> str:
    """The module of a public name that is imported from the package itself."""
    return mnist_models._MODULES.get(name, name)


def test_every_module_has_a_floor() -> None:
    assert sorted(name for floor in FLOORS for name in floor) == sorted(MODULES)


def test_modules_import_only_from_floors_below() -> None:
    upward = {}
    for number, floor in enumerate(FLOORS):
        below = set().union(*FLOORS[:number])
        for module in floor & set(MODULES):
            upward[module] = _imports(MODULES[module]) - below
    assert {module: names for module, names in upward.items() if names} == {}


def test_kernels_call_only_kernels_of_their_own_file() -> None:
    """numba notices a change in the file of the outermost kernel, and in no other."""
    kernels = [m for m, p in MODULES.items() if "import kernel" in p.read_text(encoding="utf-8")]
    assert len(kernels) >= 3
    for module in kernels:
        assert _imports(MODULES[module]) == {"_compiled"}, module


def test_public_names_are_documented_with_an_example_that_runs() -> None:
    made_by_others = {"ConfidenceInterval", "Fit", "Provenance"}  # and shown there
    for name in PUBLIC_NAMES - {"MODEL_NAMES"}:
        documentation = inspect.getdoc(getattr(mnist_models, name)) or ""
        assert len(documentation) > 80, name
        if name not in made_by_others:
            assert doctest.DocTestParser().get_examples(documentation), name


def test_type_checkers_and_python_find_the_same_names_in_the_same_places() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for_checkers = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert set(for_checkers) == PUBLIC_NAMES
    for name, home in for_checkers.items():
        assert home is not None
        assert getattr(mnist_models, name) is getattr(importlib.import_module(home), name)


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="'mnist_models' has no attribute 'evaluat'"):
        mnist_models.evaluat  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'evaluat'"):
        exec("from mnist_models import evaluat")


_IMPORT = """
import sys
import mnist_models, mnist_models.cli
assert not {"numpy", "scipy", "sklearn"} & set(sys.modules)
assert issubclass(mnist_models.exceptions.ModelFormatError, ValueError)  # a module is found too
assert "mnist_models.datasets" not in sys.modules
assert mnist_models.load_idx is mnist_models.datasets.load_idx
assert {"load_idx", "__version__"} < set(dir(mnist_models))
"""

# scikit-learn itself draws from Python's generator, sets a variable, and loads pandas if it can.
_IMPORT_ALL = """
import os, random, sys
import numpy as np
import sklearn.metrics
seeds = random.getstate(), np.random.get_state()[1].tolist()
environment, loaded_by_sklearn = dict(os.environ), set(sys.modules)
import mnist_models
for name in NAMES:
    getattr(mnist_models, name)
heavy = {"tensorflow", "keras", "scikeras", "matplotlib", "pandas", "numba", "PIL", "pooch", "rich"}
assert not heavy & (set(sys.modules) - loaded_by_sklearn), heavy & set(sys.modules)
assert (random.getstate(), np.random.get_state()[1].tolist()) == seeds
assert dict(os.environ) == environment
"""

_FIT = """
import sys
import numpy as np
from mnist_models import make_model, plot_evidence
X, y = np.random.default_rng(0).normal(size=(60, 784)), np.arange(60) % 3
models = make_model("logistic"), make_model("forest", n_estimators=2)
for model in models:
    model.fit(X, y).predict(X)
assert not {"tensorflow", "keras", "scikeras", "matplotlib"} & set(sys.modules)
for model in models:
    plot_evidence(model, X[:2])
assert not {"tensorflow", "keras", "scikeras"} & set(sys.modules)
"""


@pytest.mark.parametrize("code", [_IMPORT, _IMPORT_ALL, _FIT], ids=["package", "names", "fit"])
def test_only_what_is_used_is_loaded_and_nothing_is_written(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code.replace("NAMES", repr(PUBLIC_NAMES - NETWORKS))],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
