"""make_model and search_space: plain scikit-learn objects, by name."""

from typing import Any

import pytest
from sklearn.pipeline import Pipeline

from mnist_models import (
    MODEL_NAMES,
    LogisticRegression,
    RandomForestClassifier,
    SequentialClassifier,
    make_model,
    search_space,
)

CLASSES = {
    "logistic": LogisticRegression,
    "forest": RandomForestClassifier,
    "network": SequentialClassifier,
}


def test_the_names() -> None:
    assert MODEL_NAMES == ("logistic", "forest", "network")


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_model_is_a_plain_pipeline(name: str) -> None:
    model = make_model(name, random_state=3)
    assert type(model) is Pipeline
    assert [step for step, _ in model.steps] == ["preprocess", "classify"]
    assert type(model[-1]) is CLASSES[name]
    assert model[-1].random_state == 3


def test_parameters_reach_the_classifier() -> None:
    assert make_model("forest", n_estimators=7)[-1].n_estimators == 7
    assert make_model("network", l2=0.5)[-1].l2 == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "forrest"}, "model must be one of.*Did you mean 'forest'"),
        ({"name": "svm"}, "model must be one of 'logistic', 'forest', 'network'. Got 'svm'"),
        ({"name": "forest", "n_tree": 3}, "n_tree"),
        ({"name": "forest", "recipe": "raport"}, "recipe must be one of.*Did you mean 'report'"),
    ],
)
def test_names_that_do_not_exist(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_model(**arguments)


def test_memory_keeps_the_preprocessing(tmp_path: Any) -> None:
    model = make_model("logistic", memory=str(tmp_path)).fit([[0], [1], [2], [3]], [0, 0, 1, 1])
    assert list(tmp_path.rglob("*.pkl"))
    assert model.predict([[0], [3]]).tolist() == [0, 1]


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_search_space_names_parameters_that_exist(size: Any) -> None:
    spaces = search_space(size=size, random_state=5)
    assert [type(space["classify"][0]) for space in spaces] == list(CLASSES.values())
    for space in spaces:
        classifier = space["classify"][0]
        assert classifier.random_state == 5
        for key in space.keys() - {"classify"}:
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
