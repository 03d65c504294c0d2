"""Training many batches in one compiled function, against Keras taking them one by one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_models import SequentialClassifier
from mnist_models._keras import training
from mnist_models._keras.networks import Conv, Dense
from mnist_models._keras.waking import seeded
from mnist_models._network.batches import (
    TrainingRows,
    batches_at_once,
    gathered,
    learning_rates,
    prefetched,
)

from .conftest import SMALL_NETWORK, Split

SMALL = SMALL_NETWORK | {"random_state": 0}
BOTH = pytest.mark.parametrize("fused", [True, False])


def _rows(rng: np.random.Generator, n: int, d: int = 25) -> TrainingRows:
    X = rng.normal(size=(n, d)).astype(np.float32)
    weight = rng.integers(1, 4, n).astype(np.float32)
    return TrainingRows(X, (np.arange(n) % 3), weight, np.zeros(n, bool))


def _weights(model: Any) -> NDArray[Any]:
    return np.concatenate([each.ravel() for each in model.get_weights()])


def _trainer(network: Any, fused: bool, batch_size: int = 16, average: float = 0.0) -> Any:
    from mnist_models._keras.epochs import Trainer

    with seeded(0):
        trainer = Trainer(network.build(), batch_size, average, fused)
    trainer.start(1e-2)
    return trainer


# -- what is computed ------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("n", [48, 41, 7, 1])
def test_an_epoch_is_keras_own_steps(n: int, fused: bool, rng: np.random.Generator) -> None:
    """To rounding, the last batch with fewer rows and the weights of rows included."""
    import keras

    rows, order = _rows(rng, n), rng.permutation(n)
    trainer = _trainer(Dense(25, 3, (8,), 1e-2, 0.0), fused)
    reference = keras.models.clone_model(trainer.net)
    reference.set_weights(trainer.net.get_weights())
    reference.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    rates = np.full(-(-n // 16), 1e-2, np.float32)
    for _ in range(3):
        trainer.train(gathered(rows, order, 16, rates), lambda done, logs: None)
        for i in range(0, n, 16):
            reference.train_on_batch(*(each[order[i : i + 16]] for each in rows[:3]))
    np.testing.assert_allclose(_weights(trainer.net), _weights(reference), atol=2e-4)


def test_convolutions_with_normalized_batches_are_keras_own_steps(
    rng: np.random.Generator,
) -> None:
    import keras

    rows, order = _rows(rng, 32), rng.permutation(32)
    trainer = _trainer(Conv(5, 5, 3, 1e-3, 0.0), fused=False)
    reference = keras.models.clone_model(trainer.net)
    reference.set_weights(trainer.net.get_weights())
    reference.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    trainer.train(gathered(rows, order, 16, np.full(2, 1e-3, np.float32)), lambda done, logs: None)
    for i in (0, 16):
        reference.train_on_batch(*(each[order[i : i + 16]] for each in rows[:3]))
    np.testing.assert_allclose(_weights(trainer.net), _weights(reference), atol=2e-3)


@BOTH
def test_measures_are_those_of_the_answers(fused: bool, rng: np.random.Generator) -> None:
    rows = _rows(rng, 45)
    trainer = _trainer(Dense(25, 3, (8,), 1e-2, 0.0), fused)
    logs = trainer.measure(gathered(rows, np.arange(45), 16, np.zeros(3, np.float32)))
    p = np.asarray(trainer.net(rows.X))
    entropies = -np.log(p[np.arange(45), rows.codes])
    hits = p.argmax(axis=1) == rows.codes
    penalty = sum(1e-2 * np.square(w).sum() for w in trainer.net.get_weights() if w.ndim == 2)
    assert logs["cross_entropy"] == pytest.approx(np.average(entropies, weights=rows.weight))
    assert logs["accuracy"] == pytest.approx(np.average(hits, weights=rows.weight))
    assert logs["loss"] == pytest.approx((rows.weight * entropies).mean() + penalty, rel=1e-5)


@BOTH
def test_averaged_weights_are_the_average(fused: bool, rng: np.random.Generator) -> None:
    rows, network = _rows(rng, 16), Dense(25, 3, (8,), 1e-2, 0.0)
    rates = np.full(1, 1e-2, np.float32)
    plain, averaged = _trainer(network, fused), _trainer(network, fused, average=0.7)
    expected = _weights(plain.net)
    for step in range(1, 31):
        for trainer in (plain, averaged):
            trainer.train(gathered(rows, np.arange(16), 16, rates), lambda done, logs: None)
        kept = min(0.7, step / (step + 9))
        expected = kept * expected + (1 - kept) * _weights(plain.net)
        np.testing.assert_allclose(_weights(averaged.net), expected, atol=1e-5)
    assert np.abs(expected - _weights(plain.net)).max() > 1e-3


def test_fused_or_not_is_a_matter_of_rounding(
    digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, X_test, y, _ = digits
    network = SequentialClassifier(**SMALL)
    plain = network.fit(X / 255, y).predict_proba(X_test / 255)
    monkeypatch.setattr(training, "_WORTH_FUSING", 0)
    np.testing.assert_allclose(
        network.fit(X / 255, y).predict_proba(X_test / 255), plain, atol=1e-4
    )


# -- rows ------------------------------------------------------------------------------------------


def test_every_row_is_gathered_once_and_the_filling_weighs_nothing(
    rng: np.random.Generator,
) -> None:
    n = 1000
    rows, order = _rows(rng, n), rng.permutation(n)
    rates = np.arange(63, dtype=np.float32)
    parts = list(prefetched(gathered(rows, order, 16, rates)))
    assert {part.X.shape for part in parts} == {(512, 25)}
    used = [part.weight > 0 for part in parts]
    X = np.concatenate([part.X[each] for part, each in zip(parts, used, strict=True)])
    np.testing.assert_array_equal(X, rows.X[order])
    assert [part.n_batches for part in parts] == [32, 31]
    assert sum(part.sizes.sum() for part in parts) == n
    np.testing.assert_array_equal(np.concatenate([part.rates for part in parts])[:63], rates)
    last = parts[-1]
    filling = last.X[1000 - 512 : 31 * 16]
    np.testing.assert_array_equal(filling, rows.X[order[: len(filling)]])  # digits, not zeros


def test_few_sizes_are_compiled() -> None:
    sizes = {batches_at_once(n, 784, 128) for n in range(1, 70_000, 77)}
    assert sizes == {1, 2, 4, 8, 16, 32}
    assert batches_at_once(10**6, 10**7, 128) == 1


def test_8_bit_pixels_give_the_same_network_as_their_values(digits: Split) -> None:
    X, X_test, y, _ = digits
    network = SequentialClassifier(**SMALL)
    from_pixels = network.fit(X, y).predict_proba(X_test)
    from_floats = network.fit(X.astype(float), y).predict_proba(X_test.astype(np.float32))
    np.testing.assert_array_equal(from_pixels, from_floats)


@pytest.mark.slow
def test_8_bit_pixels_stay_8_bit() -> None:
    """No copy of the whole data set is ever made, of 4 bytes a pixel least of all."""
    code = """
