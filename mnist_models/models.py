"""The three models by name, and the settings worth searching for each."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from sklearn.pipeline import Pipeline

from mnist_models._names import check_name
from mnist_models.forest import RandomForestClassifier
from mnist_models.linear import LogisticRegression
from mnist_models.network import SequentialClassifier
from mnist_models.preprocessing import make_preprocessor

# Each class, and where the report's recipe departs from its defaults.
_CLASSIFIERS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    # enough for lbfgs to converge (183 iterations on MNIST); scikit-learn stops at 100
    "logistic": (LogisticRegression, {"max_iter": 1000}),
    "forest": (RandomForestClassifier, {}),
    # so strong a penalty that training and test accuracy meet, at 0.94 to 0.95, as in the report
    "network": (SequentialClassifier, {"l2": 0.01}),
}

MODEL_NAMES = tuple(_CLASSIFIERS)

# The values around each default that move accuracy most.
_SETTINGS: dict[str, dict[str, dict[str, list[Any]]]] = {
    "small": {
        "logistic": {"C": [0.01, 1.0]},
        "forest": {"max_features": ["sqrt", 0.1]},
        "network": {"l2": [1e-3, 1e-2]},
    },
    "large": {
        "logistic": {"C": [1e-4, 1e-3, 1e-2, 1e-1, 1.0]},
        "forest": {"n_estimators": [100, 300], "max_features": ["sqrt", 0.1, 0.2]},
        "network": {
            "hidden_units": [(128,), (128, 64), (256, 128)],
            "l2": [1e-4, 1e-3, 1e-2],
            "dropout": [0.0, 0.3],
        },
    },
}


def make_model(
    name: str,
    *,
    recipe: Literal["report"] = "report",
    random_state: int | np.random.RandomState | None = None,
    memory: Any = None,
    **params: Any,
) -> Pipeline:
    """One of the three models behind its preprocessing: an ordinary scikit-learn Pipeline.

    Parameters
    ----------
    name : {"logistic", "forest", "network"}
        Which classifier.
    recipe : {"report"}, default="report"
        Which preprocessing, as :func:`make_preprocessor` has it.
    random_state : int, RandomState instance or None, default=None
        The classifier's.
    memory : str, joblib.Memory or None, default=None
        Where the Pipeline may keep its fitted preprocessing.
    **params
        Further parameters of the classifier, as ``n_estimators=300``.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``preprocess`` and ``classify``, unfitted. The three are interchangeable.

    Raises
    ------
    ValueError
        If the name, the recipe or a parameter does not exist.

    Examples
    --------
    >>> from mnist_models import load_sample_digits, make_model
    >>> X_train, X_test, y_train, y_test = load_sample_digits().split()
    >>> forest = make_model("forest", random_state=0, n_estimators=50)
    >>> forest.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """
    classifier = _make_classifier(name, random_state).set_params(**params)
    steps = [("preprocess", make_preprocessor(recipe)), ("classify", classifier)]
    return Pipeline(steps, memory=memory)


def search_space(
    names: str | Iterable[str] = MODEL_NAMES,
    *,
    size: Literal["small", "large"] = "small",
    random_state: int | np.random.RandomState | None = None,
) -> list[dict[str, list[Any]]]:
    """The grid of one GridSearchCV over several models: the step itself and its settings.

    Parameters
    ----------
    names : str or iterable of str, default=MODEL_NAMES
        Which of the models.
    size : {"small", "large"}, default="small"
        ``"small"`` tries two settings of each model, ``"large"`` 5, 6 and 18.
    random_state : int, RandomState instance or None, default=None
        The classifiers'.

    Returns
    -------
    list of dict
        One grid for each model, for a Pipeline made by :func:`make_model`.

    Raises
    ------
    ValueError
        If a name or the size does not exist.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from mnist_models import load_sample_digits, make_model, search_space
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> grid = search_space(["logistic", "forest"], random_state=0)
    >>> search = GridSearchCV(make_model("logistic"), grid, cv=3)
    >>> search.fit(digits.data, digits.target).best_params_
    {'classify': ...}
    """
    check_name(size, _SETTINGS, "size")
    names = [names] if isinstance(names, str) else list(names)
    return [
        {"classify": [_make_classifier(name, random_state)]}
        | {f"classify__{key}": list(values) for key, values in _SETTINGS[size][name].items()}
        for name in names
    ]


def _make_classifier(name: str, random_state: int | np.random.RandomState | None) -> Any:
    check_name(name, MODEL_NAMES, "model")
    classifier, settings = _CLASSIFIERS[name]
    return classifier(random_state=random_state, **settings)
