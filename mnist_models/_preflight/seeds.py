"""A check of random seeds: models that differ from fit to fit.

By scikit-learn's convention ``random_state=None`` draws other numbers in every fit. So the check
names every part of a model that has it, except those below while they are known to draw nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mnist_models._names import some


def unseeded(models: Mapping[str, Any], shape: tuple[int, int]) -> str | None:
    """Parts of the models that draw random numbers, for X of this shape."""
    found = [
        f"{name!r} ({type(part).__name__})"
        for name, model in models.items()
        for part in _unseeded_parts(model, shape)
    ]
    if not found:
        return None
    return (
        f"{some(found)}: random_state is None, so every fit gives another model, and no run can be "
        "repeated. Pass random_state=0, or any int."
    )


def _unseeded_parts(model: Any, shape: tuple[int, int]) -> list[Any]:
    from sklearn.ensemble import BaseEnsemble

    if not hasattr(model, "get_params"):
        return []
    params = {"": model} | {f"__{key}": part for key, part in model.get_params(deep=True).items()}
    # an ensemble seeds its own estimators
    inside = tuple(f"{key}__" for key, part in params.items() if isinstance(part, BaseEnsemble))
    parts = {
        id(part): part
        for key, part in params.items()
        if getattr(part, "random_state", 0) is None
        and not key.startswith(inside)
        and _draws(part, shape)
    }
    return list(parts.values())


def _draws(part: Any, shape: tuple[int, int]) -> bool:
    """Whether a fit on this many rows and columns may draw random numbers."""
    if type(part).__module__.split(".")[0] in _SEED_THEMSELVES:
        return False
    for kind in type(part).__mro__:
        if kind.__name__ in _DRAWS:
            return _DRAWS[kind.__name__](part, *shape)
    return True


def _pca(part: Any, n_rows: int, n_columns: int) -> bool:
    """As ``svd_solver="auto"`` chooses."""
    if part.svd_solver != "auto":
        return part.svd_solver in ("randomized", "arpack")
    n_wanted = part.n_components
    return bool(
        isinstance(n_wanted, int | np.integer)
        and n_wanted < 0.8 * min(n_rows, n_columns)
        and max(n_rows, n_columns) > 500
        and (n_columns > 1000 or n_rows < 10 * n_columns)
    )


def _linear_svc(part: Any, n_rows: int, n_columns: int) -> bool:
    """Only Newton's method, which solves the primal problem, draws nothing."""
    asked = (part.penalty, part.loss, part.multi_class)
    primal = part.dual is False or (part.dual == "auto" and n_rows >= n_columns)
    return not (primal and asked == ("l2", "squared_hinge", "ovr"))


def _hist_gradient_boosting(part: Any, n_rows: int, _: int) -> bool:
    """It draws rows to stop early by, features, or a sample of 200,000 rows for its bins."""
    stops = part.early_stopping is True or (part.early_stopping == "auto" and n_rows > 10_000)
    return bool(stops or part.max_features < 1 or n_rows > 200_000)


def _stochastic_solver(part: Any, *_: int) -> bool:
    return part.solver in ("sag", "saga", "liblinear")


def _probability(part: Any, *_: int) -> bool:
    return part.probability is True


def _shuffled(part: Any, *_: int) -> bool:
    return bool(part.shuffle)


def _subsample(part: Any, n_rows: int, _: int) -> bool:
    return part.subsample is not None and n_rows > part.subsample


# Whether each draws random numbers, by the documentation of scikit-learn 1.9.
_DRAWS: dict[str, Callable[..., bool]] = {
    "ClassifierChain": lambda part, *_: part.order == "random",
    "DummyClassifier": lambda part, *_: part.strategy in ("stratified", "uniform"),
    "GaussianProcessClassifier": lambda part, *_: part.n_restarts_optimizer > 0,
    "HistGradientBoostingClassifier": _hist_gradient_boosting,
    "KBinsDiscretizer": _subsample,
    "KFold": _shuffled,
    "LinearSVC": _linear_svc,
    "LogisticRegression": _stochastic_solver,
    "LogisticRegressionCV": _stochastic_solver,
    "NuSVC": _probability,
    "PCA": _pca,
    "QuantileTransformer": _subsample,
    "RidgeClassifier": _stochastic_solver,
    "SVC": _probability,
    "StratifiedGroupKFold": _shuffled,
    "StratifiedKFold": _shuffled,
    "TunedThresholdClassifierCV": lambda part, *_: isinstance(part.cv, float),
}

# Libraries whose models take None for a fixed seed.
_SEED_THEMSELVES = ("catboost", "lightgbm", "xgboost")
