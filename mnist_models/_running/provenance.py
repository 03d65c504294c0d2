"""What a result depends on: data, folds, parameters and versions, in forms to be compared."""

import copyreg
import hashlib
import importlib.metadata
import inspect
import platform
from collections.abc import Iterable, Iterator
from functools import partial
from types import CodeType, ModuleType
from typing import Any, TypeAlias

import joblib
import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

Ids: TypeAlias = tuple[int, ...]

# Types whose repr distinguishes all values.
_PLAIN = (str, bytes, int, float, complex, bool, np.generic)

_LIBRARIES = ("mnist-models", "numpy", "scipy", "scikit-learn", "numba", "tensorflow", "keras")


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a result depends on."""
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {"python": platform.python_version()} | found


def sha256_of(things: Iterable[Any]) -> str:
    """The SHA-256 of arrays, sparse matrices, tables, or whatever else can be pickled.

    Equal arrays of one type have equal sums, in whatever order they lie in memory.

    Examples
    --------
    >>> rows = np.arange(6).reshape(2, 3)
    >>> sha256_of([rows]) == sha256_of([np.asfortranarray(rows)])
    True
    """
    content = hashlib.sha256()
    for thing in things:
        if sparse.issparse(thing):
            thing = thing.tocsr()
            content.update(repr(thing.shape).encode())
            content.update(sha256_of([thing.data, thing.indices, thing.indptr]).encode())
        elif isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
            content.update(f"{thing.dtype.str} {thing.shape}".encode())
            # a block at a time: a transposed array would otherwise be copied whole
            for start in range(0, len(thing), 4096):
                content.update(thing[start : start + 4096].tobytes())
        else:
            content.update(joblib.hash(thing, hash_name="sha1", coerce_mmap=True).encode())
    return content.hexdigest()


def parameters_of(model: Any) -> dict[str, str]:
    """Every parameter of an estimator, nested ones too, as text.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> parameters_of(KNeighborsClassifier(3))["n_neighbors"]
    '3'
    """
    texts = {}
    values = _parameters(model)
    for name, value in values.items():
        try:
            texts[name] = describe(value, _parts(values))
        except Exception:  # noqa: BLE001 - an object's own code may raise anything; its class will do
            texts[name] = _class_name(value)
    return texts


def parameters_that_decide(model: Any, whose: str) -> dict[str, str]:
    """The parameters that determine a fit's result, as text that distinguishes all values.

    Raises
    ------
    TypeError
        If a value has no such text.
    """
    values = _parameters(model)
    return {
        name: describe_or_raise(f"{name} of {whose!r}", value, _parts(values))
        for name, value in values.items()
        if _decides(name, values)
    }


def describe_or_raise(name: str, value: Any, known: Ids = ()) -> str:
    """As :func:`describe`, with a TypeError that names the parameter."""
    try:
        return describe(value, known)
    except Exception as error:
        raise TypeError(
            "With checkpoint, a later run must be able to tell whether parameters are the same. It "
            f"cannot for {name}: {type(error).__name__}: {error}. Use a value that can be pickled, "
            "or leave checkpoint out."
        ) from error


def describe(value: Any, known: Ids = ()) -> str:
    """A value as text that distinguishes it from others, and is the same in every process.

    Parameters
    ----------
    value : object
        An estimator is described by its class and parameters, a function by its code and the
        variables that it uses, any other object by what pickle would make of it.
    known : tuple of int, default=()
        The ``id`` of objects described elsewhere, for which the name of the class is enough.

    Returns
    -------
    str

    Raises
    ------
    Exception
        Whatever the object raises if it cannot be pickled.

    Examples
    --------
    >>> describe({"C": {0.1, 1.0}})
    "{'C': set(0.1, 1.0)}"
    """
    if value is None or isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, ModuleType):
        return value.__name__
    if id(value) in known or isinstance(value, joblib.Memory):
        return _class_name(value)
    inner = partial(describe, known=(*known, id(value)))
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(inner, value))})"
    if isinstance(value, set | frozenset):  # in an order that differs between processes
        return f"{type(value).__name__}({', '.join(sorted(map(inner, value)))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{inner(key)}: {inner(each)}' for key, each in value.items())}}}"
    if hasattr(value, "get_params"):
        own = _parameters(value, deep=False)
        texts = [f"{name}={inner(own[name])}" for name in own if name and _decides(name, own)]
        return f"{_class_name(value)}({', '.join(texts)})"
    function = getattr(value, "py_func", value)  # of a function compiled by numba
    if inspect.isfunction(function):
        return f"{value.__module__}.{value.__qualname__} {_short_sum(inner(_contents(function)))}"
    if sparse.issparse(value) or (isinstance(value, np.ndarray) and not value.dtype.hasobject):
        return f"{type(value).__name__} {sha256_of([value])[:16]}"
    return f"{_class_name(value)} {_short_sum(inner(_reduced(value)))}"


def _parameters(model: Any, deep: bool = True) -> dict[str, Any]:
    return {"": model} | dict(sorted(model.get_params(deep=deep).items()))


def _parts(values: dict[str, Any]) -> Ids:
    """The ids of nested estimators, whose parameters are among the values themselves."""
    owners = {name.rpartition("__")[0] for name in values}
    return tuple(id(value) for name, value in values.items() if name in owners)


def _decides(name: str, values: dict[str, Any]) -> bool:
    """Whether a parameter may change the result of a fit."""
    owner, _, last = name.rpartition("__")
    if last == "memory":  # of a Pipeline it is a cache; others may use the name otherwise
        value = values[name]
        caches = isinstance(value, joblib.Memory) or isinstance(values.get(owner), Pipeline)
        return not (value is None or caches)
    return last not in ("n_jobs", "verbose")


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _contents(function: Any) -> list[Any]:
    """What determines a function's result, as far as its own code shows."""
    held = inspect.getclosurevars(function)
    constants = {k: v for k, v in held.globals.items() if v is None or isinstance(v, _PLAIN)}
    defaults = [function.__defaults__, function.__kwdefaults__]
    return [_instructions(function.__code__), *defaults, held.nonlocals, constants]


def _instructions(code: CodeType) -> list[Any]:
    inner = [_instructions(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return [code.co_code, code.co_names, inner]


def _reduced(value: Any) -> Any:
    """What pickle would rebuild an object from."""
    if value is check_random_state(None):  # NumPy's global generator, whatever its state
        return "global"
    reduce = copyreg.dispatch_table.get(type(value))
    parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    if isinstance(parts, str):  # the name of a global object
        return parts
    return [list(part) if isinstance(part, Iterator) else part for part in parts]


def _short_sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
