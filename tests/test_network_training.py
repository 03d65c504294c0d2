"""The compiled loops that train a network and make its predictions."""

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_models import SequentialClassifier, load_sample_digits
from mnist_models import _keras_training as training
from mnist_models._keras_start import quiet_start
from mnist_models._keras_training import Pool, TrainingRows, batches_at_once, gathered, prefetched
from mnist_models.network import _hold_out

from .conftest import SMALL_NETWORK, Split

SMALL: dict[str, Any] = SMALL_NETWORK | {"random_state": 0}


def test_averaged_weights_are_the_average_of_the_steps(digits: Split) -> None:
    import keras

    def weights_by_step(momentum: float) -> list[NDArray[Any]]:
        seen = []

        class Note(keras.callbacks.Callback):
            def on_train_begin(self, logs: Any = None) -> None:
                seen.append(np.concatenate([w.ravel() for w in self.model.get_weights()]))

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.on_train_begin()

        how = {"epochs": 6, "batch_size": 10**6, "ema_momentum": momentum}
        network = SequentialClassifier(**SMALL | how, validation_fraction=0, learning_rate=0.01)
        network.set_params(callbacks=lambda: [Note()]).fit(digits[0] / 255, digits[2])
        return seen

    plain, averaged = weights_by_step(0.0), weights_by_step(0.3)
    expected = plain[0]
    for step in range(1, 7):
        kept = min(0.3, step / (step + 9))
        expected = kept * expected + (1 - kept) * plain[step]
        np.testing.assert_allclose(averaged[step], expected, atol=1e-5)
    assert np.abs(expected - plain[-1]).max() > 1e-3


