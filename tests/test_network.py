"""What is the network's own: its training, its seeds, its parameters, its quiet."""

import pickle
import random
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from mnist_models import SequentialClassifier, make_preprocessor
from mnist_models._network.input import stratified_holdout

from .conftest import SMALL_NETWORK as SMALL
from .conftest import Split


@pytest.fixture(scope="module")
def standardized(digits: Split) -> Split:
    X_train, X_test, y_train, y_test = digits
    preprocess = make_preprocessor().fit(X_train)
    return preprocess.transform(X_train), preprocess.transform(X_test), y_train, y_test


@pytest.fixture(scope="module")
def trained(standardized: Split) -> SequentialClassifier:
    """A network trained long enough to stop by itself. Do not refit it."""
    network = SequentialClassifier(
        (64,), l2=0, learning_rate=5e-3, epochs=60, patience=2, min_delta=0, random_state=0
    )
    return network.fit(standardized[0], standardized[2])


def test_training_stops_early_and_keeps_the_best_weights(
    trained: SequentialClassifier, standardized: Split
) -> None:
    X, _, y, _ = standardized
    losses = trained.history_["val_cross_entropy"]
    assert trained.n_epochs_ == len(losses) < 60
    rng = np.random.RandomState(0)
    codes = np.unique(y, return_inverse=True)[1]
    held_out = stratified_holdout(codes, np.ones(len(y), np.float32), 0.1, rng)
    truth = trained.predict_proba(X[held_out])[np.arange(held_out.sum()), y[held_out]]
    assert -np.log(truth).mean() == pytest.approx(min(losses), rel=1e-3)
    assert losses[-1] > min(losses) == losses[trained.best_epoch_]


def test_history_tells_every_epoch(trained: SequentialClassifier) -> None:
    measures = {"loss", "accuracy", "cross_entropy"}
    assert set(trained.history_) == measures | {f"val_{name}" for name in measures}
    assert {len(values) for values in trained.history_.values()} == {trained.n_epochs_}


def test_the_l2_penalty_shrinks_the_weights(standardized: Split) -> None:
    X, _, y, _ = standardized
    weak, strong = (
        SequentialClassifier(**SMALL, l2=l2, random_state=0).fit(X, y) for l2 in (0.0, 0.1)
    )
    assert weak.history_["loss"] == pytest.approx(weak.history_["cross_entropy"])
    assert strong.history_["loss"][0] > strong.history_["cross_entropy"][0]
    norms = [sum(np.square(w).sum() for w in m.model_.get_weights()) for m in (weak, strong)]
    assert norms[1] < 0.7 * norms[0]


def test_without_rows_held_out_every_epoch_is_run(standardized: Split) -> None:
    X, _, y, _ = standardized
    network = SequentialClassifier(**SMALL, validation_fraction=0, random_state=0).fit(X, y)
    assert network.n_epochs_ == 4
    assert "val_loss" not in network.history_


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_every_class_is_held_out_in_proportion_and_kept_in_part(fraction: float) -> None:
    codes = np.repeat([0, 1, 2, 3], [100, 50, 2, 1])
    weight = np.ones(len(codes), np.float32)
    held_out = stratified_holdout(codes, weight, fraction, np.random.RandomState(0))
    counts = np.bincount(codes[held_out], minlength=4)
    np.testing.assert_array_equal(counts, [100 * fraction, 50 * fraction, 1, 0])


def test_a_class_of_one_row_is_trained_on(rng: np.random.Generator) -> None:
    X = rng.normal(size=(30, 4))
    y = np.array([0] * 15 + [1] * 14 + [2])
    X[-1] += 20
    network = SequentialClassifier((8,), epochs=60, learning_rate=0.05, random_state=0).fit(X, y)
    assert network.predict(X[-1:]) == [2]


# -- seeds -----------------------------------------------------------------------------------------


def test_nobody_elses_random_state_is_disturbed(standardized: Split) -> None:
    X, _, y, _ = standardized
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.Random(1).random(), np.random.RandomState(1).random_sample()
    SequentialClassifier(**SMALL, random_state=0).fit(X, y)
    assert (random.random(), np.random.random_sample()) == expected  # noqa: NPY002


