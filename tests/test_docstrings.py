"""Every public name is documented as numpydoc has it."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from numpydoc import validate as validation

import mnist_models

# What is not asked for, with the reason.
EXCUSED = {
    "GL01": "a summary stands on the line of its quotes, as PEP 257 has it",
    "ES01": "where the summary says all, no more is said",
    "SA01": "related names stand on one page of the reference",
    "EX01": "a method is shown in its class's example; test_architecture asks for those",
    "RT02": "fit returns `self : Class`, as in scikit-learn; a split returns four names",
}


def _modules() -> Iterator[Any]:
    yield mnist_models
    for module in pkgutil.iter_modules(mnist_models.__path__, "mnist_models."):
        if not module.name.split(".")[1].startswith("_"):
            yield importlib.import_module(module.name)


def _public() -> dict[str, Any]:
    """Every public function and class, and every method and property that ours add to it."""
    found: dict[str, Any] = {}
    for module in _modules():
        for name in mnist_models.__all__ if module is mnist_models else vars(module):
            value = getattr(module, name)  # which imports it, where it is mnist_models'
            if name.startswith("_") or not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            if module is mnist_models or value.__module__ == module.__name__:
                found[f"{value.__module__}.{name}"] = value
    for name, value in list(found.items()):
        if inspect.isclass(value):
            found |= {f"{name}.{each}": None for each in dir(value) if _is_our_method(value, each)}
    return found


def _is_our_method(owner: type, name: str) -> bool:
    value = inspect.getattr_static(owner, name)
    for wrapped in ("__func__", "fget", "func"):
        value = getattr(value, wrapped, value)
    ours = str(getattr(value, "__module__", "")).startswith("mnist_models")
    return ours and not name.startswith("_") and not inspect.isclass(value)


PUBLIC = _public()


def _fields_are_attributes(value: Any) -> bool:
    """Whether what it is made from stands among its attributes, once."""
    made_by_us = dataclasses.is_dataclass(value) or hasattr(value, "_fields")
    return made_by_us or (inspect.isclass(value) and issubclass(value, BaseException))


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_numpydoc_finds_nothing_to_add(name: str) -> None:
    excused = set(EXCUSED) | ({"PR01"} if _fields_are_attributes(PUBLIC[name]) else set())
    errors = validation.validate(name)["errors"]
    assert [error for error in errors if error[0] not in excused] == []
