"""A Keras Sequential network as a scikit-learn classifier.

The only file that touches keras, tensorflow or scikeras, and only inside functions. It wraps by
composition: a scikeras ``KerasClassifier`` is built, used and dropped inside ``fit``, because that
class is not a classifier in scikit-learn's eyes and cannot be mended by subclassing (see
docs/architecture.md).
"""

import contextlib
import functools
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_random_state, gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_scalar, validate_data

from mnist_models._quiet import without_native_chatter

# Rows sent through the network at a time when it predicts: bounds the memory of its activations.
_PREDICT_ROWS = 4096


class SequentialClassifier(ClassifierMixin, BaseEstimator):
    """A Sequential neural network with L2 regularization and early stopping.

    Dense layers of rectified linear units, each with an L2 penalty on its weights, then a softmax
    over the classes, trained by Adam on the cross-entropy. A part of the training rows, the same
    share of every class, is held out inside ``fit``; when the loss on it has stopped falling,
    training ends and the weights of the best epoch come back.

    Parameters
    ----------
    hidden_units : sequence of int, default=(128, 64)
        Units in each hidden layer; ``()`` makes it a multinomial logistic regression.
    l2 : float, default=1e-4
        L2 penalty on the weights of every layer, at least 0.
    dropout : float, default=0.0
        Share of each hidden layer's outputs that is dropped in training, in [0, 1).
    learning_rate : float, default=1e-3
        Adam's step size, above 0.
    batch_size : int, default=128
        Rows to a step.
    epochs : int, default=50
        The most passes over the training rows.
    patience : int, default=3
        Epochs without improvement after which training stops.
    min_delta : float, default=0.0
        The least fall of the validation loss that counts as improvement.
    validation_fraction : float, default=0.1
        Share of the training rows held out for early stopping, in [0, 1): of each class at least
        one row, and never its last. At 0 nothing is held out and all ``epochs`` are run.
    build_fn : callable, default=None
        Builds an architecture of one's own: ``build_fn(n_features, n_classes)`` returns a Keras
        model that maps rows of ``n_features`` numbers to ``n_classes`` probabilities (for images,
        begin with a ``Reshape`` layer). ``hidden_units``, ``l2`` and ``dropout`` are then not
        used; a model that comes compiled keeps its own optimizer and loss. It must be importable
        (no lambda) if the classifier is to be pickled.
    random_state : int, RandomState instance or None, default=None
        Decides the initial weights, the rows held out and their order. The same int gives the
        same network on the same machine.
    verbose : {0, 1, 2}, default=0
        How much Keras prints while it trains: nothing, a bar or a line an epoch.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    model_ : keras.Model
        The trained network.
    history_ : dict of str to list of float
        One value an epoch for ``loss``, ``accuracy`` and, where rows are held out, ``val_loss``
        and ``val_accuracy``. Losses include the L2 penalty.
    n_epochs_ : int
        Epochs run, those after the best one included.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Their names, where X had names.

    See Also
    --------
    mnist_models.make_model : The same network behind a preprocessing step.

    Notes
    -----
    Loading TensorFlow takes seconds and happens in the first ``fit``. TensorFlow's and Keras's own
    global seeds are set by every ``fit``, there being no public way to read and restore them;
    NumPy's and Python's are left as they were.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.

    L. Prechelt, "Early Stopping — But When?", in Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    >>> from mnist_models import SequentialClassifier, load_sample_digits
    >>> X_train, X_test, y_train, y_test = load_sample_digits().split()
    >>> network = SequentialClassifier(hidden_units=(32,), epochs=15, random_state=0)
    >>> network.fit(X_train / 255, y_train).score(X_test / 255, y_test) > 0.8
    True
    """

    classes_: NDArray[Any]
    model_: Any
    history_: dict[str, list[float]]
    n_epochs_: int
    n_features_in_: int
    _builder: Callable[[], Any]

    def __init__(
        self,
        hidden_units: Sequence[int] = (128, 64),
        *,
        l2: float = 1e-4,
        dropout: float = 0.0,
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 50,
        patience: int = 3,
        min_delta: float = 0.0,
        validation_fraction: float = 0.1,
        build_fn: Callable[[int, int], Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_units = hidden_units
        self.l2 = l2
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.min_delta = min_delta
        self.validation_fraction = validation_fraction
        self.build_fn = build_fn
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values, best of standard deviation about 1. Images are rows of pixels.
        y : array-like, shape (n_samples,)
            Labels of at least two classes: ints, strings or booleans.
        sample_weight : array-like of float, shape (n_samples,), default=None
            What each row counts in the loss, held-out rows too. None: every row counts 1.

        Returns
        -------
        self : SequentialClassifier

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or ``sample_weight`` is not as described, or the training
            diverges.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        weight = _check_weight(sample_weight, len(X))
        classes, codes = np.unique(y, return_inverse=True)
        _check_classes(classes)
        chance = check_random_state(self.random_state)
        held_out = stratified_holdout(codes, self.validation_fraction, chance)
        seed = int(chance.randint(np.iinfo(np.int32).max))
        builder = self._make_builder(X.shape[1], len(classes))
        model, history = self._train(builder, X, codes, weight, held_out, seed)
        self.classes_, self.model_, self.history_ = classes, model, history
        self.n_epochs_ = len(history["loss"])
        self._builder = builder
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """The probability of each class for each row.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_classes)
            Columns in the order of ``classes_``; every row sums to 1.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array or has another number of features.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        blocks = gen_batches(len(X), _PREDICT_ROWS)
        return np.concatenate([np.asarray(self.model_(X[rows], training=False)) for rows in blocks])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable label for each row.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values.

        Returns
        -------
        ndarray, shape (n_samples,)
            Values of ``classes_``.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array or has another number of features.
        """
        most_probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_probable]

    def _check_parameters(self) -> None:
        for name, (kind, least, bound, closed) in _LIMITS.items():
            check_scalar(
                getattr(self, name),
                name,
                kind,
                min_val=least,
                max_val=bound,
                include_boundaries=closed,
            )
        units = self.hidden_units
        if isinstance(units, str) or not isinstance(units, Sequence | np.ndarray):
            raise TypeError(f"hidden_units must be a sequence of ints. Got {units!r} instead.")
        for each in units:
            check_scalar(each, "each of hidden_units", Integral, min_val=1)
        if self.build_fn is not None and not callable(self.build_fn):
            raise TypeError(f"build_fn must be callable or None. Got {self.build_fn!r} instead.")

    def _make_builder(self, n_features: int, n_classes: int) -> Callable[[], Any]:
        """What builds this network, now and after unpickling, whatever set_params does later."""
        if self.build_fn is not None:
            return functools.partial(_build_own, self.build_fn, n_features, n_classes)
        return functools.partial(
            _build_dense,
            n_features,
            n_classes,
            hidden_units=tuple(int(units) for units in self.hidden_units),
            l2=float(self.l2),
            dropout=float(self.dropout),
        )

    def _train(
        self,
        builder: Callable[[], Any],
        X: NDArray[np.float32],
        codes: NDArray[np.intp],
        weight: NDArray[np.float32],
        held_out: NDArray[np.bool_],
        seed: int,
    ) -> tuple[Any, dict[str, list[float]]]:
        """Train by way of scikeras; returns the Keras model and its history."""
        keras = load_keras()
        from scikeras.wrappers import KerasClassifier

        validation, callbacks = None, []
        if held_out.any():
            validation = (X[held_out], codes[held_out], weight[held_out])
            X, codes, weight = X[~held_out], codes[~held_out], weight[~held_out]
            callbacks = [
                keras.callbacks.EarlyStopping(  # made here: an instance remembers its last fit
                    monitor="val_loss",
                    patience=self.patience,
                    min_delta=self.min_delta,
                    restore_best_weights=True,
                )
            ]
        wrapper = KerasClassifier(
            model=builder,
            optimizer=keras.optimizers.Adam,
            optimizer__learning_rate=self.learning_rate,
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            batch_size=self.batch_size,
            epochs=self.epochs,
            callbacks=callbacks,
            verbose=self.verbose,
        )
        with _seeded(seed):
            wrapper.fit(X, codes, sample_weight=weight, validation_data=validation)
        _check_trained(wrapper.model_, X, len(np.unique(codes)))
        return wrapper.model_, {name: list(values) for name, values in wrapper.history_.items()}

    def __getstate__(self) -> dict[str, Any]:
        # Weights as arrays: Keras's own pickling runs its whole deserializer when it is loaded.
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = state["model_"].get_weights()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        weights = state.pop("model_", None)
        super().__setstate__(state)
        if weights is not None:
            load_keras()
            self.model_ = self._builder()
            self.model_.set_weights(weights)


# What each number must be: its type, least value, greatest value, and which of these it may be.
_LIMITS: dict[str, tuple[type, float, float | None, str]] = {
    "l2": (Real, 0, None, "left"),
    "dropout": (Real, 0, 1, "left"),
    "learning_rate": (Real, 0, None, "neither"),
    "batch_size": (Integral, 1, None, "left"),
    "epochs": (Integral, 1, None, "left"),
    "patience": (Integral, 0, None, "left"),
    "min_delta": (Real, 0, None, "left"),
    "validation_fraction": (Real, 0, 1, "left"),
    "verbose": (Integral, 0, 2, "both"),
}


def stratified_holdout(
    codes: NDArray[np.intp], fraction: float, chance: np.random.RandomState
) -> NDArray[np.bool_]:
    """Choose the rows to hold out: of each class its share, at least one row, never its last.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Each row's class, 0 to the number of classes less one.
    fraction : float
        Share of the rows to hold out, in [0, 1); at 0 none are.
    chance : RandomState
        Chooses them.

    Returns
    -------
    ndarray of bool, shape (n,)
        True for the rows held out.
    """
    held_out = np.zeros(len(codes), dtype=bool)
    if fraction == 0:
        return held_out
    for code, count in enumerate(np.bincount(codes)):
        size = min(count - 1, max(1, round(fraction * count)))
        held_out[chance.choice(np.flatnonzero(codes == code), size, replace=False)] = True
    return held_out


def load_keras() -> Any:
    """Import Keras and wake TensorFlow, without the lines TensorFlow writes when it starts.

    Whoever has set ``TF_CPP_MIN_LOG_LEVEL`` has chosen what to see, and sees it.
    """
    if "keras" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        import keras

        return keras
    with without_native_chatter():
        import keras
        import tensorflow as tf

        tf.config.list_logical_devices()  # looking for devices is a part of the start
    return keras


def _build_dense(
    n_features: int, n_classes: int, *, hidden_units: tuple[int, ...], l2: float, dropout: float
) -> Any:
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


def _build_own(build_fn: Callable[[int, int], Any], n_features: int, n_classes: int) -> Any:
    import keras

    model = build_fn(n_features, n_classes)
    if not isinstance(model, keras.Model):
        raise TypeError(f"build_fn must return a keras.Model. Got {type(model).__name__} instead.")
    if not model.built:
        model.build((None, n_features))
    return model


def _check_weight(sample_weight: ArrayLike | None, n_samples: int) -> NDArray[np.float32]:
    if sample_weight is None:
        return np.ones(n_samples, dtype=np.float32)
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float32, input_name="sample_weight"
    )
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have one value for each of the {n_samples} rows of X. "
            f"Got shape {weight.shape} instead."
        )
    if weight.min() < 0 or weight.max() == 0:
        raise ValueError(
            "sample_weight must have no negative value and at least one above 0. "
            f"Got values from {weight.min()} to {weight.max()} instead."
        )
    return weight


def _check_classes(classes: NDArray[Any]) -> None:
    if len(classes) < 2:
        raise ValueError(
            f"Classifier can't train when only one class is present: y holds only {classes[0]!r}, "
            "expected labels of at least two classes."
        )


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
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
