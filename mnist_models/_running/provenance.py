"""What a result came from: data, folds, parameters and versions, each in a form to compare."""

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

Within: TypeAlias = tuple[int, ...]

# What its repr tells from any other.
_PLAIN = (str, bytes, int, float, complex, bool, np.generic)

_LIBRARIES = ("mnist-models", "numpy", "scipy", "scikit-learn", "numba", "tensorflow", "keras")


def versions() -> dict[str, str]:
    """Of Python and of the libraries that a result depends on."""
    found = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {"python": platform.python_version()} | found


def sha256_of(things: Iterable[Any]) -> str:
    """One sum over arrays, sparse matrices, tables, or whatever else can be pickled.

    Equal arrays have equal sums, wherever they lie and in whatever order of bytes.

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
    """Every parameter of an estimator, nested ones too, as text for a reader.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> parameters_of(KNeighborsClassifier(3))["n_neighbors"]
    '3'
    """
    told = {}
    values = _parameters(model)
    for name, value in values.items():
        try:
            told[name] = described(value, _parts(values))
        except Exception:  # noqa: BLE001  # anybody's object raises what it likes; a type will do
            told[name] = _class_name(value)
    return told


def parameters_that_decide(model: Any, whose: str) -> dict[str, str]:
    """Those that decide what a fit comes to, as text that tells each from any other value.

    Raises
    ------
    TypeError
        If one of them cannot be told.
    """
    values = _parameters(model)
    return {
        name: told_apart(f"{name} of {whose!r}", value, _parts(values))
        for name, value in values.items()
        if _decides(name, values)
    }


def told_apart(name: str, value: Any, known: Within = ()) -> str:
    """As :func:`described`, with an error that names the parameter."""
    try:
        return described(value, known)
    except Exception as error:
        raise TypeError(
            "With checkpoint, every parameter must be such that a later run can tell whether it is "
            f"the same. Of {name} it cannot: {type(error).__name__}: {error}. Use one that can be "
            "pickled, or leave checkpoint out."
        ) from error


def described(value: Any, within: Within = ()) -> str:
    """Any value as text that tells it from any other, now and in another process.

    Parameters
    ----------
    value : object
        An estimator is told by its class and parameters, a function by its code and what it holds,
        any other object by what pickle would make it anew from.
    within : tuple of int, default=()
        The ``id`` of what is told elsewhere: here the name of its class stands for it.

    Returns
    -------
    str

    Raises
    ------
    Exception
        Whatever the object does if it cannot be pickled.

    Examples
    --------
    >>> described({"C": {0.1, 1.0}})
    "{'C': set(0.1, 1.0)}"
    """
    if value is None or isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, ModuleType):
        return value.__name__
    if id(value) in within or isinstance(value, joblib.Memory):
        return _class_name(value)
    tell = partial(described, within=(*within, id(value)))
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(tell, value))})"
    if isinstance(value, set | frozenset):  # whose order is another in every process
        return f"{type(value).__name__}({', '.join(sorted(map(tell, value)))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{tell(key)}: {tell(each)}' for key, each in value.items())}}}"
    if hasattr(value, "get_params"):
        own = _parameters(value, deep=False)
        told = [f"{name}={tell(own[name])}" for name in own if name and _decides(name, own)]
        return f"{_class_name(value)}({', '.join(told)})"
    function = getattr(value, "py_func", value)  # where numba has compiled it
    if inspect.isfunction(function):
        return f"{value.__module__}.{value.__qualname__} {_short_sum(tell(_contents(function)))}"
    if sparse.issparse(value) or (isinstance(value, np.ndarray) and not value.dtype.hasobject):
        return f"{type(value).__name__} {sha256_of([value])[:16]}"
    return f"{_class_name(value)} {_short_sum(tell(_reduced(value)))}"


def _parameters(model: Any, deep: bool = True) -> dict[str, Any]:
    return {"": model} | dict(sorted(model.get_params(deep=deep).items()))


def _parts(values: dict[str, Any]) -> Within:
    """Those of the parameters whose own ones stand beside them, so that a name will do."""
    owners = {name.rpartition("__")[0] for name in values}
    return tuple(id(value) for name, value in values.items() if name in owners)


def _decides(name: str, values: dict[str, Any]) -> bool:
    """Whether a parameter makes a difference to what a fit comes to."""
    owner, _, last = name.rpartition("__")
    if last == "memory":  # others may mean something else by it
        value = values[name]
        caches = isinstance(value, joblib.Memory) or isinstance(values.get(owner), Pipeline)
        return not (value is None or caches)
    return last not in ("n_jobs", "verbose")


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _contents(function: Any) -> list[Any]:
    """What a function does, as far as its own code tells: not where it stands in its file."""
    held = inspect.getclosurevars(function)
    constants = {k: v for k, v in held.globals.items() if v is None or isinstance(v, _PLAIN)}
    defaults = [function.__defaults__, function.__kwdefaults__]
    return [_instructions(function.__code__), *defaults, held.nonlocals, constants]


def _instructions(code: CodeType) -> list[Any]:
    inner = [_instructions(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return [code.co_code, code.co_names, inner]


def _reduced(value: Any) -> Any:
    """What pickle would make an object anew from."""
    if value is check_random_state(None):  # NumPy's global generator: that it is it, not its state
        return "global"
    reduce = copyreg.dispatch_table.get(type(value))
    parts = value.__reduce_ex__(4) if reduce is None else reduce(value)
    if isinstance(parts, str):  # the name of a global thing
        return parts
    return [list(part) if isinstance(part, Iterator) else part for part in parts]


def _short_sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
