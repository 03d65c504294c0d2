"""Every public name is documented as numpydoc has it."""

import dataclasses
import inspect
import re
from operator import attrgetter
from pathlib import Path
from typing import Any

from numpydoc import validate as validation

import mnist_models

REFERENCE = Path(__file__).parents[1] / "docs" / "api.md"
# What is not asked for, with the reason.
EXCUSED = {
    "GL01": "a summary stands on the line of its quotes, as PEP 257 has it",
    "ES01": "where the summary says all, no more is said",
    "SA01": "related names stand on one page of the reference",
    "EX01": "a method is shown in its class's example; test_architecture asks for those",
    "RT02": "fit returns `self : Class`, as in scikit-learn; a split returns four names",
}


def _public() -> dict[str, Any]:
    """Every function and class in the reference, and every method and property that ours add."""
    listed = re.findall(r"^   ([\w.]+)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    values = [attrgetter(name)(mnist_models) for name in listed]
    found = {f"{value.__module__}.{value.__qualname__}": value for value in values}
    for name, value in list(found.items()):
        if inspect.isclass(value):
            ours = (member for member in dir(value) if _is_our_method(value, member))
            found |= {f"{name}.{member}": None for member in ours}
    return found


def _is_our_method(owner: type, name: str) -> bool:
    value = inspect.getattr_static(owner, name)
    for wrapped in ("__func__", "fget", "func"):
        value = getattr(value, wrapped, value)
    ours = str(getattr(value, "__module__", "")).startswith("mnist_models")
    return ours and not name.startswith("_") and not inspect.isclass(value)


def _fields_are_attributes(value: Any) -> bool:
    """Whether what it is made from stands among its attributes, once."""
    made_by_us = dataclasses.is_dataclass(value) or hasattr(value, "_fields")
    return made_by_us or (inspect.isclass(value) and issubclass(value, BaseException))


def test_numpydoc_finds_nothing_to_add() -> None:
    missing = {}
    for name, value in _public().items():
        excused = set(EXCUSED) | ({"PR01"} if _fields_are_attributes(value) else set())
        errors = validation.validate(name)["errors"]
        missing[name] = [error for error in errors if error[0] not in excused]
    assert {name: errors for name, errors in missing.items() if errors} == {}
