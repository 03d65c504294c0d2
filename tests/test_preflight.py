"""The preflight guard: each warning where something misleads, its silence, and quiet elsewhere."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    StratifiedKFold,
    train_test_split,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mnist_models import (
    MODEL_NAMES,
    compare,
    evaluate,
    fetch_mnist,
    load_sample_digits,
    make_model,
    make_preprocessor,
)
from mnist_models._preflight.check import checks
from mnist_models._preflight.folds import few_rows, unstratified
from mnist_models._running.input import check_data, make_folds
from mnist_models.exceptions import PreflightWarning

from .conftest import Split, quick_model

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
    """Every class in every training part, but one half of the classes rules each half of rows."""
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
    (
        "scaled-outside",
        _scaled_before_the_split,
        "columns of X and the test set together have mean",
    ),
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
        case.run()


def test_every_check_has_its_case_and_stands_in_the_documentation() -> None:
    data = check_data(*_noise(), None)
    names = set(checks({}, data, make_folds(data, 5, 0)))
    assert {name for name, _, _ in MISLEADING} == names
    page = Path(__file__).parents[1] / "docs" / "running.md"
    for name in names:
        assert f'``"{name}"``' in str(evaluate.__doc__)
        assert f"| `{name}` |" in page.read_text(encoding="utf-8")


def test_a_misspelt_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="Did you mean 'duplicate-rows'"):
        Case(*_noise()).run(ignore=("duplicate-row",))
    _rows_given_twice().run(ignore="duplicate-rows")  # one name is as good as a list of it


def test_compare_warns_at_its_callers_line_too() -> None:
    X, y = _rows_given_twice()[:2]
    with pytest.warns(PreflightWarning, match="duplicate-rows") as caught:
        compare({"one": NEAREST, "two": NEAREST}, X, y)
    assert [warning.filename for warning in caught] == [__file__]


# -- the numbers that mislead ----------------------------------------------------------------------


def test_sorted_folds_read_nothing_right() -> None:
    case = _sorted_labels()
    assert case.run(ignore=("class-missing",)).accuracy == 0
    assert case._replace(cv=5).run().accuracy > 0.8


def test_memory_looks_like_skill() -> None:
    """Labels that nothing predicts, of three classes."""
    assert Case(*_noise()).run().accuracy < 0.5
    assert _test_rows_in_X().run(ignore=("duplicate-rows",)).accuracy == 1
    assert _rows_given_twice().run(ignore=("duplicate-rows",)).accuracy > 0.7


def test_unseeded_fits_differ_and_seeded_ones_do_not() -> None:
    case = _unseeded_forest()
    runs = [case.run(ignore=("unseeded",)).probabilities for _ in range(2)]
    assert not np.array_equal(*runs)
    seeded = case._replace(model=make_model("forest", n_estimators=5, random_state=0))
    np.testing.assert_array_equal(*(seeded.run().probabilities for _ in range(2)))


# -- no false alarms -------------------------------------------------------------------------------


def _found(X: Any, y: Any, *, model: Any = NEAREST, cv: Any = 5, test: Any = None) -> list[str]:
    """The names of what is found."""
    data = check_data(X, y, test)
    looks = checks({"model": model}, data, make_folds(data, cv, 0))
    return [name for name, look in looks.items() if look()]


@pytest.mark.parametrize("recipe", ["report", "accurate"])
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_our_own_models_on_the_digits_are_fine(name: str, recipe: Any) -> None:
    X_train, X_test, y_train, y_test = load_sample_digits().split()
    model = make_model(name, recipe=recipe, random_state=0)
    assert _found(X_train, y_train, model=model, test=(X_test, y_test)) == []


def test_mnist_is_fine_and_asking_takes_a_moment(mnist_folder: Path) -> None:
    X_train, X_test, y_train, y_test = fetch_mnist(data_home=mnist_folder).split("report")
    start = time.perf_counter()
    assert _found(X_train, y_train, test=(X_test, y_test)) == []
    assert time.perf_counter() - start < 2  # 0.05 s, and making the folds


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_scikit_learns_own_tables_are_fine(load: Any) -> None:
    assert _found(*load(return_X_y=True)) == []  # iris has a row twice, which is no wonder


@pytest.mark.parametrize("cv", [2, 10, KFold(5), KFold(50, shuffle=True), LeaveOneOut()], ids=str)
def test_folds_of_rows_in_no_order_are_fine(cv: Any) -> None:
    X, y = _digits(100)
    assert _found(X, np.random.default_rng(0).permutation(y), cv=cv) == []


COUNTS = {
    "two": (1, 1),
    "three": (1, 1, 1),
    "ten": (1,) * 10,
    "uneven": (18, 1, 1),
    "rare": (60, 1, 1, 1),
    "many": (1,) * 40,
}


@pytest.mark.parametrize("n_folds", [2, 5, 20])
@pytest.mark.parametrize("n_rows", [60, 200, 1000])
@pytest.mark.parametrize("shares", COUNTS.values(), ids=COUNTS)
def test_shuffled_folds_are_fine_whatever_the_classes(
    shares: tuple[int, ...], n_rows: int, n_folds: int
) -> None:
    """In 200 orders each, of which chance may call one unlikely."""
    y = np.repeat(np.arange(len(shares)), -(-n_rows * np.array(shares) // sum(shares)))
    folds = [(np.arange(len(y)), held) for held in np.array_split(np.arange(len(y)), n_folds)]
    rng = np.random.default_rng(0)
    assert sum(unstratified(rng.permutation(y), folds) is not None for _ in range(200)) <= 1


@pytest.mark.parametrize("n_folds", [2, 5, 10])
@pytest.mark.parametrize("n_rows", [40, 100, 1000, 100_000])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_sorted_labels_in_unshuffled_folds_are_always_found(
    n_classes: int, n_rows: int, n_folds: int
) -> None:
    """Whole classes held out, or all folds of few classes: it is always one of both."""
    y = np.sort(np.arange(n_rows) % n_classes)
    found = _found(np.arange(n_rows)[:, np.newaxis], y, cv=KFold(n_folds))
    assert len({"class-missing", "unstratified-folds"} & set(found)) == 1


def test_one_fold_that_differs_is_named_among_many_that_do_not() -> None:
    y = np.tile(np.arange(10), 200)
    y[600:700] = np.repeat(np.arange(2), 50)
    folds = [(np.arange(2000), np.arange(start, start + 100)) for start in range(0, 2000, 100)]
    assert "in fold 7 are" in str(unstratified(y, folds))


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


def test_copies_are_found_in_any_kind_of_rows() -> None:
    X, y = _digits(200)
    kinds: list[Any] = [X.reshape(-1, 28, 28), X.astype(float), pd.DataFrame(X), X[:, ::-1]]
    for rows in kinds:
        assert _found(rows, y, test=(X if rows is kinds[1] else rows, y)) == ["duplicate-rows"]
    texts = np.array([f"the number {row.tobytes().hex()}" for row in X])
    assert _found(texts, y) == []
    assert _found(texts, y, test=(texts, y)) == ["duplicate-rows"]
    assert _found(csr_array(X), y, test=(csr_array(X), y)) == []  # which are not looked at


def _mixed_table(n: int) -> pd.DataFrame:
    """Texts, numbers and categories, of which some are missing."""
    rng = np.random.default_rng(0)
    names = [f"person {i}" for i in rng.permutation(n)]
    table = pd.DataFrame(
        {"name": names, "height": rng.normal(size=n), "sex": ["f", "m"] * (n // 2)}
    )
    table["sex"] = table["sex"].astype("category")
    table.loc[::3, "height"] = np.nan
    table.loc[::5, "sex"] = None
    return table


def test_copies_are_found_among_texts_and_missing_values() -> None:
    table, y = _mixed_table(200), np.arange(200) % 2
    texts = pd.Series([f"the number {i}" for i in range(200)])
    kinds = [table, table.astype(object), texts, texts.astype(object), texts.to_numpy(object)]
    kinds += [table.fillna({"height": 0}).to_numpy()]
    for rows in kinds:
        assert _found(rows[:150], y[:150], test=(rows[150:], y[150:])) == []
        assert _found(rows[:150], y[:150], test=(rows[:50], y[:50])) == ["duplicate-rows"]
    yes_or_no = table[["sex"]]  # repeats by chance
    assert _found(yes_or_no, y, test=(yes_or_no, y)) == []


@pytest.mark.parametrize("cell", [[1], {"a": 1}, np.zeros(2), pd.NA, None, np.nan, 1j], ids=str)
def test_cells_of_any_kind_are_no_trouble(cell: Any) -> None:
    cells = np.empty((100, 2), dtype=object)
    for i in range(100):
        cells[i] = [i, cell]
    y = np.arange(100) % 2
    for rows in (cells, pd.DataFrame(cells), pd.Series(cells[:, 1])):
        assert _found(rows, y, test=(rows, y)) in ([], ["duplicate-rows"])


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
    scaled_inside = make_pipeline(StandardScaler(), LogisticRegression())
    assert _found(X.astype(dtype), y, model=scaled_inside) == []


def test_half_of_the_columns_scaled_are_enough() -> None:
    X, y = _noise(400)
    X = np.c_[StandardScaler().fit_transform(X), np.ones(400)]
    raw = np.random.default_rng(0).uniform(0, 9, size=(400, 11))
    assert _found(np.c_[X, raw[:, :1]], y) == ["scaled-outside"]
    assert _found(np.c_[X, raw[:, :10]], y) == ["scaled-outside"]
    assert _found(np.c_[X, raw], y) == []
    with pytest.warns(PreflightWarning, match=r"10 of 11 columns of X have mean 0"):
        evaluate(NEAREST, np.c_[X, raw[:, :1]], y)


def test_missing_and_infinite_values_are_no_trouble() -> None:
    X, y = _noise()
    X[0, 0], X[1, 0], X[2, 1] = np.inf, -np.inf, np.nan
    assert _found(X, y) == []


def test_classes_of_few_rows_are_counted_against_the_folds() -> None:
    X, y = _digits(200)
    y = np.where(np.cumsum(y == 7) <= 3, y, np.where(y == 7, 1, y))
    assert (y == 7).sum() == 3
    assert _found(X, y, cv=StratifiedKFold(3)) == []
    with pytest.warns(PreflightWarning, match="7 in y.*Use at most 3 folds"):
        evaluate(NEAREST, X, y, cv=4)


@pytest.mark.filterwarnings("ignore:The least populated class")  # it is counted, not missed
def test_whenever_scikit_learn_would_warn_of_few_rows_so_do_we() -> None:
    rng = np.random.default_rng(0)
    warned = 0
    for _ in range(200):
        y = np.repeat(np.arange(4), rng.integers(1, 8, size=4))
        splitter = StratifiedKFold(int(rng.integers(2, y.size)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                list(splitter.split(y, y))
            except ValueError:  # more folds than any class has rows
                continue
        ours = few_rows(y, make_folds(check_data(y[:, np.newaxis], y, None), splitter, 0))
        assert (ours is not None) == bool(caught)
        warned += bool(caught)
    assert warned > 20


def test_the_main_call_is_quiet(digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    models = {name: quick_model(name) for name in ("logistic", "forest")}
    compare(models, X_train, y_train, test=(X_test, y_test), cv=2)  # a warning would be an error
