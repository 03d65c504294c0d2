"""make_model and search_space: plain scikit-learn objects, by name."""

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from mnist_models import (
    MODEL_NAMES,
    LogisticRegression,
    RandomForestClassifier,
    SequentialClassifier,
    forest,
    load_model,
    load_sample_digits,
    make_model,
    save_model,
    search_frame,
    search_space,
)
from mnist_models.preprocessing import RECIPES
from tests.conftest import Split

CLASSES: dict[str, Any] = {
    "logistic": LogisticRegression,
    "forest": RandomForestClassifier,
    "network": SequentialClassifier,
}


def test_a_model_is_a_plain_pipeline() -> None:
    assert MODEL_NAMES == ("logistic", "forest", "network")
    for name, recipe in product(MODEL_NAMES, RECIPES):
        model = make_model(name, recipe=recipe, random_state=3)
        assert type(model) is Pipeline
        assert [step for step, _ in model.steps] == ["preprocess", "classify"]
        assert type(model[-1]) is CLASSES[name]
        assert model[-1].random_state == 3


@pytest.mark.slow
def test_the_other_models_do_not_load_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys; from mnist_models import make_model, search_space; "
        "search_space(['logistic', 'forest']); "
        "models = [make_model(name).fit([[0], [1]] * 9, [0, 1] * 9) for name in "
        "('logistic', 'forest')]; [model.predict([[1]]) for model in models]; "
        "loaded = {'tensorflow', 'keras', 'scikeras', 'numba', 'matplotlib'} & set(sys.modules); "
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=120)