def test_the_cosine_rises_and_falls_to_nothing(digits: Split) -> None:
    import keras

    rates = []

    class Note(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            rates.append(float(self.model.optimizer.learning_rate))

    how = {"epochs": 20, "batch_size": 10**6, "learning_rate": 0.01, "validation_fraction": 0}
    network = SequentialClassifier(**SMALL | how, schedule="cosine", callbacks=lambda: [Note()])
    network.fit(digits[0] / 255, digits[2])
    assert np.argmax(rates) in (1, 2)
    assert max(rates) == pytest.approx(0.01, rel=0.01)
    assert rates[0] == pytest.approx(0.0025)
    assert 0 < rates[-1] < 1e-4


# -- rows ------------------------------------------------------------------------------------------


def test_every_row_is_gathered_once_and_the_filling_weighs_nothing(
    rng: np.random.Generator,
) -> None:
    n = 1000
    X, weight = rng.normal(size=(n, 25)).astype(np.float32), np.ones(n, np.float32)
    rows = TrainingRows(X, weight[:, None], weight, np.zeros(n, bool))
    order = rng.permutation(n)
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
    network = SequentialClassifier(**SMALL | {"epochs": 1})
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


# -- one network after another, and beside another -------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.4, "epochs": 2},
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
from mnist_models import _keras_training as training
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
            {"build_fn": build_python_step, "epochs": 40},
            "XLA refuses it",
            marks=pytest.mark.slow,
        ),
        ({"build_fn": build_filters}, "XLA is slow at convolutions"),
        ({}, "steps are too few"),
    ],
)
def test_what_xla_cannot_or_need_not_compile_is_trained_all_the_same(
    params: Any, words: str, digits: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    X, X_test, y, y_test = digits
    network = SequentialClassifier(**SMALL | {"learning_rate": 0.01, "verbose": 2} | params)
    network.fit(X / 255, y)
    assert words in capsys.readouterr().out
    assert network.score(X_test / 255, y_test) > 0.5
    np.testing.assert_allclose(
        network.predict_proba(X_test / 255), np.asarray(network.model_(X_test / 255)), atol=1e-6
    )


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
    network = SequentialClassifier((4,), batch_size=8, epochs=3, callbacks=lambda: [Stopper()])
    network.fit(X, y)
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


# -- predictions -----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["dense", "conv"])
def trained(request: pytest.FixtureRequest, digits: Split) -> SequentialClassifier:
    network = SequentialClassifier(**SMALL | {"epochs": 1}, architecture=request.param)
    return network.fit(digits[0] / 255, digits[2])


def test_compiled_answers_are_keras_own_and_a_row_has_one_to_the_last_bit(
    trained: SequentialClassifier, rng: np.random.Generator
) -> None:
    X = load_sample_digits().data / np.float32(255)
    expected = trained.predict_proba(X)
    np.testing.assert_allclose(expected, trained.model_(X, training=False), atol=1e-6)
    forward: Any = training._forwards[trained.model_].function
    before = forward.experimental_get_tracing_count()
    for n in (1, 2, 33, 1600):  # as few blocks as one, and as many as run in one call
        rows = rng.choice(len(X), n)
        np.testing.assert_array_equal(trained.predict_proba(X[rows]), expected[rows])
        np.testing.assert_array_equal(trained.predict_proba(X[rows].astype(float)), expected[rows])
    assert forward.experimental_get_tracing_count() == before <= 2


def test_threads_may_ask_at_once(trained: SequentialClassifier) -> None:
    X = load_sample_digits().data / np.float32(255)
    expected = trained.predict_proba(X)
    start = threading.Barrier(4)

    def ask(first: int) -> NDArray[np.float32]:
        start.wait()
        return np.concatenate([trained.predict_proba(X[i : i + 7]) for i in range(first, 140, 7)])

    with ThreadPoolExecutor(4) as threads:
        for each in threads.map(ask, [0] * 4):
            np.testing.assert_array_equal(each, expected[:140])


def test_weights_changed_by_hand_are_heeded(digits: Split) -> None:
    X, _, y, _ = digits
    network = SequentialClassifier(**SMALL).fit(X, y)
    before = network.predict_proba(X)
    network.model_.set_weights([np.zeros_like(w) for w in network.model_.get_weights()])
    np.testing.assert_allclose(network.predict_proba(X), 0.1)
    assert not np.allclose(before, 0.1)


def test_what_is_kept_is_given_to_one_at_a_time() -> None:
    kept = Pool(3)
    for thing in range(4):
        kept.put("make", thing)
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: kept.take("make"), range(5)))
    assert sorted(each for each in taken if each is not None) == [1, 2, 3]
    assert kept.take("another") is None


# -- rows held out, and quiet ----------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_every_class_is_held_out_in_proportion_and_kept_in_part(fraction: float) -> None:
    codes = np.repeat([0, 1, 2, 3, 4], [100, 50, 2, 1, 9])
    weight = (codes < 4).astype(np.float32)
    held_out = _hold_out(codes, weight, fraction, np.random.RandomState(0))
    counts = np.bincount(codes[held_out], minlength=4)
    np.testing.assert_array_equal(counts, [100 * fraction, 50 * fraction, 1, 0])


def test_lines_of_the_log_are_dropped_and_the_rest_comes_through(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with contextlib.suppress(ImportError), quiet_start():  # nothing is lost if the start fails
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
        os.write(2, b"I0000 00:00:1795355203.578491    2109 cudart_stub.cc:31] No cuda drivers.\n")
        os.write(2, b"2026-11-22 13:41:00.123456: I tensorflow/core/port.cc:153] oneDNN is on.\n")
        os.write(2, b"F0000 00:00:1795355213.910465    2109 fatal.cc:1] Check failed\n")
        raise ImportError
    os.write(2, b"afterwards\n")
    expected = "F0000 00:00:1795355213.910465    2109 fatal.cc:1] Check failed\nafterwards\n"
    assert capfd.readouterr().err == expected


def test_a_closed_standard_error_is_no_error() -> None:
    code = "from mnist_models._keras_start import quiet_start\nwith quiet_start(): pass"
    shell = ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, code]
    subprocess.run(shell, check=True, timeout=60)
