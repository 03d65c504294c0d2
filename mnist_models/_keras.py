"""Keras networks: built, trained by way of scikeras, rebuilt.

The only file that touches keras, tensorflow or scikeras, and only inside functions. scikeras is
used by composition: its ``KerasClassifier`` lives as long as one training, because that class is
no classifier in scikit-learn's eyes and subclassing cannot mend it (see docs/architecture.md).
"""

import contextlib
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._quiet import without_log_messages, without_native_chatter

# Two threads that held standard error back at once could put each other's substitute in its place.
_LOADING = threading.Lock()


class TrainingRows(NamedTuple):
    """What a network is trained on, row for row: values, classes, weights, and whether held out."""

    X: NDArray[np.float32]
    codes: NDArray[np.intp]
    weight: NDArray[np.float32]
    held_out: NDArray[np.bool_]


class Trained(NamedTuple):
    """A Keras model, its history by epoch, and the epoch whose weights it has."""

    model: Any
    history: dict[str, list[float]]
    best_epoch: int


def train(
    builder: Callable[[], Any],
    rows: TrainingRows,
    *,
    learning_rate: float,
    batch_size: int,
    epochs: int,
    patience: int,
    min_delta: float,
    seed: int,
    verbose: int,
) -> Trained:
    """Build a network and train it; parameters as for ``SequentialClassifier``."""
    keras = load_keras()
    from scikeras.wrappers import KerasClassifier

    kept, held_out = ~rows.held_out, rows.held_out
    X, codes, weight = rows.X[kept], rows.codes[kept], rows.weight[kept]
    validation = None
    if held_out.any():
        validation = (rows.X[held_out], rows.codes[held_out], rows.weight[held_out])
    # every fit traces a new network, which TensorFlow takes for a mistake
    with _seeded(seed), without_log_messages("tensorflow", "triggered tf.function retracing"):
        model = builder()
        stopping = keras.callbacks.EarlyStopping(  # made here: an instance remembers its last fit
            # without the L2 penalty, which keeps falling when the answers have long been best
            monitor="val_loss" if model.compiled else "val_cross_entropy",
            mode="min",
            patience=patience,
            min_delta=min_delta,
            restore_best_weights=True,
        )
        wrapper = KerasClassifier(
            model=model,
            optimizer=keras.optimizers.Adam(learning_rate),
            loss="sparse_categorical_crossentropy",
            compile__weighted_metrics=[
                keras.metrics.SparseCategoricalCrossentropy(name="cross_entropy"),
                "accuracy",
            ],
            batch_size=batch_size,
            epochs=epochs,
            callbacks=[stopping] if validation else [],
            verbose=verbose,
        )
        wrapper.fit(X, codes, sample_weight=weight, validation_data=validation)
    _check_trained(model, X, int(codes.max()) + 1)
    history = {name: list(values) for name, values in wrapper.history_.items()}
    best = stopping.best_epoch if validation else len(history["loss"]) - 1
    return Trained(model, history, best)


def rebuild(builder: Callable[[], Any], weights: Sequence[NDArray[Any]]) -> Any:
    """The network that a builder builds, with these weights."""
    load_keras()
    with _generators_kept():  # initial weights are drawn, and replaced
        model = builder()
    model.set_weights(weights)
    return model


def load_keras() -> Any:
    """Import Keras and wake TensorFlow, without the lines TensorFlow writes when it starts.

    Whoever has set ``TF_CPP_MIN_LOG_LEVEL`` has chosen what to see, and sees it.
    """
    with _LOADING:
        if "keras" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
            import keras

            return keras
        with without_native_chatter():
            import keras
            import tensorflow as tf

            tf.config.list_logical_devices()  # looking for devices is a part of the start
        return keras


def build_dense(
    *, n_features: int, n_classes: int, hidden_units: tuple[int, ...], l2: float, dropout: float
) -> Any:
    """An untrained dense network, as :class:`SequentialClassifier` describes it."""
    import keras

    model = keras.Sequential([keras.Input((n_features,))])
    for units in hidden_units:
        penalty = keras.regularizers.L2(l2)
        model.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=penalty))
        if dropout:
            model.add(keras.layers.Dropout(dropout))
    penalty = keras.regularizers.L2(l2)
    model.add(keras.layers.Dense(n_classes, activation="softmax", kernel_regularizer=penalty))
    return model


def build_own(build_fn: Callable[[int, int], Any], n_features: int, n_classes: int) -> Any:
    """A network of the caller's own, checked and built."""
    import keras

    model = build_fn(n_features, n_classes)
    if not isinstance(model, keras.Model):
        raise TypeError(f"build_fn must return a keras.Model. Got {type(model).__name__} instead.")
    if not model.built:
        model.build((None, n_features))
    return model


def _check_trained(model: Any, X: NDArray[np.float32], n_classes: int) -> None:
    """Raise ValueError if the network's answers are no probabilities of the classes."""
    answer = np.asarray(model(X[:1], training=False))
    if not np.isfinite(answer).all():
        raise ValueError(
            "The training diverged: the network's answers are not finite. Lower learning_rate, "
            "or standardize X (make_model does)."
        )
    if answer.shape != (1, n_classes) or answer.min() < 0 or abs(answer.sum() - 1) > 1e-3:
        raise ValueError(
            f"build_fn must build a network that answers one row with {n_classes} probabilities, "
            f"as a softmax layer does. Got {answer!r} instead."
        )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed Keras, and give Python's and NumPy's generators back as they were.

    scikeras is passed no seed: it would switch on TensorFlow's op determinism and can leave it on.
    """
    keras = load_keras()
    with _generators_kept():
        keras.utils.set_random_seed(seed)
        yield


@contextlib.contextmanager
def _generators_kept() -> Iterator[None]:
    """Give Python's and NumPy's generators back as they were."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
