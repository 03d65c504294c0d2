"""What a result came from: data, folds, parameters and versions, each in a form to compare."""

import hashlib
import importlib.metadata
import inspect
import platform
from collections.abc import Iterable, Mapping
from typing import Any

import joblib
import numpy as np
from scipy import sparse

# Parameters that do not change what a fit comes to.
_WITHOUT_EFFECT = {"n_jobs", "verbose", "memory"}

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
    """Every parameter of an estimator, nested ones too, as text that tells it from any other.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> parameters_of(KNeighborsClassifier(3))["n_neighbors"]
    '3'
    """
    parameters = {"": _class_name(model)}
    for name, value in sorted(model.get_params(deep=True).items()):
        parameters[name] = described(value)
    return parameters


def that_decide(parameters: Mapping[str, str]) -> dict[str, str]:
    """Of some parameters those that decide what a fit comes to."""
    return {
        name: text
        for name, text in parameters.items()
        if name.split("__")[-1] not in _WITHOUT_EFFECT
    }


def described(value: Any) -> str:
    """Any parameter as text that tells it from any other value, now and in another process."""
    if isinstance(value, str | int | float | bool | None):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(_whole(each) for each in value)})"
    if isinstance(value, dict):
        pairs = (f"{described(key)}: {_whole(each)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _class_name(value)  # whose parameters stand for themselves
    if inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__} {_sum_of_source(value)}"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{type(value).__name__} {sha256_of([value])[:16]}"


def _whole(value: Any) -> str:
    """As :func:`described`, but of an estimator its parameters too, which stand nowhere else."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return f"{_class_name(value)}({that_decide(parameters_of(value))})"
    return described(value)


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _sum_of_source(function: Any) -> str:
    """What a function does, as far as its text tells: not where it stands in its file."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt, say
        source = repr((function.__code__.co_code, function.__code__.co_names))
    held = inspect.getclosurevars(function).nonlocals.values()
    # of functions in a closure the name will do: one of them may be this one
    plain = [each.__qualname__ if inspect.isfunction(each) else each for each in held]
    source += described([function.__defaults__, function.__kwdefaults__, plain])
    return hashlib.sha256(source.encode()).hexdigest()[:16]
