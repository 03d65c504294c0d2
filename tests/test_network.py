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
from sklearn.utils import compute_sample_weight

from mnist_models import SequentialClassifier, make_preprocessor

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
        (64,), l2=0, learning_rate=0.01, epochs=45, patience=2, min_delta=0, random_state=0
    )
    return network.fit(standardized[0], standardized[2])


def test_training_stops_early_and_keeps_the_best_weights(
    trained: SequentialClassifier, standardized: Split
) -> None:
    losses = trained.history_["val_cross_entropy"]
    assert trained.n_epochs_ == len(losses) < 45
    assert losses[-1] > min(losses) == losses[trained.best_epoch_]
    measures = {"loss", "accuracy", "cross_entropy"}
    assert set(trained.history_) == measures | {f"val_{name}" for name in measures}
    assert {len(values) for values in trained.history_.values()} == {trained.n_epochs_}
    # the network of that epoch, which nothing held out would stop
    X, X_test, y, _ = standardized
    best = clone(trained).set_params(epochs=trained.best_epoch_ + 1, patience=99).fit(X, y)
    np.testing.assert_array_equal(best.predict_proba(X_test), trained.predict_proba(X_test))


def test_the_l2_penalty_shrinks_the_weights(standardized: Split) -> None:
    X, _, y, _ = standardized
    weak, strong = (
        SequentialClassifier(**SMALL, l2=l2, random_state=0).fit(X, y) for l2 in (0.0, 0.1)
    )
    assert weak.history_["loss"] == pytest.approx(weak.history_["cross_entropy"])
    assert strong.history_["loss"][0] > strong.history_["cross_entropy"][0]
    norms = [sum(np.square(w).sum() for w in m.model_.get_weights()) for m in (weak, strong)]
    assert norms[1] < 0.7 * norms[0]


def test_a_class_of_one_row_is_trained_on(rng: np.random.Generator) -> None:
    X = rng.normal(size=(30, 4))
    y = np.array([0] * 15 + [1] * 14 + [2])
    X[-1] += 20
    network = SequentialClassifier((8,), epochs=60, learning_rate=0.05, random_state=0).fit(X, y)
    assert network.predict(X[-1:]) == [2]


# -- seeds -----------------------------------------------------------------------------------------


def test_nobody_elses_random_state_is_disturbed(standardized: Split) -> None:
    """Neither by a fit nor by unpickling, which builds a network too."""
    X, _, y, _ = standardized
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.Random(1).random(), np.random.RandomState(1).random_sample()
    network = SequentialClassifier(**SMALL, validation_fraction=0, random_state=0).fit(X, y)
    pickle.loads(pickle.dumps(network))
    assert (random.random(), np.random.random_sample()) == expected  # noqa: NPY002
    assert network.n_epochs_ == 4
    assert "val_loss" not in network.history_
    other = clone(network).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(network.predict_proba(X), other.predict_proba(X))


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
    ],
)
def test_architectures_that_cannot_work(
    build_fn: Any, error: type[Exception], message: str, standardized: Split
) -> None:
    X, _, y, _ = standardized
    with pytest.raises(error, match=message):
        SequentialClassifier(build_fn=build_fn, epochs=1, random_state=0).fit(X, y)


# -- parameters ------------------------------------------------------------------------------------


WRONG: dict[str, list[Any]] = {
    "hidden_units": ["128", 128, (0,), (1.5,)],
    "l2": [-1.0, "0.1", np.nan, np.inf],
    "dropout": [1.0],
    "learning_rate": [0.0, "fast", np.inf],
    "batch_size": [0, 1.5],
    "epochs": [0],
    "patience": [-1],
    "min_delta": [-0.1, np.nan],
    "validation_fraction": [1.0, None],
    "architecture": ["convolutional"],
    "schedule": ["linear"],
    "ema_momentum": [1.0],
    "shift": [-1.0],
    "rotation": [181.0],
    "stretch": [2.0],
    "bend": ["much"],
    "erase": [1.5],
    "build_fn": ["dense"],
    "callbacks": [[]],
    "class_weight": ["fair", 2.0, {0: -1.0}, {0: np.nan}, {0: 1e300}, {0: 0, 1: 0}, {"none": 1.0}],
    "verbose": [3],
    "random_state": ["seed"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_parameter_that_cannot_be_is_named(name: str, value: Any) -> None:
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises((TypeError, ValueError), match=name):
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


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(5, 30), (22, 21)])  # the least sides with padding, and without
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


