"""Fitted estimators as plain data (numbers, strings, arrays), and back, checked.

A part is one fitted estimator as data: ``settings`` for JSON, and ``arrays``. That of a Pipeline
contains those of its steps. A file names one of the kinds below, and nothing else is ever built.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble, linear_model
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures
from sklearn.utils.validation import check_is_fitted

from mnist_models._model_files.checks import (
    Arrays,
    TrackedDict,
    count,
    decode_parameter,
    encode_parameter,
    require,
    require_all_read,
)
from mnist_models._model_files.classifiers import (
    decode_logistic,
    decode_network,
    encode_logistic,
    encode_network,
)
from mnist_models._model_files.forests import decode_forest, encode_forest
from mnist_models._model_files.transformers import (
    decode_deskew,
    decode_hog,
    decode_identity,
    decode_pca,
    decode_products,
    decode_standardize,
    encode_nothing,
    encode_pca,
    encode_standardize,
)
from mnist_models.forest import RandomForestClassifier
from mnist_models.image_features import Deskew, HogFeatures
from mnist_models.linear import LogisticRegression
from mnist_models.network import SequentialClassifier
from mnist_models.preprocessing import Standardize

# Parameters of how a fit is run, which do not affect the fitted model.
_NOT_KEPT = ("callbacks", "n_jobs", "verbose", "warm_start")

# Of nested Pipelines. With each level scikit-learn takes four times as long to predict a row.
_DEEPEST = 8

# The values of ``set_output``; None if it was not called.
_OUTPUTS = (None, "default", "pandas", "polars")


class Part(NamedTuple):
    """One estimator as data: its kind, what JSON holds of it, and its arrays."""

    kind: str
    settings: dict[str, Any]
    arrays: Arrays


class _Kind(NamedTuple):
    """The class that is loaded, how it is encoded and decoded, and classes that are saved as it.

    ``decode`` fills in a new estimator and returns how many features it makes, or None if it is a
    classifier.
    """

    estimator: type
    encode: Callable[[Any], tuple[dict[str, Any], Arrays]]
    decode: Callable[[Any, dict[str, Any], Arrays], int | None]
    also_saved: tuple[type, ...] = ()


# Two of our classes are models of scikit-learn, only fitted faster.
_KINDS = {
    "identity": _Kind(FunctionTransformer, encode_nothing, decode_identity),
    "deskew": _Kind(Deskew, encode_nothing, decode_deskew),
    "hog": _Kind(HogFeatures, encode_nothing, decode_hog),
    "pca": _Kind(PCA, encode_pca, decode_pca),
    "products": _Kind(PolynomialFeatures, encode_nothing, decode_products),
    "standardize": _Kind(Standardize, encode_standardize, decode_standardize),
    "logistic": _Kind(
        LogisticRegression, encode_logistic, decode_logistic, (linear_model.LogisticRegression,)
    ),
    "forest": _Kind(
        RandomForestClassifier, encode_forest, decode_forest, (ensemble.RandomForestClassifier,)
    ),
    "network": _Kind(SequentialClassifier, encode_network, decode_network),
}


def encode(estimator: Any, depth: int = 0) -> Part:
    """A fitted estimator, at some depth within Pipelines, as data.

    Raises
    ------
    TypeError
        If it is of another kind, or has a parameter that is not plain data.
    NotFittedError
        If it is not fitted.
    ModelFormatError
        If :func:`decode` would refuse it.
    """
    if type(estimator) is Pipeline:
        return _encode_pipeline(estimator, depth)
    for name, kind in _KINDS.items():
        if type(estimator) in (kind.estimator, *kind.also_saved):
            check_is_fitted(estimator, "n_features_in_")
            settings, arrays = kind.encode(estimator)
            part = Part(name, _common_settings(estimator, arrays) | settings, arrays)
            if not arrays:  # decoding it is cheap, and checks its parameters
                decode(part)
            return part
    known = ", ".join(kind.estimator.__name__ for kind in _KINDS.values())
    raise TypeError(
        f"model must be one of {known}, or a Pipeline of these. Got "
        f"{type(estimator).__module__}.{type(estimator).__qualname__} instead; "
        "a search has a best model only with refit=True."
    )


def decode(part: Part, depth: int = 0) -> tuple[Any, int | None]:
    """The estimator that a part describes, and how many features it makes; None of a classifier.

    Raises
    ------
    ModelFormatError, or an error that says what is missing or of a wrong type
        If the part is not what :func:`encode` makes of any estimator.
    """
    if part.kind == "pipeline":
        return _decode_pipeline(part, depth)
    known = [*_KINDS, "pipeline"]
    require(part.kind in _KINDS, f"an estimator of kind {part.kind!r}", f"one of {known}")
    kind, settings = _KINDS[part.kind], TrackedDict(part.settings)
    estimator = kind.estimator()
    _decode_params(estimator, settings["params"])
    estimator.n_features_in_ = count(settings["n_features"], "n_features")
    layouts = settings["layouts"]
    arrays = TrackedDict(
        (name, _laid_out(array, layouts[name]) if name in layouts else array)
        for name, array in part.arrays.items()
    )
    width = kind.decode(estimator, settings, arrays)
    _decode_names_and_output(estimator, settings)
    require_all_read(part.kind, settings, arrays)
    return estimator, width


# -- what all kinds share --------------------------------------------------------------------------


def _common_settings(estimator: Any, arrays: Arrays) -> dict[str, Any]:
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name} must be an array. Got {array!r} instead: densify it first.")
    params = estimator.get_params(deep=False)
    names = getattr(estimator, "feature_names_in_", None)
    return {
        "params": {
            name: encode_parameter(name, value)
            for name, value in params.items()
            # "deprecated" is scikit-learn's default for a parameter that it will remove
            if name not in _NOT_KEPT and not (isinstance(value, str) and value == "deprecated")
        },
        "n_features": count(int(estimator.n_features_in_), "n_features"),
        "feature_names": None if names is None else list(names),
        "output": getattr(estimator, "_sklearn_output_config", {}).get("transform"),
        # the last bits of a sum depend on the matrix's layout in memory
        "layouts": {name: _layout(array) for name, array in arrays.items() if array.ndim == 2},
    }


def _layout(matrix: NDArray[Any]) -> list[bool]:
    """Whether it is column-major, and whether its rows, and its columns, are stored backwards."""
    down, across = matrix.strides
    return [abs(down) < abs(across), down < 0, across < 0]


def _laid_out(matrix: NDArray[Any], layout: list[bool]) -> NDArray[Any]:
    by_column, *backwards = layout
    reverse = tuple(slice(None, None, -1 if each else None) for each in backwards)
    return np.array(matrix[reverse], order="F" if by_column else "C")[reverse]


def _decode_params(estimator: Any, params: dict[str, Any]) -> None:
    known = set(estimator.get_params()) - set(_NOT_KEPT)
    require(set(params) <= known, f"parameters {sorted(params)}", f"some of {sorted(known)}")
    for name, value in params.items():
        setattr(estimator, name, decode_parameter(name, value))
    if hasattr(estimator, "_parameter_constraints"):  # scikit-learn's; kinds check ours
        estimator._validate_params()


def _decode_names_and_output(estimator: Any, settings: dict[str, Any]) -> None:
    names, output = settings["feature_names"], settings["output"]
    if names is not None:
        n = estimator.n_features_in_
        sound = isinstance(names, list) and len(names) == n and all(type(a) is str for a in names)
        require(sound, "other feature names", f"names of {n} features")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    require(output in _OUTPUTS, f"output {output!r}", f"one of {_OUTPUTS}")
    if output is not None:
        estimator.set_output(transform=output)


# -- pipelines -------------------------------------------------------------------------------------


def _encode_pipeline(pipeline: Pipeline, depth: int) -> Part:
    _check_depth(depth)
    steps: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for number, (name, estimator) in enumerate(pipeline.steps):
        part = encode(estimator, depth + 1)
        steps.append({"name": name, "kind": part.kind, "settings": part.settings})
        arrays |= {f"{number}/{key}": array for key, array in part.arrays.items()}
    return Part("pipeline", {"steps": steps}, arrays)


def _decode_pipeline(part: Part, depth: int) -> tuple[Pipeline, int | None]:
    _check_depth(depth)
    steps: list[tuple[str, Any]] = []
    width: int | None = None
    arrays = _arrays_of_steps(part.arrays)
    settings = TrackedDict(part.settings)
    for number, step in enumerate(map(TrackedDict, settings["steps"])):
        each = Part(step["kind"], step["settings"], arrays.pop(str(number), {}))
        estimator, n_out = decode(each, depth + 1)
        if steps:
            before, n_in = type(steps[-1][1]).__name__, estimator.n_features_in_
            require(width is not None, f"{before} in front of a step", "a transformer there")
            require(
                n_in == width, f"a step for {n_in}", f"one for the {width} features of {before}"
            )
        steps.append((step["name"], estimator))
        require_all_read(f"step {number} of a pipeline", step)
        width = n_out
    require(len(steps) > 0, "a pipeline without steps", "one step or more")
    require_all_read("pipeline", settings, TrackedDict(arrays))
    names = [name for name, _ in steps]
    require(all(type(name) is str for name in names), f"steps named {names}", "strings for names")
    pipeline = Pipeline(steps)
    pipeline._validate_names(names)
    return pipeline, width


def _check_depth(depth: int) -> None:
    require(depth < _DEEPEST, "one more", f"pipelines nested at most {_DEEPEST} deep")


def _arrays_of_steps(arrays: Arrays) -> dict[str, Arrays]:
    """The arrays of each step, by its number."""
    of_steps: dict[str, Arrays] = defaultdict(dict)
    for key, array in arrays.items():
        number, _, name = key.partition("/")
        of_steps[number][name] = array
    return of_steps
