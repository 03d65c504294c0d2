"""A Keras Sequential network as a scikit-learn classifier."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_models._keras import TrainingRows, build_dense, build_own, rebuild, train
from mnist_models._network_input import (
    check_parameters,
    check_weight,
    encode_labels,
    stratified_holdout,
)

# Rows sent through the network at a time when it predicts. Always as many, the last block filled
# up with zeros: vectorized kernels round the rows at a block's end otherwise than those before, so
# that in blocks as they come a row's probabilities would depend on the rows asked beside it.
_PREDICT_ROWS = 256


class SequentialClassifier(ClassifierMixin, BaseEstimator):
    """A Sequential neural network with L2 regularization and early stopping.

    Dense layers of rectified linear units, each with an L2 penalty on its weights, then a softmax
    over the classes, trained by Adam on the cross-entropy. A part of the training rows, the same
    share of every class, is held out inside ``fit``; when the cross-entropy on it has stopped
    falling, training ends and the weights of the best epoch come back.

    Parameters
    ----------
    hidden_units : sequence of int, default=(128, 64)
        Units in each hidden layer; ``()`` makes it a multinomial logistic regression.
    l2 : float, default=1e-3
        L2 penalty on the weights of every layer, at least 0.
    dropout : float, default=0.0
        Share of each hidden layer's outputs that is dropped in training, in [0, 1).
    learning_rate : float, default=1e-3
        Adam's step size, above 0.
    batch_size : int, default=128
        Rows to a step.
    epochs : int, default=20
        The most passes over the training rows.
    patience : int, default=3
        Epochs without improvement after which training stops.
    min_delta : float, default=1e-3
        The least fall of the validation cross-entropy that counts as improvement.
    validation_fraction : float, default=0.1
        Share of the training rows held out for early stopping, in [0, 1): of each class at least
        one row, and never its last. At 0 nothing is held out and all ``epochs`` are run.
    build_fn : callable, default=None
        Builds an architecture of one's own: ``build_fn(n_features, n_classes)`` returns a Keras
        model that maps rows of ``n_features`` numbers to ``n_classes`` probabilities (for images,
        begin with a ``Reshape`` layer). ``hidden_units``, ``l2`` and ``dropout`` are then not
        used; a model that comes compiled keeps its own optimizer and loss, and stops early by
        that loss. It must be importable (no lambda) if the classifier is to be pickled.
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
        One value an epoch for ``loss``, which includes the L2 penalty, ``cross_entropy``, which
        does not, ``accuracy`` and, where rows are held out, the same with ``val_`` before. Of a
        model that came compiled: its own loss and metrics.
    n_epochs_ : int
        Epochs run, those after the best one included.
    best_epoch_ : int
        Which entry of the history is that of the weights kept; the last, if none were held out.
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
    NumPy's and Python's generators are left as they were (with ``random_state=None`` a seed is
    drawn from NumPy's first, as everywhere in scikit-learn).

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
    best_epoch_: int
    n_features_in_: int
    _builder: "functools.partial[Any]"

    def __init__(
        self,
        hidden_units: Sequence[int] = (128, 64),
        *,
        l2: float = 1e-3,
        dropout: float = 0.0,
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 20,
        patience: int = 3,
        min_delta: float = 1e-3,
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
        check_parameters(self.get_params(deep=False))
        rows, labels = validate_data(self, X, y, dtype=np.float32)
        weight = check_weight(sample_weight, len(rows))
        classes, codes = encode_labels(labels)
        chance = check_random_state(self.random_state)
        held_out = stratified_holdout(codes, weight, self.validation_fraction, chance)
        seed = int(chance.randint(np.iinfo(np.int32).max))
        builder = self._make_builder(rows.shape[1], len(classes))
        trained = train(
            builder,
            TrainingRows(rows, codes, weight, held_out),
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            min_delta=self.min_delta,
            seed=seed,
            verbose=self.verbose,
        )
        self.classes_, self._builder = classes, builder
        self.model_, self.history_, self.best_epoch_ = trained
        self.n_epochs_ = len(self.history_["loss"])
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
        rows = validate_data(self, X, dtype=np.float32, reset=False)
        blocks = (
            rows[start : start + _PREDICT_ROWS] for start in range(0, len(rows), _PREDICT_ROWS)
        )
        return np.concatenate([self._answer(block) for block in blocks])

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

    def _answer(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        filled = np.pad(block, ((0, _PREDICT_ROWS - len(block)), (0, 0)))
        answers: NDArray[np.float32] = np.asarray(self.model_(filled, training=False))
        return answers[: len(block)]

    def _make_builder(self, n_features: int, n_classes: int) -> "functools.partial[Any]":
        """What builds this network, now and after unpickling, whatever set_params does later."""
        if self.build_fn is not None:
            return functools.partial(build_own, self.build_fn, n_features, n_classes)
        return functools.partial(
            build_dense,
            n_features=n_features,
            n_classes=n_classes,
            hidden_units=tuple(int(units) for units in self.hidden_units),
            l2=float(self.l2),
            dropout=float(self.dropout),
        )

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
            self.model_ = rebuild(self._builder, weights)
