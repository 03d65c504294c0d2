"""The three models by name, and the parameter grids worth searching."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.validation import check_is_fitted

from mnist_models._validation import check_name
from mnist_models.class_scores import ClassScores
from mnist_models.forest import RandomForestClassifier
from mnist_models.linear import LogisticRegression
from mnist_models.preprocessing import CleanPaper, Recipe, Standardize, make_preprocessor

if TYPE_CHECKING:
    import pandas as pd

MODEL_NAMES = ("logistic", "forest", "network")
_CLASSES = ("LogisticRegression", "RandomForestClassifier", "SequentialClassifier")

# Share of the variance that the principal components must explain: on MNIST, 80 of them do.
_EXPLAINED = 0.966

# The parameters that affect accuracy most, around their defaults; "conv": the accurate network.
_GRIDS: dict[str, dict[str, dict[str, list[Any]]]] = {
    "small": {
        "logistic": {"C": [0.01, 1.0]},
        "forest": {"max_features": ["sqrt", 0.1]},
        "network": {"l2": [1e-3, 1e-2]},
        "conv": {"learning_rate": [2e-3, 5e-3]},
    },
    "large": {
        "logistic": {"C": [1e-4, 1e-3, 1e-2, 1e-1, 1.0]},
        "forest": {"n_estimators": [100, 300], "max_features": ["sqrt", 0.1, 0.2]},
        "network": {
            "hidden_units": [(128,), (128, 64), (256, 128)],
            "l2": [1e-4, 1e-3, 1e-2],
            "dropout": [0.0, 0.3],
        },
        "conv": {
            "learning_rate": [2e-3, 5e-3, 1e-2],
            "rotation": [6.0, 12.0],
            "bend": [0.0, 0.4, 0.8],
        },
    },
}


def make_model(
    name: str,
    *,
    recipe: Recipe = "classic",
    random_state: int | np.random.RandomState | None = None,
    memory: Any = None,
    **params: Any,
) -> Pipeline:
    """Make one of the three models with its preprocessing: an ordinary scikit-learn Pipeline.

    Parameters
    ----------
    name : {"logistic", "forest", "network"}
        The classifier.
    recipe : {"classic", "accurate"}, default="classic"
        The preprocessing, see :func:`make_preprocessor`, and the classifier's parameters. For
        ``"accurate"`` logistic regression gets the oriented gradients' principal components for
        96.6 % of the variance (80 on MNIST), and all products of two of these [1]_, those that
        vary more with more weight; the forest gets the gradients as 8-bit numbers, which it
        counts, and :class:`~mnist_models.class_scores.ClassScores` of such products; the network
        is convolutional, gets the cleaned pixels, and is trained on warped images for all its
        ``epochs`` (fewer take less time and cost little accuracy).
    random_state : int, RandomState instance or None, default=None
        The classifier's ``random_state``.
    memory : str, joblib.Memory or None, default=None
        Where the Pipeline caches its fitted preprocessing; None for nowhere.
    **params
        Other parameters of the classifier, such as ``n_estimators=300``.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``preprocess`` and ``classify``, unfitted. The three are interchangeable.

    Raises
    ------
    ValueError
        If the name, the recipe or a parameter does not exist.

    References
    ----------
    .. [1] J. Schürmann, "Pattern Classification: A Unified View of Statistical and Neural
       Approaches", Wiley 1996, on polynomial classifiers of principal components.

    Examples
    --------
    >>> from mnist_models import load_sample_digits, make_model
    >>> X_train, X_test, y_train, y_test = load_sample_digits().split()
    >>> forest = make_model("forest", random_state=0, n_estimators=50)
    >>> forest.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """
    preprocess, classifier = _make_steps(name, recipe, random_state)
    classifier.set_params(**params)
    return Pipeline([("preprocess", preprocess), ("classify", classifier)], memory=memory)


def search_space(
    names: str | Iterable[str] = MODEL_NAMES,
    *,
    size: Literal["small", "large"] = "small",
    recipe: Recipe = "classic",
    random_state: int | np.random.RandomState | None = None,
) -> list[dict[str, list[Any]]]:
    """The parameter grid of one GridSearchCV over several models and their parameters.

    Parameters
    ----------
    names : str or iterable of str, default=MODEL_NAMES
        The models.
    size : {"small", "large"}, default="small"
        ``"small"`` has two candidates for each model; ``"large"`` 5 for ``"logistic"``, 6 for
        ``"forest"`` and 18 for ``"network"``.
    recipe : {"classic", "accurate"}, default="classic"
        Each model's preprocessing and its other parameters, see :func:`make_model`.
    random_state : int, RandomState instance or None, default=None
        The classifiers' ``random_state``.

    Returns
    -------
    list of dict
        One grid for each model, for a Pipeline made by :func:`make_model`.

    Raises
    ------
    ValueError
        If a name, the size or the recipe does not exist.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from mnist_models import load_sample_digits, make_model, search_space
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> grid = search_space("forest", random_state=0)  # or all three, as in the README
    >>> search = GridSearchCV(make_model("logistic"), grid, cv=3)
    >>> search.fit(digits.data, digits.target).best_params_
    {'classify': ..., 'preprocess': ...}
    """
    check_name(size, _GRIDS, "size")
    names = [names] if isinstance(names, str) else list(names)
    grids = _GRIDS[size]
    if recipe == "accurate":
        grids = grids | {"network": grids["conv"]}
    space = []
    for name in names:
        preprocess, classifier = _make_steps(name, recipe, random_state)
        values = {f"classify__{key}": list(values) for key, values in grids[name].items()}
        space.append({"preprocess": [preprocess], "classify": [classifier]} | values)
    return space


def search_frame(search: Any) -> "pd.DataFrame":
    """The candidates of a search as a table with a column ``model``; the best come first.

    Parameters
    ----------
    search : GridSearchCV, RandomizedSearchCV or the like
        Fitted, on a grid of :func:`search_space` or one like it.

    Returns
    -------
    pandas.DataFrame
        A row for each candidate: ``model`` (``"logistic"``, ``"forest"``, ``"network"``, or the
        name of a class), the parameters that vary, under their last name if only one has it, NaN
        where the model has none, and ``cv_results_``' scores, fit time and rank.

    Raises
    ------
    NotFittedError
        If ``fit`` was not called.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from mnist_models import load_sample_digits, make_model, search_frame, search_space
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> search = GridSearchCV(make_model("logistic"), search_space(["logistic", "forest"]), cv=3)
    >>> frame = search_frame(search.fit(digits.data, digits.target))
    >>> frame.columns.tolist()[:4]
    ['model', 'C', 'max_features', 'mean_fit_time']
    """
    import pandas as pd

    check_is_fitted(search, "cv_results_")
    results, pipeline = search.cv_results_, search.estimator
    candidates = results["params"]
    step = pipeline.steps[-1][0] if isinstance(pipeline, Pipeline) else ""
    models = [candidate.get(step, pipeline) for candidate in candidates]
    frame = pd.DataFrame({"model": [_name_of(model) for model in models]})
    keys = list(dict.fromkeys(key for candidate in candidates for key in candidate))
    last = [key.rpartition("__")[2] for key in keys]
    for key, name in zip(keys, last, strict=True):
        if "__" in key or not step:  # else it is a whole step
            values = [candidate.get(key, np.nan) for candidate in candidates]
            is_clear = last.count(name) == 1 and name != "model"
            frame[name if is_clear else key] = pd.Series(values, dtype=object)
    measured = pd.DataFrame(results).filter(regex="^(mean_fit|mean_test|std_test|rank_test)")
    frame = frame.join(measured)
    rank = next(column for column in frame if column.startswith("rank_test"))
    return frame.sort_values(rank, kind="stable", ignore_index=True)


def _name_of(model: Any) -> str:
    kind = type(model[-1] if isinstance(model, Pipeline) else model).__name__
    ours = dict(zip(_CLASSES, MODEL_NAMES, strict=True))
    return ours.get(kind, kind)


def _make_steps(name: str, recipe: Recipe, random_state: Any) -> tuple[Any, Any]:
    """The preprocessing and the classifier of a recipe, where its parameters are no defaults.

    The accurate ones were chosen by cross-validation on the official training rows:
    ``python -m benchmarks.tuning``.
    """
    check_name(name, MODEL_NAMES, "model")
    preprocess: Any = make_preprocessor(recipe)
    if name == "logistic":
        if recipe != "accurate":  # enough iterations to converge, as the original report's did not
            return preprocess, LogisticRegression(max_iter=1000, random_state=random_state)
        pca = PCA(_EXPLAINED, svd_solver="covariance_eigh")  # a deterministic solver
        products = PolynomialFeatures(2, include_bias=False)
        more = [("pca", pca), ("products", products), ("standardize", Standardize(power=0.6))]
        preprocess = Pipeline([*preprocess.steps, *more])
        return preprocess, LogisticRegression(C=0.4, random_state=random_state)
    if name == "forest":
        if recipe != "accurate":
            return preprocess, RandomForestClassifier(random_state=random_state)
        preprocess.set_params(hog__dtype="uint8")  # which the forest counts
        preprocess.steps.append(("scores", ClassScores()))
        return preprocess, RandomForestClassifier(300, random_state=random_state)

    from mnist_models.network import SequentialClassifier  # loads TensorFlow

    if recipe != "accurate":
        # As in the original report, the penalty is so strong that training and test accuracy are
        # equal, 0.94 to 0.95. Single epochs then vary by half a percent: weights are averaged.
        params: dict[str, Any] = {"l2": 0.01, "ema_momentum": 0.99}
        return preprocess, SequentialClassifier(random_state=random_state, **params)
    params = {
        "architecture": "conv",
        "l2": 0.0,
        "learning_rate": 5e-3,
        "schedule": "cosine",
        "ema_momentum": 0.998,
        "shift": 2.0,
        "rotation": 12.0,
        "stretch": 0.08,
        "bend": 0.8,
        "erase": 0.05,
        "epochs": 24,
        "validation_fraction": 0.0,
    }
    return CleanPaper(), SequentialClassifier(random_state=random_state, **params)
