"""KerasClassifier: scikeras's, with its failings mended, trained as Keras's own fit does."""

import pickle
import random
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, check_cv, cross_val_score

from mnist_models import KerasClassifier, SequentialClassifier

pytestmark = pytest.mark.filterwarnings("ignore:.*will be renamed to:UserWarning")

ENTROPY = "sparse_categorical_crossentropy"


def build(meta: Any, hidden: int = 8, activation: str = "softmax", n_outputs: int = 0) -> Any:
    import keras

    n_outputs = n_outputs or meta["n_classes_"]
    return keras.Sequential(
        [
            keras.Input(meta["X_shape_"][1:]),
            keras.layers.Flatten(),
            keras.layers.Dense(hidden, "relu", kernel_regularizer="l2"),
            keras.layers.Dense(n_outputs, activation=activation),
        ]
    )


def build_normalized(meta: Any) -> Any:
    import keras

    layers = [keras.layers.BatchNormalization(), keras.layers.Dense(meta["n_classes_"], "softmax")]
    return keras.Sequential([keras.Input(meta["X_shape_"][1:]), *layers])


@pytest.fixture
def rows(rng: np.random.Generator) -> Any:
    """60 rows of three classes that a line tells apart."""
    X = rng.normal(size=(60, 4)).astype(np.float32)
    return X, np.array(["a", "b", "c"])[(X[:, 0] > 0.4).astype(int) + (X[:, 0] > -0.4)]


def classifier(model: Any = build, **params: Any) -> KerasClassifier:
    how: dict[str, Any] = {"loss": ENTROPY, "epochs": 3, "verbose": 0, "random_state": 0}
    return KerasClassifier(model, **how | params)


# -- a drop-in -------------------------------------------------------------------------------------


def test_both_classes_are_scikeras_classifiers() -> None:
    import scikeras.wrappers

    for estimator in (classifier(), SequentialClassifier()):
        assert isinstance(estimator, scikeras.wrappers.KerasClassifier)
        assert is_classifier(estimator)
    ours = set(KerasClassifier(build, loss=ENTROPY, model__hidden=3).get_params())
    theirs = scikeras.wrappers.KerasClassifier(build, loss=ENTROPY, model__hidden=3).get_params()
    assert ours == set(theirs)


def test_parameters_are_routed_searched_and_cloned(rows: Any) -> None:
    how = {"optimizer": "adam", "optimizer__learning_rate": 0.02, "epochs": 1}
    network = classifier(model__hidden=4, **how)
    search = GridSearchCV(network, {"model__hidden": [2, 16], "fit__batch_size": [8]}, cv=2)
    best = search.fit(*rows).best_estimator_
    assert best.model_.layers[1].units == best.model__hidden
    assert float(best.model_.optimizer.learning_rate) == pytest.approx(0.02)
    assert clone(best).get_params() == best.get_params()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras, of its own variables