@pytest.mark.parametrize("name", ["epoch", "validation_split", "optimizer__learning_rate"])
def test_a_parameter_that_would_be_ignored_is_an_error(name: str) -> None:
    params: dict[str, Any] = {name: 3}
    with pytest.raises(TypeError, match=name):
        SequentialClassifier(**params)
    with pytest.raises(ValueError, match=name.partition("__")[0]):
        SequentialClassifier().set_params(**params)
    with pytest.raises(TypeError, match=name):
        SequentialClassifier().fit(np.eye(4), [0, 1, 0, 1], **params)


def test_training_may_go_on_by_epoch(standardized: Split) -> None:
    X, X_test, y, y_test = standardized
    network = SequentialClassifier(**SMALL, learning_rate=0.01, random_state=0)
    network.partial_fit(X[y != 3][:100], y[y != 3][:100], classes=np.arange(10))
    for _ in range(5):
        network.partial_fit(X, y)
    assert network.n_epochs_ == len(network.history_["loss"]) == 6
    assert network.score(X_test, y_test) > 0.7
    with pytest.raises(ValueError, match=r"labels of classes_ only\. Got 10 too"):
        network.partial_fit(X, np.where(y == 1, 10, y))
    with pytest.raises(ValueError, match=r"1d array"):
        network.fit(X, np.eye(10)[y])


def test_training_that_diverges_is_an_error_not_a_wrong_answer(rng: np.random.Generator) -> None:
    X, y = 1e30 * rng.normal(size=(40, 3)), np.arange(40) % 2
    with pytest.raises(ValueError, match=r"diverged.*learning_rate"):
        SequentialClassifier(**SMALL, learning_rate=1e6, random_state=0).fit(X, y)


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
    network = SequentialClassifier(**SMALL, random_state=0).fit(X, y)
    assert capsys.readouterr().out == ""
    network.set_params(verbose=2).fit(X, y)
    assert "Epoch 4/4" in capsys.readouterr().out


# -- weights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", [{0: 0.01}, "balanced"])
def test_class_weights_are_weights_of_rows(class_weight: Any, rng: np.random.Generator) -> None:
    X = rng.normal(size=(90, 4))
    y = np.repeat([0, 1], [60, 30])
    by_class = SequentialClassifier(**SMALL, random_state=0, class_weight=class_weight).fit(X, y)
    weight = compute_sample_weight(class_weight, y)
    by_row = SequentialClassifier(**SMALL, random_state=0).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    by_both = clone(by_class).fit(X, y, sample_weight=weight)
    squared = clone(by_row).fit(X, y, sample_weight=weight**2)
    np.testing.assert_allclose(by_both.predict_proba(X), squared.predict_proba(X), atol=1e-5)


def test_rows_that_weigh_nothing_count_for_nothing(rng: np.random.Generator) -> None:
    """Not even where a whole class weighs nothing: it stays a class, and is never the answer."""
    X = rng.normal(size=(90, 5))
    y = np.repeat([10, 20, 30], 30)
    X[y == 30] += 4
    weight = (y != 20).astype(float)
    network = SequentialClassifier((16,), learning_rate=0.02, batch_size=16, random_state=0)
    network.fit(X, y, sample_weight=weight)
    assert network.classes_.tolist() == [10, 20, 30]
    assert network.score(X[y != 20], y[y != 20]) > 0.9


@pytest.mark.parametrize(
    "weight", [[1.0], [[1.0]] * 4, [1, 1, -1, 1], [0, 0, 0, 0], [1, 1, 1, np.nan], [1, 1, 1, 1e300]]
)
def test_sample_weights_that_cannot_be(weight: Any) -> None:
    with pytest.raises(ValueError, match=r"[Ss]ample[_ ]weight"):
        SequentialClassifier(**SMALL).fit(np.eye(4), [0, 1, 0, 1], sample_weight=weight)