import tracemalloc
import numpy as np
from mnist_models import SequentialClassifier, load_sample_digits
digits = load_sample_digits()
X, y = np.tile(digits.data, (20, 1)), np.tile(digits.target, 20)
network = SequentialClassifier((8,), epochs=1, random_state=0)
network.fit(X[:200], y[:200])
tracemalloc.start()
network.fit(X, y).predict(X)
print(tracemalloc.get_traced_memory()[1] / X.nbytes)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert float(done.stdout) < 0.9


@pytest.mark.parametrize("n_steps", [1, 2, 15, 1000])
def test_the_cosine_rises_and_falls_to_nothing(n_steps: int) -> None:
    rates = learning_rates(0.01, "cosine", n_steps)
    assert rates.shape == (n_steps,)
    assert (rates > 0).all()
    assert rates.max() <= 0.01 * (1 + 1e-6)
    if n_steps == 1000:
        assert rates.argmax() in (99, 100)
        assert rates[-1] < 1e-7
        assert rates.max() == pytest.approx(0.01, rel=0.01)
    np.testing.assert_array_equal(learning_rates(0.01, "constant", 3), np.full(3, np.float32(0.01)))


# -- one network after another, and beside another -------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.4},
        pytest.param(
            {"architecture": "conv", "epochs": 1, "rotation": 10.0, "ema_momentum": 0.9},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_was_trained_before_leaves_no_trace(params: Any, digits: Split) -> None:
    X, X_test, y, _ = digits
    network = SequentialClassifier(**SMALL | params)
    first = network.fit(X, y).predict_proba(X_test)
    SequentialClassifier(**SMALL | params | {"random_state": 1, "l2": 0.1}).fit(X, y)
    np.testing.assert_array_equal(network.fit(X, y).predict_proba(X_test), first)


@pytest.mark.slow
def test_networks_trained_at_once_are_those_trained_alone(digits: Split) -> None:
    X, X_test, y, _ = digits

    def answers_of(seed: int) -> NDArray[np.float32]:
        network = SequentialClassifier(**SMALL | {"random_state": seed})
        return network.fit(X / 255, y).predict_proba(X_test / 255)

    alone = [answers_of(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for ours, theirs in zip(threads.map(answers_of, range(4)), alone, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
def test_60_fits_grow_the_process_by_less_than_25_mb() -> None:
    code = """
import psutil
import numpy as np
from mnist_models import SequentialClassifier, load_sample_digits
from mnist_models._keras import training
training._WORTH_FUSING = 0
digits = load_sample_digits()
X, y = digits.data / np.float32(255), digits.target
def build(n_features, n_classes):
    import keras
    layers = [keras.Input((n_features,)), keras.layers.Dense(16, "relu")]
    return keras.Sequential([*layers, keras.layers.Dense(n_classes, activation="softmax")])
for i in range(70):
    build_fn = build if i % 2 else None
    network = SequentialClassifier(
        random_state=i, l2=10.0 ** -(1 + i % 3), epochs=2 + i % 5, build_fn=build_fn
    )
    network.fit(X[: 1400 + i], y[: 1400 + i]).predict(X)
    if i == 9:
        before = psutil.Process().memory_info().rss
print((psutil.Process().memory_info().rss - before) / 2**20)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=900
    )
    assert float(done.stdout) < 25


# -- falling back, and saying so -------------------------------------------------------------------


def build_python_step(n_features: int, n_classes: int) -> Any:
    """XLA cannot call Python."""
    import keras
    import tensorflow as tf

    class Doubled(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            doubled = tf.numpy_function(lambda a: a * np.float32(2), [x], tf.float32)
            return x + tf.stop_gradient(tf.reshape(doubled, tf.shape(x)) - x)

    layers = [keras.Input((n_features,)), Doubled()]
    return keras.Sequential([*layers, keras.layers.Dense(n_classes, activation="softmax")])


def build_filters(n_features: int, n_classes: int) -> Any:
    import keras

    inner = keras.Sequential([keras.layers.Reshape((28, 28, 1)), keras.layers.Conv2D(2, 9, 5)])
    return keras.Sequential(
        [inner, keras.layers.Flatten(), keras.layers.Dense(n_classes, activation="softmax")]
    )


def build_compiled(n_features: int, n_classes: int) -> Any:
    import keras

    layers = [keras.Input((n_features,)), keras.layers.Dense(n_classes, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("params", "words"),
    [
        pytest.param(
            {"build_fn": build_python_step, "epochs": 20},
            "XLA refuses the network",
            marks=pytest.mark.slow,
        ),
        ({"build_fn": build_filters}, "XLA is slow at convolutions"),
        pytest.param(
            {"architecture": "conv", "epochs": 1},
            "XLA is slow at convolutions",
            marks=pytest.mark.slow,
        ),
        ({"build_fn": build_compiled}, "Keras's own fit"),
        ({}, "steps are too few"),
    ],
)
def test_what_xla_cannot_or_need_not_compile_is_trained_all_the_same(
    params: Any, words: str, digits: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    X, X_test, y, y_test = digits
    network = SequentialClassifier(**SMALL | {"learning_rate": 0.01} | params).fit(X / 255, y)
    assert capsys.readouterr().out == ""
    assert network.score(X_test / 255, y_test) > 0.5
    np.testing.assert_allclose(
        network.predict_proba(X_test / 255), np.asarray(network.model_(X_test / 255)), atol=1e-6
    )
    network.set_params(verbose=2).fit(X / 255, y)
    assert words in capsys.readouterr().out


# -- callbacks -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras's LearningRateScheduler
def test_callbacks_hear_of_training_and_may_steer_it(digits: Split) -> None:
    import keras

    X, _, y, _ = digits
    heard: list[Any] = []
    told: list[Any] = []

    class Listener(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            heard.append(batch)
            told.append(logs)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            heard.append((epoch, sorted(logs), float(self.model.optimizer.learning_rate)))
            self.model.stop_training = epoch == 2

    def make() -> list[Any]:
        halved = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        return [halved, Listener()]

    network = SequentialClassifier(**SMALL, callbacks=make).fit(X / 255, y)
    assert network.n_epochs_ == 3
    n_batches = -(-432 // 32)
    assert [each for each in heard if isinstance(each, int)] == [n_batches - 1] * 3
    epochs = [each for each in heard if not isinstance(each, int)]
    assert "loss" in told[-1]
    assert [rate for _, _, rate in epochs] == pytest.approx([5e-4, 2.5e-4, 1.25e-4])
    assert {"loss", "val_loss", "accuracy", "val_accuracy"} <= set(epochs[0][1])
    assert network.fit(X / 255, y).n_epochs_ == 3
    network.set_params(build_fn=build_compiled).fit(X / 255, y)
    assert network.n_epochs_ == 3


def test_training_may_be_stopped_within_an_epoch(rng: np.random.Generator) -> None:
    import keras

    class Stopper(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            stopped_at.append(batch)
            self.model.stop_training = True

    stopped_at: list[int] = []
    X, y = rng.normal(size=(500, 4)), np.arange(500) % 2
    network = SequentialClassifier((4,), batch_size=4, callbacks=lambda: [Stopper()])
    network.set_params(random_state=0, verbose=0).fit(X, y)
    assert stopped_at == [31]
    assert network.n_epochs_ == 1


def test_what_callbacks_do_to_their_model_stays_with_it(digits: Split) -> None:
    import keras

    class Meddler(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.model.layers[0].trainable = False
            self.model.optimizer.beta_1 = 0.5
            seen.append(self.model)

    seen: list[Any] = []
    X, X_test, y, _ = digits
    network = SequentialClassifier(**SMALL)
    before = network.fit(X / 255, y).predict_proba(X_test / 255)
    meddled = SequentialClassifier(**SMALL, callbacks=lambda: [Meddler()]).fit(X / 255, y)
    assert seen == [meddled.model_]
    np.testing.assert_array_equal(network.fit(X / 255, y).predict_proba(X_test / 255), before)


def test_a_batch_larger_than_the_data_costs_nothing(digits: Split) -> None:
    X, X_test, y, _ = digits
    huge, whole = (
        SequentialClassifier(**SMALL | {"batch_size": size}).fit(X / 255, y)
        for size in (10**9, 512)
    )
    np.testing.assert_array_equal(
        huge.predict_proba(X_test / 255), whole.predict_proba(X_test / 255)
    )
