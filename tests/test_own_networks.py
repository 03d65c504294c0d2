"""Networks that build_fn builds: whatever Keras can build is trained and asked as Keras would."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mnist_models import SequentialClassifier

from .conftest import Split


def build_plain(n_features: int, n_classes: int, activation: Any = "relu") -> Any:
    import keras

    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(8, activation, name="a"),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]
    )


def test_networks_of_ones_own_are_not_mixed_up(digits: Split) -> None:
    """Keras describes the first two alike, and the others' layers have the same names."""
    X, _, y, _ = digits
    for activation in (lambda x: x, lambda x: -x, "relu", "tanh"):
        build_fn = functools.partial(build_plain, activation=activation)
        network = SequentialClassifier(build_fn=build_fn, epochs=1, random_state=0).fit(X / 255, y)
        np.testing.assert_allclose(
            network.predict_proba(X / 255), np.asarray(network.model_(X / 255)), atol=1e-6
        )


def build_functional(n_features: int, n_classes: int) -> Any:
    import keras

    inputs = keras.Input((n_features,))
    hidden = keras.layers.Dense(16, activation="relu")(inputs)
    both = keras.layers.Concatenate()([inputs, hidden])
    return keras.Model(inputs, keras.layers.Dense(n_classes, activation="softmax")(both))


def build_adapted(n_features: int, n_classes: int) -> Any:
    """Its layer learned a mean and a variance before."""
    import keras

    normalization = keras.layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(0.3, 0.3, (50, n_features)))
    layers = [keras.Input((n_features,)), normalization]
    return keras.Sequential([*layers, keras.layers.Dense(n_classes, activation="softmax")])


def build_recurrent(n_features: int, n_classes: int) -> Any:
    import keras

    layers = [keras.layers.Reshape((28, 28)), keras.layers.LSTM(8)]
    return keras.Sequential([*layers, keras.layers.Dense(n_classes, activation="softmax")])


def build_steps(n_features: int, n_classes: int) -> Any:
    import keras

    class Counting(keras.Model):
        steps = 0

        def __init__(self) -> None:
            super().__init__()
            self.answer = keras.layers.Dense(n_classes, activation="softmax")

        def call(self, x: Any) -> Any:
            return self.answer(x)

        def train_step(self, data: Any) -> Any:
            type(self).steps += 1
            return super().train_step(data)

    return Counting()


def build_bfloat16(n_features: int, n_classes: int) -> Any:
    import keras

    layers = [keras.Input((n_features,)), keras.layers.Dense(16, "relu", dtype="mixed_bfloat16")]
    last = keras.layers.Dense(n_classes, activation="softmax", dtype="mixed_bfloat16")
    return keras.Sequential([*layers, last])


def build_float16(n_features: int, n_classes: int) -> Any:
    import keras

    layers = [keras.Input((n_features,)), keras.layers.Dense(16, "relu", dtype="mixed_float16")]
    last = keras.layers.Dense(n_classes, activation="softmax", dtype="float32")
    return keras.Sequential([*layers, last])


@pytest.mark.parametrize(
    ("build_fn", "ema_momentum"),
    [
        (build_functional, 0.0),
        pytest.param(build_adapted, 0.5, marks=pytest.mark.slow),
        pytest.param(build_recurrent, 0.0, marks=pytest.mark.slow),
        pytest.param(build_bfloat16, 0.5, marks=pytest.mark.slow),
        pytest.param(build_float16, 0.5, marks=pytest.mark.slow),
        (build_steps, 0.5),
    ],
)
def test_networks_of_all_kinds(build_fn: Any, ema_momentum: float, digits: Split) -> None:
    X, X_test, y, y_test = digits
    network = SequentialClassifier(
        build_fn=build_fn,
        epochs=4,
        batch_size=16,
        learning_rate=0.01,
        ema_momentum=ema_momentum,
        random_state=0,
    )
    for _ in range(2):  # the second may find what the first compiled
        network.fit(X / np.float32(255), y)
        assert network.score(X_test / 255, y_test) > 0.4
        answers = np.asarray(network.model_(X_test / np.float32(255), training=False))
        tolerance = 2e-2 if "16" in str(build_fn) else 1e-5
        np.testing.assert_allclose(
            network.predict_proba(X_test / 255), answers.astype(np.float32), atol=tolerance
        )
    if hasattr(network.model_, "steps"):
        assert network.model_.steps > 0


def build_frozen(n_features: int, n_classes: int) -> Any:
    model = build_plain(n_features, n_classes)
    model.layers[0].kernel.trainable = False
    return model


def test_a_frozen_weight_stays_as_it_is(digits: Split) -> None:
    X, _, y, _ = digits
    params: Any = {"epochs": 1, "learning_rate": 0.05, "random_state": 0}
    SequentialClassifier(build_fn=build_plain, **params).fit(X / 255, y)
    frozen = SequentialClassifier(build_fn=build_frozen, **params).fit(X / 255, y)
    untrained = SequentialClassifier(build_fn=build_frozen, **params | {"learning_rate": 1e-30})
    expected = untrained.fit(X / 255, y).model_.get_weights()
    np.testing.assert_array_equal(frozen.model_.get_weights()[0], expected[0])
    assert np.abs(frozen.model_.get_weights()[2] - expected[2]).max() > 1e-3


@pytest.fixture
def half_precision() -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.slow
def test_a_policy_of_the_process_is_heeded(half_precision: None, digits: Split) -> None:
    X, X_test, y, y_test = digits
    params: Any = {"hidden_units": (16,), "epochs": 8, "batch_size": 16, "random_state": 0}
    network = SequentialClassifier(**params).fit(X / 255, y)
    assert network.model_.layers[0].compute_dtype == "bfloat16"
    assert network.score(X_test / 255, y_test) > 0.4
    assert network.predict_proba(X_test / 255).dtype == np.float32