def test_parameters_reach_the_classifier() -> None:
    assert make_model("forest", n_estimators=7)[-1].n_estimators == 7
    assert make_model("network", l2=0.5)[-1].l2 == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "forrest"}, "model must be one of.*Did you mean 'forest'"),
        ({"name": "svm"}, "model must be one of 'logistic', 'forest', 'network'. Got 'svm'"),
        ({"name": "forest", "n_tree": 3}, "n_tree"),
        ({"name": "forest", "recipe": "clasic"}, "recipe must be one of.*Did you mean 'classic'"),
    ],
)
def test_names_that_do_not_exist(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_model(**arguments)


def test_memory_keeps_the_preprocessing(tmp_path: Any) -> None:
    model = make_model("logistic", memory=str(tmp_path)).fit([[0], [1], [2], [3]], [0, 0, 1, 1])
    assert list(tmp_path.rglob("*.pkl"))
    assert model.predict([[0], [3]]).tolist() == [0, 1]


@pytest.mark.slow
def test_the_accurate_recipe_reads_better(digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    for name, least in (("logistic", 0.97), ("forest", 0.97)):
        accurate = make_model(name, recipe="accurate", random_state=0).fit(X_train, y_train)
        report = make_model(name, random_state=0).fit(X_train, y_train)
        assert accurate.score(X_test, y_test) >= max(least, report.score(X_test, y_test))


@pytest.mark.slow
def test_the_accurate_network_sees_8_bit_pixels(digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    params: Any = {"random_state": 0, "epochs": 8, "batch_size": 32}
    model = make_model("network", recipe="accurate", **params).fit(X_train, y_train)
    assert model[0].transform(X_train / 255).dtype == np.uint8
    assert model.n_features_in_ == 784
    assert model.score(X_test, y_test) > 0.9
    assert "val_loss" not in model[-1].history_


@pytest.mark.slow
def test_the_accurate_forest_counts(digits: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    grown, grow = [], forest._grow

    def note(tree: Any, *args: Any) -> Any:
        grown.append(tree)
        return grow(tree, *args)

    monkeypatch.setattr(forest, "_grow", note)
    X_train, _, y_train, _ = digits
    make_model("forest", recipe="accurate", n_estimators=3).fit(X_train, y_train)
    assert len(grown) == 3


@pytest.mark.parametrize("recipe", RECIPES)
def test_logistic_regression_works_in_float32(digits: Split, recipe: Any) -> None:
    X_train, _, y_train, _ = digits
    X_train, y_train = X_train[:120], y_train[:120]
    model = make_model("logistic", recipe=recipe).fit(X_train, y_train)
    assert model[0].transform(X_train).dtype == np.float32
    assert model[-1].coef_.dtype == np.float32


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_search_space_names_parameters_that_exist(size: Any, recipe: Any) -> None:
    spaces = search_space(size=size, recipe=recipe, random_state=5)
    for name, space in zip(MODEL_NAMES, spaces, strict=True):
        preprocess = make_model(name, recipe=recipe)[0]
        assert repr(space["preprocess"]) == repr([preprocess])
    assert [type(space["classify"][0]) for space in spaces] == list(CLASSES.values())
    for space in spaces:
        classifier = space["classify"][0]
        assert classifier.random_state == 5
        for key in space.keys() - {"classify", "preprocess"}:
            assert key.removeprefix("classify__") in classifier.get_params()


def test_a_search_space_is_the_callers_to_change() -> None:
    search_space()[0]["classify__C"].append(1000.0)
    assert 1000.0 not in search_space()[0]["classify__C"]


def test_a_search_space_of_some_models() -> None:
    assert len(search_space("forest")) == 1
    assert len(search_space(["network", "logistic"])) == 2
    with pytest.raises(ValueError, match="Did you mean 'large'"):
        search_space(size="larg")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="model must be one of"):
        search_space(["tree"])


@pytest.mark.parametrize(("step", "side"), [(3, 9), (2, 14)])
def test_the_accurate_recipe_takes_small_images_and_few_rows(step: int, side: int) -> None:
    digits = load_sample_digits()
    images = digits.images[:70, 1::step, 1::step].reshape(70, side * side)
    for name in ("logistic", "forest"):
        model = make_model(name, recipe="accurate", random_state=0)
        assert model.fit(images, digits.target[:70]).score(images, digits.target[:70]) > 0.5


@pytest.mark.slow
def test_an_accurate_network_reads_pixels_on_any_scale(tmp_path: Path) -> None:
    digits = load_sample_digits().sample(100, random_state=0)
    params: Any = {"epochs": 1, "random_state": 0}
    model = make_model("network", recipe="accurate", **params).fit(digits.data, digits.target)
    save_model(model, tmp_path / "model")
    model, expected = load_model(tmp_path / "model"), model.predict_proba(digits.data)
    for same in (digits.data / np.float32(255), 255 - digits.data):
        # stretched to 255, a pixel half-way between two levels may go either way
        np.testing.assert_allclose(model.predict_proba(same), expected, atol=1e-3)


def test_the_old_name_of_the_recipe_and_the_split_works_with_a_warning() -> None:
    digits = load_sample_digits().sample(50, random_state=0)
    with pytest.warns(FutureWarning, match="'report' is called 'classic' now"):
        old = make_model("forest", recipe="report", random_state=0)  # type: ignore[arg-type]
    assert repr(old) == repr(make_model("forest", recipe="classic", random_state=0))
    with pytest.warns(FutureWarning):
        parts = digits.split("report")  # type: ignore[arg-type]
    for one, other in zip(parts, digits.split("classic"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_search_becomes_a_table_with_a_column_model() -> None:
    digits = load_sample_digits().sample(200, random_state=0)
    grid = [
        {"classify": [DummyClassifier()], "preprocess": ["passthrough"]},
        *search_space("logistic"),
    ]
    search = GridSearchCV(make_model("logistic"), grid, cv=2).fit(digits.data, digits.target)
    frame = search_frame(search)
    assert frame["model"].tolist() == ["logistic", "logistic", "DummyClassifier"]
    assert set(frame["C"][:2]) == {0.01, 1.0}
    assert frame["mean_test_score"].is_monotonic_decreasing
    alone = GridSearchCV(make_model("forest", n_estimators=2), {"classify__max_depth": [1]}, cv=2)
    frame = search_frame(alone.fit(digits.data, digits.target))
    assert frame[["model", "max_depth"]].to_numpy().tolist() == [["forest", 1]]
    bare = GridSearchCV(RandomForestClassifier(2), {"max_depth": [1, None]}, cv=2)
    frame = search_frame(bare.fit(digits.data, digits.target))
    assert set(frame["max_depth"]) == {1, None}
    with pytest.raises(NotFittedError):
        search_frame(GridSearchCV(make_model("logistic"), {}))