def test_unpickling_disturbs_nobodys_random_state(trained: SequentialClassifier) -> None:
    kept = pickle.dumps(trained)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.Random(1).random(), np.random.RandomState(1).random_sample()
    pickle.loads(kept)
    assert (random.random(), np.random.random_sample()) == expected  # noqa: NPY002


@pytest.mark.slow
def test_op_determinism_stays_as_it_was_even_for_the_first_fit() -> None:
    """scikeras, given a seed, leaves it switched on if TensorFlow had not looked at it before."""
    code = """
import numpy as np
from mnist_models import SequentialClassifier
X, y = np.eye(20), np.arange(20) % 2
SequentialClassifier((4,), epochs=1, random_state=0).fit(X, y)
import os, tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled
assert not is_op_determinism_enabled()
assert "TF_DETERMINISTIC_OPS" not in os.environ
tf.random.normal((1,))
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)


def test_another_seed_gives_another_network(standardized: Split) -> None:
    X, X_test, y, _ = standardized
    first, second = (
        SequentialClassifier(**SMALL, random_state=seed).fit(X, y).predict_proba(X_test)
        for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


# -- one's own architecture ------------------------------------------------------------------------


def build_conv(n_features: int, n_classes: int) -> Any:
    import keras

    return keras.Sequential(
        [
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(4, 5, strides=3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]
    )


def build_compiled(n_features: int, n_classes: int) -> Any:
    import keras

    model = keras.Sequential([keras.Input((n_features,))])
    model.add(keras.layers.Dense(n_classes, activation="softmax"))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
    return model


def build_logits(n_features: int, n_classes: int) -> Any:
    import keras

    return keras.Sequential([keras.layers.Dense(n_classes)])


def build_one_output(n_features: int, n_classes: int) -> Any:
    import keras

    return keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])


@pytest.mark.parametrize("build_fn", [build_conv, build_compiled])
def test_an_architecture_of_ones_own(build_fn: Any, standardized: Split) -> None:
    X, X_test, y, y_test = standardized
    network = SequentialClassifier(build_fn=build_fn, epochs=8, batch_size=16, random_state=0)
    fitted = clone(network).fit(X, y)
    assert fitted.score(X_test, y_test) > 0.6
    kept = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(kept.predict_proba(X_test), fitted.predict_proba(X_test))


@pytest.mark.parametrize(
    ("build_fn", "error", "message"),
    [
        (build_logits, ValueError, "softmax"),
        (lambda n_features, n_classes: "a network", TypeError, "keras.Model. Got str"),
        ("dense", TypeError, "build_fn must be callable or None. Got 'dense'"),
    ],
)
def test_architectures_that_cannot_work(
    build_fn: Any, error: type[Exception], message: str, standardized: Split
) -> None:
    X, _, y, _ = standardized
    with pytest.raises(error, match=message):
        SequentialClassifier(build_fn=build_fn, epochs=1, random_state=0).fit(X, y)


# -- parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_units", "128"),
        ("hidden_units", 128),
        ("hidden_units", (0,)),
        ("hidden_units", (1.5,)),
        ("l2", -1.0),
        ("l2", "0.1"),
        ("dropout", 1.0),
        ("learning_rate", 0.0),
        ("learning_rate", "fast"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("epochs", 0),
        ("epochs", "20"),
        ("patience", -1),
        ("min_delta", -0.1),
        ("validation_fraction", 1.0),
        ("architecture", "convolutional"),
        ("schedule", "linear"),
        ("ema_momentum", 1.0),
        ("shift", -1.0),
        ("rotation", 181.0),
        ("stretch", 2.0),
        ("bend", "much"),
        ("callbacks", []),
        ("validation_fraction", None),
        ("verbose", 3),
        ("random_state", "seed"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(name: str, value: Any) -> None:
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises((TypeError, ValueError), match="seed" if name == "random_state" else name):
        SequentialClassifier(**{name: value}).fit(X, y)


@pytest.mark.parametrize(
    ("n_features", "params", "words"),
    [
        (10, {"architecture": "conv"}, "a square number of features. Got 10"),
        (
            16,
            {"architecture": "conv"},
            "at least 5 by 5 pixels for architecture='conv'. Got 4 by 4",
        ),
        (36, {"architecture": "conv", "image_shape": (5, 7)}, "image_shape=(5, 7)"),
        (10, {"rotation": 5.0}, "a square number of features. Got 10"),
        (10, {"bend": 0.5, "image_shape": (1, 10)}, "at least 2 by 2 pixels to be warped"),
    ],
)
def test_rows_that_are_no_such_images(n_features: int, params: Any, words: str) -> None:
    X, y = np.ones((6, n_features)), [0, 1] * 3
    with pytest.raises(ValueError, match=re.escape(words)):
        SequentialClassifier(**params).fit(X, y)


@pytest.mark.parametrize("shape", [(5, 5), (7, 30), (20, 21), (23, 22)])
def test_images_of_any_shape(shape: Any, rng: np.random.Generator) -> None:
    """Which of the halves is bright is easily seen, whatever the scale of the pixels."""
    height, width = shape
    images = rng.normal(100, 1, (120, height, width))
    y = np.arange(120) % 2
    images[y == 1, : height // 2] += 40
    images[y == 0, height - height // 2 :] += 40
    X = images.reshape(120, -1)
    params: Any = {"image_shape": shape, "epochs": 4, "batch_size": 16, "random_state": 0}
    network = SequentialClassifier(architecture="conv", shift=1.0, **params).fit(X, y)
    assert network.score(X, y) == 1.0


def test_a_misspelt_parameter_is_an_error() -> None:
    with pytest.raises(TypeError, match="epoch"):
        SequentialClassifier(epoch=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["l2", "learning_rate", "min_delta"])
def test_a_parameter_that_is_no_number_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        SequentialClassifier().set_params(**{name: value}).fit(np.eye(4), [0, 1, 0, 1])


def test_training_that_diverges_is_an_error_not_a_wrong_answer(rng: np.random.Generator) -> None:
    X, y = 1e30 * rng.normal(size=(40, 3)), np.arange(40) % 2
    with pytest.raises(ValueError, match=r"diverged.*learning_rate"):
        SequentialClassifier(**SMALL, learning_rate=1e6, random_state=0).fit(X, y)


def test_a_rows_answer_is_the_same_to_the_last_bit_whatever_is_asked_with_it(
    trained: SequentialClassifier, standardized: Split, rng: np.random.Generator
) -> None:
    X = np.vstack(standardized[:2])
    order = rng.permutation(len(X))
    answers = trained.predict_proba(X)
    np.testing.assert_array_equal(trained.predict_proba(X[order]), answers[order])
    for rows in (slice(0, 1), slice(3, 10), slice(100, 357)):
        np.testing.assert_array_equal(trained.predict_proba(X[rows]), answers[rows])


def test_parameters_set_after_the_fit_do_not_change_what_is_kept(
    trained: SequentialClassifier, standardized: Split
) -> None:
    changed = pickle.loads(pickle.dumps(trained)).set_params(hidden_units=(3,))
    kept = pickle.loads(pickle.dumps(changed))
    X_test = standardized[1]
    np.testing.assert_array_equal(kept.predict_proba(X_test), trained.predict_proba(X_test))


# -- quiet -----------------------------------------------------------------------------------------

_FIT = """
import numpy as np
from mnist_models import SequentialClassifier
X, y = np.eye(30), np.arange(30) % 3
for seed in range(4):
    SequentialClassifier((4,), epochs=2, random_state=seed).fit(X, y).predict(X)
"""


@pytest.mark.slow
def test_nothing_is_printed() -> None:
    """Neither TensorFlow's start-up lines nor its warnings about retracing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _FIT], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_whoever_asks_tensorflow_to_speak_hears_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FIT],
        capture_output=True,
        text=True,
        timeout=120,
        env={"TF_CPP_MIN_LOG_LEVEL": "0", "PATH": ""},
    )
    assert "CPU instructions" in done.stderr


def test_verbose_lets_keras_speak(standardized: Split, capsys: pytest.CaptureFixture[str]) -> None:
    X, _, y, _ = standardized
    SequentialClassifier(**SMALL, verbose=2, random_state=0).fit(X, y)
    assert "Epoch 4/4" in capsys.readouterr().out