def test_training_goes_on(rows: Any) -> None:
    """In one call or in two, with the optimizer's state."""
    X, y = rows
    whole = classifier(shuffle=False, optimizer="adam", epochs=2).fit(X, y)
    by_epoch = classifier(shuffle=False, optimizer="adam")
    warm = classifier(shuffle=False, optimizer="adam", epochs=1, warm_start=True)
    for _ in range(2):
        by_epoch.partial_fit(X, y)
        warm.fit(X, y)
    assert len(by_epoch.history_["loss"]) == 2
    np.testing.assert_allclose(by_epoch.predict_proba(X), whole.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(warm.predict_proba(X), whole.predict_proba(X), atol=1e-5)
    kept = pickle.loads(pickle.dumps(by_epoch))
    np.testing.assert_array_equal(kept.partial_fit(X, y).predict(X), by_epoch.predict(X))


def test_several_labels_to_a_row(rows: Any) -> None:
    X, y = rows
    Y = np.stack([y != "a", y == "c"], axis=1).astype(int)
    model = partial(build, activation="sigmoid", n_outputs=2)
    network = classifier(model, loss="binary_crossentropy", epochs=40, optimizer="adam")
    assert network.fit(X, Y).predict(X).shape == (60, 2)
    assert network.score(X, Y) > 0.4


# -- what is computed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ({}, (45, 4)),
        ({"optimizer": "adam", "metrics": ["accuracy"], "validation_split": 0.2}, (48, 4)),
        # enough steps for XLA
        ({"optimizer": "sgd", "weighted_metrics": ["accuracy"], "batch_size": 1}, (90, 4)),
        ({"optimizer": "nadam", "loss": "categorical_crossentropy"}, (40, 2, 3)),
        ({"loss": "SparseCategoricalCrossentropy", "batch_size": -1}, (30, 4)),
        ({"optimizer": "adagrad", "model": build_normalized}, (48, 4)),
    ],
)
def test_fit_takes_keras_own_steps(params: Any, shape: Any, rng: np.random.Generator) -> None:
    import keras

    X, y = rng.normal(size=shape).astype(np.float32), np.arange(shape[0]) % 3
    weight = rng.integers(1, 4, len(X)).astype(np.float32)
    params = {"batch_size": 16, "shuffle": False} | {
        name if name != "weighted_metrics" else "compile__weighted_metrics": value
        for name, value in params.items()
    }
    network = classifier(**params).fit(X, y, sample_weight=weight)
    reference = classifier(**params | {"epochs": 1}).initialize(X, y).model_
    reference.compile(
        network.optimizer,
        network.loss,
        metrics=params.get("metrics"),
        weighted_metrics=params.get("compile__weighted_metrics"),
    )
    targets = keras.utils.to_categorical(y) if network.loss == "categorical_crossentropy" else y
    batch_size = len(X) if params["batch_size"] == -1 else params["batch_size"]
    how = {"epochs": 3, "shuffle": False, "verbose": 0, "batch_size": batch_size}
    split = params.get("validation_split", 0.0)
    history = reference.fit(X, targets, sample_weight=weight, validation_split=split, **how).history
    assert set(network.history_) == set(history)
    for name, values in history.items():
        np.testing.assert_allclose(network.history_[name], values, rtol=1e-4)
    for ours, theirs in zip(network.model_.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    outputs = reference.predict(X, verbose=0)
    np.testing.assert_allclose(network.predict_proba(X), outputs, atol=2e-5)


def _counting() -> Any:
    import keras

    class Counting(keras.Sequential):
        def train_step(self, *data: Any) -> Any:
            return super().train_step(*data)

    return Counting


def build_steps(meta: Any) -> Any:
    return _counting()(build(meta).layers)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({}, ""),
        ({"metrics": ["AUC"]}, "auc is no mean over rows"),
        ({"loss": lambda y, p: (p - y) ** 2}, "compiled in a way"),
        ({"run_eagerly": True}, "compiled in a way"),
        ({"model": build_steps}, "steps of its own"),
        ({"model": build_normalized, "batch_size": 7}, "may mix the rows of a batch"),
        ({"callbacks": "heard"}, "hears of batches"),
    ],
)
def test_what_the_loops_do_not_compute_keras_trains(
    params: Any, reason: str, rows: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    X, y = rows
    if "metrics" in params:
        params = params | {"model": partial(build, activation="sigmoid", n_outputs=1)}
        y, params["loss"] = y == "a", "binary_crossentropy"
    if params.get("callbacks") == "heard":
        heard: list[int] = []
        note = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda i, logs: heard.append(i))
        params = {"callbacks": [note]}
    classifier(**params | {"verbose": 2, "epochs": 1}).fit(X, y)
    printed = capsys.readouterr().out
    assert ("Keras's own fit trains it" in printed) == bool(reason)
    assert reason in printed
    if "callbacks" in params:
        assert heard == [0, 1]


# -- failings of scikeras, mended ------------------------------------------------------------------


