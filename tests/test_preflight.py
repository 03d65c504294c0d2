"""What would mislead is said before the first fit, once, and nothing else is."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    StratifiedKFold,
    train_test_split,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mnist_models import (
    MODEL_NAMES,
    compare,
    evaluate,
    fetch_mnist,
    load_sample_digits,
    make_model,
    make_preprocessor,
)
from mnist_models.exceptions import PreflightWarning

NEAREST = KNeighborsClassifier(1)


def _digits(n: int = 300) -> tuple[Any, Any]:
    some = load_sample_digits().sample(n, random_state=0)
    return some.data, some.target


def _noise(n: int = 300, n_classes: int = 3) -> tuple[Any, Any]:
    """Rows that say nothing of their labels."""
    return np.random.default_rng(0).normal(size=(n, 10)), np.arange(n) % n_classes


class Case(NamedTuple):
    """What evaluate is given."""

    X: Any
    y: Any
    model: Any = NEAREST
    cv: Any = 5
    test: Any = None

    def run(self, **options: Any) -> Any:
        return evaluate(self.model, self.X, self.y, cv=self.cv, test=self.test, **options)


def _identifiers() -> Case:
    return Case(*_noise(240, 60), cv=2)


def _one_row_of_a_class() -> Case:
    X, y = _digits()
    keep = (y != 3) | (np.cumsum(y == 3) <= 1)
    return Case(X[keep], y[keep])


def _sorted_labels() -> Case:
    """Thirty digits of each class, so that each fold is one class."""
    X, y = _digits(600)
    order = np.concatenate([np.flatnonzero(y == digit)[:30] for digit in range(10)])
    return Case(X[order], y[order], cv=KFold(10))


def _half_sorted_labels() -> Case:
    """Every class in every training part, but half of the classes prevail in each half of rows."""
    X, y = _digits()
    low, high = np.flatnonzero(y < 5), np.flatnonzero(y >= 5)
    order = np.concatenate([low[30:], high[:30], low[:30], high[30:]])
    return Case(X[order], y[order], cv=KFold(2))


def _test_rows_in_X() -> Case:  # noqa: N802
    X, y = _noise()
    return Case(X, y, test=(X[:50], y[:50]))


def _rows_given_twice() -> Case:
    X, y = _noise()
    return Case(np.tile(X, (2, 1)), np.tile(y, 2))


def _scaled() -> Case:
    X, y = _digits()
    return Case(StandardScaler().fit_transform(X), y)


def _scaled_before_the_split() -> Case:
    X, y = _digits()
    X_train, X_test, y_train, y_test = train_test_split(StandardScaler().fit_transform(X), y)
    return Case(X_train, y_train, test=(X_test, y_test))


def _unseeded_forest() -> Case:
    return Case(*_digits(), model=make_model("forest", n_estimators=5))


MISLEADING: list[tuple[str, Callable[[], Case], str]] = [
    ("many-classes", _identifiers, "60 classes in 240 rows.*use a regressor"),
    ("few-rows", _one_row_of_a_class, "3 in y: fewer rows than the 5 folds.*Leave these out"),
    ("class-missing", _sorted_labels, "300 of 300 rows are tested in a fold.*Use an int for cv"),
    ("unstratified-folds", _half_sorted_labels, "shares in fold 1 are not.*Use an int for cv"),
    ("duplicate-rows", _test_rows_in_X, "50 of 50 rows of the test set are also in X.*Drop the"),
    ("duplicate-rows", _rows_given_twice, "rows of X are in their fold's training part too.*Drop"),
    ("scaled-outside", _scaled, "All columns of X have mean 0.*put the scaler into the model"),
    ("scaled-outside", _scaled_before_the_split, "of X and the test set together have mean"),
    ("unseeded", _unseeded_forest, r"'RandomForestClassifier' \(RandomForestC.*random_state=0"),
]


@pytest.mark.parametrize(("name", "make_case", "message"), MISLEADING)
def test_what_misleads_is_said_once_at_the_callers_line_and_silenced_by_name(
    name: str, make_case: Callable[[], Case], message: str
) -> None:
    case = make_case()
    with pytest.warns(PreflightWarning, match=rf"^\[{name}\] .*{message}") as caught:
        case.run()
    assert [warning.filename for warning in caught] == [__file__]
    assert f"ignore=('{name}',)" in str(caught[0].message)
    case.run(ignore=(name,))  # a warning would be an error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", rf"\[{name}\]", PreflightWarning)
        compare({"model": case.model}, case.X, case.y, cv=case.cv, test=case.test)
    page = Path(__file__).parents[1] / "docs" / "running.md"
    assert f'``"{name}"``' in str(evaluate.__doc__)
    assert f"| `{name}` |" in page.read_text(encoding="utf-8")


def test_a_misspelt_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="Did you mean 'duplicate-rows'"):
        Case(*_noise()).run(ignore=("duplicate-row",))
    _rows_given_twice().run(ignore="duplicate-rows")  # one name is as good as a list of it


# -- no false alarms -------------------------------------------------------------------------------


def _found(X: Any, y: Any, *, cv: Any = 5, test: Any = None, model: Any = None) -> list[str]:
    """The names of what is found."""
    model = DummyClassifier() if model is None else model
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PreflightWarning)
        evaluate(model, X, y, cv=cv, test=test)
    return [str(warning.message)[1:].split("]")[0] for warning in caught]


class Untrained(DummyClassifier):
    """Has the parts of a model, and does not fit them."""

    def __init__(self, model: Any = None) -> None:
        super().__init__()
        self.model = model


@pytest.mark.parametrize("recipe", ["classic", "accurate"])
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_our_own_models_on_the_digits_are_fine(name: str, recipe: Any) -> None:
    X_train, X_test, y_train, y_test = load_sample_digits().split()
    model = Untrained(make_model(name, recipe=recipe, random_state=0))
    assert _found(X_train, y_train, model=model, test=(X_test, y_test)) == []


def test_mnist_is_fine(mnist_folder: Path) -> None:
    X_train, X_test, y_train, y_test = fetch_mnist(data_home=mnist_folder).split("classic")
    assert _found(X_train, y_train, test=(X_test, y_test)) == []


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_scikit_learns_own_tables_are_fine(load: Any) -> None:
    assert _found(*load(return_X_y=True)) == []  # iris has a row twice, which is no wonder


@pytest.mark.parametrize("cv", [2, 10, KFold(5), KFold(50, shuffle=True), LeaveOneOut()], ids=str)
def test_folds_of_rows_in_no_order_are_fine(cv: Any) -> None:
    X, y = _digits(100)
    assert _found(X, np.random.default_rng(0).permutation(y), cv=cv) == []


def test_shuffled_folds_are_fine_whatever_the_classes() -> None:
    """One unlikely order of 16 may be called so by chance."""
    rng, n_found = np.random.default_rng(0), 0
    for counts in ((30, 30), (6,) * 10, (54, 3, 3), (55, 2, 2, 1)):
        y = np.repeat(np.arange(len(counts)), counts)
        for cv in (KFold(2), KFold(5), KFold(5), KFold(20)):
            found = _found(np.arange(60)[:, np.newaxis], rng.permutation(y), cv=cv)
            n_found += "unstratified-folds" in found
    assert n_found <= 1


@pytest.mark.parametrize("n_folds", [2, 5, 10])
def test_sorted_labels_in_unshuffled_folds_are_always_found(n_folds: int) -> None:
    """Whole classes held out, or all folds of few classes: it is always one of both."""
    for n_classes in (2, 3, 10):
        for n_rows in (40, 1000):
            y = np.sort(np.arange(n_rows) % n_classes)
            found = _found(np.arange(n_rows)[:, np.newaxis], y, cv=KFold(n_folds))
            assert len({"class-missing", "unstratified-folds"} & set(found)) == 1


def test_rows_with_few_values_repeat_by_chance() -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 3, size=(500, 4))  # of 81 kinds
    assert _found(answers, np.arange(500) % 2) == []
    assert _found(np.zeros((500, 784)), np.arange(500) % 2) == []


def test_copies_in_one_fold_are_fine_and_so_are_fewer_than_one_in_a_thousand() -> None:
    X, y = _rows_given_twice()[:2]
    groups = np.tile(np.arange(300), 2)
    assert _found(X, y, cv=list(GroupKFold(5).split(X, y, groups))) == []
    X, y = _noise(3000)
    X[1] = X[0]
    assert _found(X, y) == []
    X[:5] = X[0]
    assert _found(X, y) == ["duplicate-rows"]


def test_copies_are_found_in_any_kind_of_numbers_and_others_are_no_trouble() -> None:
    X, y = _digits(200)
    kinds: list[Any] = [X.reshape(-1, 28, 28), X.astype(float), pd.DataFrame(X), X[:, ::-1]]
    for rows in kinds:
        assert _found(rows, y, test=(X if rows is kinds[1] else rows, y)) == ["duplicate-rows"]
    mixed = pd.DataFrame({"name": [str(row.sum()) for row in X], "size": X.sum(axis=1)})
    mixed.loc[::3, "size"] = np.nan
    for rows in (csr_array(X), mixed, mixed.to_numpy(), mixed["name"].to_numpy()):
        assert _found(rows, y, test=(rows, y)) == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_is_seen_in_any_precision_and_not_in_normal_numbers(dtype: Any) -> None:
    X, y = _digits()
    assert _found(StandardScaler().fit_transform(X.astype(dtype)), y) == ["scaled-outside"]
    assert _found(make_preprocessor().fit_transform(X), y) == ["scaled-outside"]
    varied = X[:, X.std(axis=0) > 0].astype(dtype)
    by_pandas = (varied - varied.mean(axis=0)) / varied.std(axis=0, ddof=1)
    assert _found(by_pandas, y) == ["scaled-outside"]
    normal = np.random.default_rng(0).normal(size=(100_000, 2)).astype(dtype)
    assert _found(normal, np.arange(100_000) % 2) == []
    assert _found(X.astype(dtype) / 255, y) == []


def test_half_of_the_columns_scaled_are_enough() -> None:
    X, y = _noise(400)
    X = np.c_[StandardScaler().fit_transform(X), np.ones(400)]
    raw = np.random.default_rng(0).uniform(0, 9, size=(400, 11))
    assert _found(np.c_[X, raw[:, :10]], y) == ["scaled-outside"]
    assert _found(np.c_[X, raw], y) == []
    X, y = _noise()
    X[0, 0], X[1, 0], X[2, 1] = np.inf, -np.inf, np.nan
    assert _found(X, y) == [], "missing and infinite values are no trouble"


def test_classes_of_few_rows_are_counted_against_the_folds() -> None:
    X, y = _digits(200)
    y = np.where(np.cumsum(y == 7) <= 3, y, np.where(y == 7, 1, y))
    assert (y == 7).sum() == 3
    assert _found(X, y, cv=StratifiedKFold(3)) == []
    with pytest.warns(PreflightWarning, match=r"7 in y.*Use at most 3 folds"):
        evaluate(NEAREST, X, y, cv=4)


@pytest.mark.parametrize(
    ("model", "draws"),
    [
        (GaussianNB(), False),
        (LogisticRegression(), False),
        (DecisionTreeClassifier(), True),
        (RandomForestClassifier(random_state=0), False),
        (make_pipeline(StandardScaler(), RandomForestClassifier()), True),
        (GridSearchCV(RandomForestClassifier(), {}), True),
        (BaggingClassifier(RandomForestClassifier(), random_state=0), False),
        (make_pipeline(BaggingClassifier(RandomForestClassifier(), random_state=0)), False),
        (VotingClassifier([("tree", DecisionTreeClassifier())]), True),
        (make_model("network"), True),
        (make_model("logistic", recipe="accurate"), False),
    ],
    ids=str,
)
def test_what_draws_random_numbers_is_asked_for_its_seed(model: Any, draws: bool) -> None:
    assert _found(*_noise(), model=Untrained(model)) == (["unseeded"] if draws else [])
