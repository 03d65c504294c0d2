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

# A module imports only from modules that stand before it.
ORDER = [
    "exceptions",
    "_names",
    "_warn",
    "_rows",
    "_whole_fits",
    "_files",
    "_container",
    "_ticks",
    "_quiet",
    "_progress",
    "_compiled",
    "_data",
    "_data.idx",
    "_data.download",
    "_data.mnist_pins",
    "_data.mnist_cache",
    "_data.mnist",
    "_data.frames",
    "_data.pixels",
    "datasets",
    "_features",
    "_features.images",
    "_features.deskew_kernels",
    "_features.hog_kernels",
    "image_features",
    "preprocessing",
    "_linear",
    "_linear.blas_threads",
    "_linear.loss",
    "_linear.gram",
    "_linear.solver",
    "linear",
    "_forest",
    "_forest.levels",
    "_forest.kernels",
    "_forest.counted_tree",
    "forest",
    "_network",
    "_network.warp_kernels",
    "_network.warp",
    "_network.batches",
    "_network.input",
    "_keras",
    "_keras.waking",
    "_keras.networks",
    "_keras.answers",
    "_keras.epochs",
    "_keras.training",
    "network",
    "models",
    "_report",
    "_report.text",
    "_report.verdicts",
    "_report.scales",
    "_report.page",
    "_report.sprites",
    "_report.digits",
    "_report.charts",
    "_report.html",
    "_report.axes",
    "_report.matrices",
    "_report.gallery",
    "_report.learning",
    "_report.curves",
    "_report.calibration",
    "_report.fold_scores",
    "_plain",
    "_results",
    "_results.scores",
    "_results.class_figures",
    "_results.intervals",
    "_results.findings",
    "_results.exports",
    "_results.reported_images",
    "_results.page_data",
    "_results.pictured",
    "results",
    "_results.paired_tests",
    "significance",
    "comparison",
    "_running",
    "_running.memory",
    "_running.provenance",
    "_running.threads",
    "_running.fitting",
    "_running.shipment",
    "_running.job",
    "_running.workers",
    "_running.backends",
    "_running.dask",
    "_running.schedule",
    "_running.engine",
    "_running.record",
    "_running.checkpoint",
    "_running.input",
    "_running.run",
    "_running.assembly",
    "_preflight",
    "_preflight.folds",
    "_preflight.rows",
    "_preflight.seeds",
    "_preflight.check",
    "evaluation",
    "_model_files",
    "_model_files.checks",
    "_model_files.manifest",
    "_model_files.inspection",
    "_model_files.transformers",
    "_model_files.classifiers",
    "_model_files.forests",
    "_model_files.estimators",
    "persistence",
    "reproduction",
    "_messages",
    "_commands",
    "_options",
    "cli",
    "__main__",
]

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}


def _imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it."""
    return _imported_by(ast.parse(path.read_text(encoding="utf-8")))


def _imported_by(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    prefix = "mnist_models."
    return {name.removeprefix(prefix) for name in found if name.startswith(prefix)} & set(MODULES)


def test_every_module_has_its_place() -> None:
    assert sorted(ORDER) == sorted(MODULES)


@pytest.mark.parametrize("module", ORDER)
def test_arrows_point_one_way(module: str) -> None:
    before = set(ORDER[: ORDER.index(module)])
    assert _imports(MODULES[module]) <= before


@pytest.mark.parametrize("module", sorted(MODULES))
def test_tensorflow_is_touched_where_names_say_so_and_only_in_functions(
    module: str,
) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    heavy = {"keras", "tensorflow", "scikeras"}

    def imported(nodes: list[ast.stmt]) -> set[str]:
        names = set()
        for node in nodes:
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
        return names & heavy

    assert imported(tree.body) == set()
    if not module.startswith("_keras."):
        assert imported([n for n in ast.walk(tree) if isinstance(n, ast.stmt)]) == set()


_KERNELS = [m for m, p in MODULES.items() if "import kernel" in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize("module", _KERNELS)
def test_kernels_call_kernels_of_their_own_file_only(module: str) -> None:
    assert _imports(MODULES[module]) == {"_compiled"}


def test_tuples_that_kernels_take_keep_their_names() -> None:
    """numba unpickles what an older version has cached before it sees that it is outdated."""
    trees = [ast.parse(MODULES[module].read_text(encoding="utf-8")) for module in _KERNELS]
    names = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {"Sample", "_Workspace"} <= names


@pytest.mark.parametrize("module", sorted(MODULES))
def test_numba_is_loaded_only_inside_functions(module: str) -> None:
    loads_numba = {"_compiled", *_KERNELS, "_forest.counted_tree"}
    if module not in loads_numba:
        tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
        top = ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
        assert not _imported_by(top) & loads_numba


@pytest.mark.parametrize("module", sorted(MODULES))
def test_files_and_functions_are_short(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            documentation = ast.get_docstring(node) or ""
            length = (node.end_lineno or 0) - node.lineno + 1 - documentation.count("\n")
            assert length <= 60, node.name


@pytest.mark.parametrize("name", sorted(set(mnist_models.__all__) - {"MODEL_NAMES"}))
def test_public_names_are_documented_with_an_example_that_runs(name: str) -> None:
    documentation = inspect.getdoc(getattr(mnist_models, name)) or ""
    if getattr(mnist_models, name).__module__.startswith("mnist_models"):
        assert len(documentation) > 80
        if name not in {"ConfidenceInterval", "Fit", "Provenance"}:  # made by others, shown there
            assert doctest.DocTestParser().get_examples(documentation)


def test_type_checkers_and_python_find_the_same_names_in_the_same_places() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for_checkers = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert sorted(for_checkers) == mnist_models.__all__
    for name, home in for_checkers.items():
        assert home is not None
        assert getattr(mnist_models, name) is getattr(importlib.import_module(home), name)


_AT_ONCE = """
import sys
before = set(sys.modules)
import mnist_models, mnist_models.cli
assert not {"numpy", "scipy", "sklearn"} & set(sys.modules)
assert issubclass(mnist_models.exceptions.ModelFormatError, ValueError)  # a module is found too
assert "mnist_models.datasets" not in sys.modules
assert mnist_models.load_idx is mnist_models.datasets.load_idx
assert {"load_idx", "__version__"} < set(dir(mnist_models))
"""


def test_the_package_itself_is_there_at_once() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", _AT_ONCE], check=True, timeout=120)


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="'mnist_models' has no attribute 'evaluat'"):
        mnist_models.evaluat  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'evaluat'"):
        exec("from mnist_models import evaluat")


_IMPORT = """
import os, random, sys
import numpy as np
os.chdir(sys.argv[1])
import sklearn.metrics  # which draws from Python's generator, and sets a variable
seeds = random.getstate(), np.random.get_state()[1].tolist()
environment = dict(os.environ)
loaded_by_sklearn = set(sys.modules)
from mnist_models import *
heavy = {"tensorflow", "keras", "scikeras", "matplotlib", "pandas", "numba"}
heavy |= {"PIL", "platformdirs", "requests"}
assert not heavy & (set(sys.modules) - loaded_by_sklearn), heavy & set(sys.modules)
assert "tensorflow" not in sys.modules and "matplotlib" not in sys.modules
assert (random.getstate(), np.random.get_state()[1].tolist()) == seeds
assert dict(os.environ) == environment
assert os.listdir() == []
"""


def test_importing_is_light_and_has_no_effects(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IMPORT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
