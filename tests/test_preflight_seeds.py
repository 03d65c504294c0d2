"""Which models draw random numbers without a seed: told beforehand, as scikit-learn's own show."""

import inspect
from typing import Any

import numpy as np
import pytest
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators

from mnist_models import (
    make_model,
)
from mnist_models._preflight.seeds import unseeded


class Bare(ClassifierMixin, BaseEstimator):
    """A classifier without parameters."""

    def fit(self, X: Any, y: Any) -> "Bare":
        return self


SEEDED = StratifiedKFold(3, shuffle=True, random_state=0)


@pytest.mark.parametrize(
    ("model", "draws"),
    [
        (Bare(), False),
        (DummyClassifier(), False),
        (DummyClassifier(strategy="uniform"), True),
        (LogisticRegression(), False),
        (LogisticRegression(solver="saga"), True),
        (LogisticRegression(solver="saga", random_state=0), False),
        (LinearSVC(), False),
        (LinearSVC(dual=True), True),
        (LinearSVC(penalty="l1"), True),
        (SVC(), False),
        (DecisionTreeClassifier(), True),
        (RandomForestClassifier(), True),
        (RandomForestClassifier(random_state=0), False),
        (HistGradientBoostingClassifier(), False),
        (HistGradientBoostingClassifier(early_stopping=True), True),
        (HistGradientBoostingClassifier(max_features=0.5), True),
        (make_pipeline(StandardScaler(), RandomForestClassifier()), True),
        (make_pipeline(PCA(2), KNeighborsClassifier()), False),
        (make_pipeline(PCA(2, svd_solver="randomized"), KNeighborsClassifier()), True),
        (make_pipeline(Nystroem(), KNeighborsClassifier()), True),
        (GridSearchCV(RandomForestClassifier(), {}), True),
        (GridSearchCV(LogisticRegression(), {}, cv=StratifiedKFold(3)), False),
        (GridSearchCV(LogisticRegression(), {}, cv=StratifiedKFold(3, shuffle=True)), True),
        (GridSearchCV(LogisticRegression(), {}, cv=SEEDED), False),
        (BaggingClassifier(RandomForestClassifier()), True),
        (BaggingClassifier(RandomForestClassifier(), random_state=0), False),
        (make_pipeline(BaggingClassifier(RandomForestClassifier(), random_state=0)), False),
        (VotingClassifier([("tree", DecisionTreeClassifier())]), True),
        (make_model("network"), True),
        (make_model("network", recipe="accurate", random_state=0), False),
        (make_model("logistic", recipe="accurate"), False),
    ],
    ids=str,
)
def test_what_draws_random_numbers_is_asked_for_its_seed(model: Any, draws: bool) -> None:
    assert bool(unseeded({"it": model}, (300, 10))) == draws


def test_what_depends_on_the_size_of_the_data_is_judged_by_it() -> None:
    assert unseeded({"": HistGradientBoostingClassifier()}, (10_001, 5))
    assert not unseeded({"": PCA(50)}, (56_000, 784))  # by the covariance matrix
    assert unseeded({"": PCA(50)}, (1_400, 784))
    assert unseeded({"": PCA(np.int64(50))}, (1_400, 784))
    assert unseeded({"": LinearSVC()}, (100, 784))
    assert unseeded({"": QuantileTransformer()}, (56_000, 784))


# named though two fits on these few rows come to the same: they draw, and it seldom shows
_SELDOM = {"AdaBoostClassifier", "GradientBoostingClassifier", "KernelPCA"}
_SELDOM |= {"LocallyLinearEmbedding", "NeighborhoodComponentsAnalysis", "OutputCodeClassifier"}
_SLOW = {"DictionaryLearning", "MiniBatchDictionaryLearning", "SparsePCA", "MiniBatchSparsePCA"}
_OF_OTHER_DATA = {"ClassifierChain", "PatchExtractor", "TSNE"}
_GIVEN: dict[str, Any] = {
    "estimator": LogisticRegression(),
    "Cs": 2,
    "max_iter": 5,
    "n_components": 5,
    "n_estimators": 20,
}


def _seedable() -> list[Any]:
    """What of scikit-learn classifies or transforms, and takes a seed."""
    kinds = all_estimators(type_filter=["classifier", "transformer"])
    return [
        kind
        for name, kind in kinds
        if "random_state" in inspect.signature(kind).parameters
        and name not in _SLOW | _OF_OTHER_DATA
    ]


@pytest.mark.filterwarnings("ignore")  # of unconverged and deprecated estimators
@pytest.mark.parametrize("kind", _seedable(), ids=lambda kind: kind.__name__)
def test_two_fits_that_differ_are_named_and_those_named_differ(kind: Any) -> None:
    """Each of scikit-learn's own, small, and otherwise as it comes."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:160, 18:38] / 16 + np.random.default_rng(0).uniform(0, 1e-3, (160, 20)), y[:160] % 2
    takes = inspect.signature(kind).parameters
    model = kind(**{name: value for name, value in _GIVEN.items() if name in takes})
    answers = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002  where random_state=None draws from
        fitted = clone(model).fit(X[:80], y[:80])
        ways = ("predict_proba", "decision_function", "transform", "predict")
        ask = next(getattr(fitted, way) for way in ways if hasattr(fitted, way))
        answer = ask(X[80:])
        answers.append(answer.toarray() if issparse(answer) else answer)
    differ = not np.array_equal(*answers)
    named = unseeded({"it": model}, (80, 20)) is not None
    assert named == (differ or kind.__name__ in _SELDOM)
