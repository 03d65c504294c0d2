"""pyproject.toml asks for what the library imports, and for nothing else."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mnist_models

PACKAGE = Path(mnist_models.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# What is used if the user has it, and not required.
BROUGHT_BY_THE_USER = {"pandas"}


def _imported(path: Path) -> set[str]:
    """The packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_what_is_imported_is_what_is_required() -> None:
    imported = set().union(*map(_imported, PACKAGE.rglob("*.py")))
    foreign = imported - sys.stdlib_module_names - {"mnist_models"}
    assert foreign > BROUGHT_BY_THE_USER
    known = packages_distributions()
    needed = {canonicalize_name(known[name][0]) for name in foreign - BROUGHT_BY_THE_USER}
    required = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}
    assert needed == required


def test_every_requirement_has_one_floor() -> None:
    """And .ci/oldest runs the tests with exactly that."""
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    for each in map(Requirement, wanted):
        assert [one.operator for one in each.specifier].count(">=") == 1, each