def test_folds_are_stratified_and_ensembles_take_it(rows: Any) -> None:
    X, y = rows
    assert isinstance(check_cv(3, y, classifier=is_classifier(classifier())), StratifiedKFold)
    order = np.argsort(y)
    assert (cross_val_score(classifier(), X[order], y[order], cv=3) > 0).all()
    VotingClassifier([("network", classifier())], voting="soft").fit(X, y)


def test_one_row_has_a_row_of_probabilities(rows: Any) -> None:
    network = classifier().fit(*rows)
    alone, among = network.predict_proba(rows[0][:1]), network.predict_proba(rows[0])
    np.testing.assert_array_equal(alone, among[:1])
    assert network.predict(rows[0][:1]).shape == (1,)


def test_callbacks_given_to_fit_are_called_and_functions_make_new_ones(rows: Any) -> None:
    import keras

    made: list[Any] = []

    def make() -> list[Any]:
        made.append(keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=0))
        return made[-1:]

    epochs: list[int] = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    network = classifier(callbacks=make, warm_start=True)
    for n in (1, 2):
        network.fit(*rows, callbacks=[note])
        assert len(made) == n
        assert len(network.history_["loss"]) == 2  # stopped early
    assert epochs == [0, 1, 0, 1]


def test_weights_given_to_fit_are_left_as_they_are(rows: Any) -> None:
    X, y = rows
    weight = np.full(60, 2.0)
    weighted = classifier(class_weight="balanced").fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(weight, 2.0)
    whole = classifier(class_weight="balanced").fit(X, y, sample_weight=[2] * 60)
    np.testing.assert_array_equal(weighted.predict_proba(X), whole.predict_proba(X))


def test_a_seed_is_of_this_fit_alone(rows: Any) -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.Random(1).random(), np.random.RandomState(1).random_sample()
    first, again = (classifier().fit(*rows).predict_proba(rows[0]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (random.random(), np.random.random_sample()) == expected  # noqa: NPY002
    one, other = (
        classifier(random_state=np.random.RandomState(seed)).fit(*rows).predict_proba(rows[0])
        for seed in (1, 2)
    )
    assert not np.array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("ours", [True, False])
def test_op_determinism_stays_off(ours: bool) -> None:
    """scikeras leaves it on after a first fit with a seed."""
    module = "mnist_models" if ours else "scikeras.wrappers"
    code = f"""
import numpy as np, keras
from {module} import KerasClassifier
def build():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
KerasClassifier(build, loss="sparse_categorical_crossentropy", random_state=0, verbose=0).fit(
    np.eye(4), [0, 1, 0, 1])
from tensorflow.python.framework.config import is_op_determinism_enabled
print(is_op_determinism_enabled())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == [str(not ours)]


@pytest.mark.parametrize("loss", ["SparseCategoricalCrossentropy", ENTROPY])
def test_names_of_losses_take_parameters(loss: str, rows: Any) -> None:
    params = {"loss__from_logits": False} if loss != ENTROPY else {}
    assert classifier(loss=loss, **params).fit(*rows).score(*rows) > 0.2


def build_without_outputs(meta: Any) -> Any:
    import keras

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.last = keras.layers.Dense(meta["n_classes_"], activation="softmax")

        def call(self, x: Any) -> Any:
            return self.last(x)

    return Own()


def test_models_of_ones_own_class_need_no_outputs(rows: Any) -> None:
    assert classifier(build_without_outputs).fit(*rows).predict(rows[0]).shape == (60,)


def test_its_text_is_a_line_of_what_differs_from_the_defaults() -> None:
    text = repr(KerasClassifier(loss=ENTROPY, model__hidden=3))
    assert text == f"KerasClassifier(loss='{ENTROPY}', model__hidden=3)"


def test_a_fit_that_fails_leaves_what_was(rows: Any) -> None:
    network = classifier().fit(*rows)
    before = network.predict_proba(rows[0])
    with pytest.raises(ValueError, match="inconsistent"):
        network.fit(rows[0], rows[1][:-1])
    np.testing.assert_array_equal(network.predict_proba(rows[0]), before)
