"""A Keras Sequential network as a scikit-learn classifier."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mnist_models._features.images import resolve_shape
from mnist_models._keras.answers import answer
from mnist_models._keras.networks import LEAST_SIDE, Conv, Dense, Network, Own, rebuild
from mnist_models._keras.training import TrainingOptions, train
from mnist_models._keras.waking import in_reach
from mnist_models._network.batches import TrainingRows
from mnist_models._network.input import (
    check_parameters,
    check_weight,
    encode_labels,
    stratified_holdout,
)
from mnist_models._network.warp import Warp
from mnist_models._rows import as_float32, check_rows
from mnist_models._whole_fits import RestoredOnError


class SequentialClassifier(ClassifierMixin, BaseEstimator):
    """A Sequential neural network with L2 regularization and early stopping.

    Layers of rectified linear units, each with an L2 penalty on its weights, then a softmax over
    the classes, trained by Adam on the cross-entropy. ``fit`` holds out some of the training rows,
    the same share of every class. When the cross-entropy on these no longer falls, training ends
    and the weights of the best epoch are restored.

    Parameters
    ----------
    hidden_units : sequence of int, default=(128, 64)
        Units in each hidden layer of the dense network; ``()`` makes it a multinomial logistic
        regression.
    architecture : {"dense", "conv"}, default="dense"
        ``"conv"`` reads the rows as images: four convolutional layers of 32, 64, 96 and 128
        filters with batch normalization, the first of 5×5 pixels with stride 2, the others of
        3×3, with 2×2 max pooling before the last, then the softmax. Pixels may have any scale, and
        ``hidden_units`` is not used.
    image_shape : tuple (height, width) of int, default=None
        Shape of the images in pixels; None for square ones. Used where rows are read as images:
        by ``"conv"`` (at least 5×5), and to shift, rotate, stretch or bend (at least 2×2). -1 for
        one of the two is inferred from the other.
    l2 : float, default=1e-3
        L2 penalty on the weights of every layer, at least 0.
    dropout : float, default=0.0
        Share of each hidden layer's outputs that is dropped in training, in [0, 1); with
        ``"conv"``, only of the input of the softmax.
    learning_rate : float, default=1e-3
        Adam's learning rate, above 0; its maximum, if it varies.
    schedule : {"constant", "cosine"}, default="constant"
        ``"cosine"``: the learning rate rises during the first tenth of all steps, then falls to
        0 along a cosine. For training without early stopping, through all ``epochs``.
    ema_momentum : float, default=0.0
        Momentum of an exponential moving average of the weights, in [0, 1); 0 for none. The
        network is evaluated with the averaged weights and keeps them: 0.998 makes a constant
        learning rate nearly as good as a falling one.
    shift, rotation, stretch, bend : float, default=0.0
        Warp images at random, each time they are trained on. Maximal shift along each axis, in
        pixels; maximal rotation, in degrees from 0 to 180; maximal stretch along each axis, as a
        share (0.1: by about 10 %) and slant, in columns per row, from 0 to 1; standard deviation,
        in pixels, of the coefficients of a smooth displacement field. All 0: no warping. For
        digits, up to 2, 12 and 0.1 do no harm.
    batch_size : int, default=128
        Rows per step.
    epochs : int, default=20
        The most passes over the training rows.
    patience : int, default=3
        Epochs without improvement after which training stops.
    min_delta : float, default=1e-3
        The least decrease of the validation cross-entropy that counts as an improvement.
    validation_fraction : float, default=0.1
        Share of the training rows held out for early stopping, in [0, 1): at least one row of
        each class, but never all. With 0 nothing is held out and all ``epochs`` are run.
    build_fn : callable, default=None
        Builds another architecture: ``build_fn(n_features, n_classes)`` returns a Keras model
        that maps rows of ``n_features`` numbers to ``n_classes`` probabilities (for images, begin
        with a ``Reshape`` layer). ``hidden_units``, ``architecture``, ``l2`` and ``dropout`` are
        then not used. Keras's own ``fit`` trains a model that is already compiled, with its
        optimizer and loss, which early stopping watches. It also trains, by Adam, a model that
        overrides ``train_step``, ``test_step`` or ``compute_loss``, or has float16 layers. In
        both cases ``schedule``, ``ema_momentum`` and warping are not used. ``build_fn`` must be
        importable (not a lambda) if the classifier is to be pickled.
    callbacks : callable, default=None
        Called without arguments in every fit; returns a list of new ``keras.callbacks.Callback``.
        Of their hooks for batches only ``on_train_batch_end`` is called, once for some dozens of
        batches. With ``schedule="cosine"`` a learning rate that they set has no effect.
    class_weight : dict of label to float, "balanced" or None, default=None
        Weight of each class in the loss, multiplied by ``sample_weight``; 1 for classes missing in
        the dict. ``"balanced"`` gives every class the same total weight.
    random_state : int, RandomState instance or None, default=None
        Controls the initial weights, dropout, which rows are held out, their order and their
        warps. The same int gives the same network on the same machine.
    verbose : {0, 1, 2}, default=0
        What is printed during training: nothing, a progress bar per epoch or a line per epoch.
        1 and 2 also print why XLA did not compile the training, if so.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    model_ : keras.Model
        The trained network.
    history_ : dict of str to list of float
        One value per epoch of ``loss``, which includes the L2 penalty, ``cross_entropy``, which
        does not, ``accuracy`` and, if rows are held out, the same with the prefix ``val_``. For a
        model that ``build_fn`` compiled: its own loss and metrics.
    n_epochs_ : int
        Number of epochs run, including those after the best one.
    best_epoch_ : int
        Index in the history of the epoch whose weights are kept; the last, if no rows are held out.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.

    See Also
    --------
    mnist_models.make_model : The same network behind a preprocessing step.

    Notes
    -----
    The first ``fit`` imports TensorFlow, which takes seconds. Every ``fit`` sets the global seeds
    of TensorFlow and Keras, as there is no public way to read and restore them. The states of
    NumPy's and Python's generators are restored (with ``random_state=None`` a seed is drawn from
    NumPy's first, as everywhere in scikit-learn).

    A compiled function trains some dozens of batches per call, and 8-bit X is never copied as a
    whole: pixels become float32 batch by batch. On a GPU, TensorFlow places the work as usual.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch Normalization", ICML 2015.

    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.

    I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017
    (the cosine schedule).

    B. T. Polyak and A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM
    Journal on Control and Optimization 30(4), 1992.

    L. Prechelt, "Early Stopping — But When?", in Neural Networks: Tricks of the Trade, 1998.

    P. Y. Simard, D. Steinkraus and J. C. Platt, "Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis", ICDAR 2003 (warping).

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
    _network: Network

    def __init__(
        self,
        hidden_units: Sequence[int] = (128, 64),
        *,
        architecture: Literal["dense", "conv"] = "dense",
        image_shape: tuple[int, int] | None = None,
        l2: float = 1e-3,
        dropout: float = 0.0,
        learning_rate: float = 1e-3,
        schedule: Literal["constant", "cosine"] = "constant",
        ema_momentum: float = 0.0,
        shift: float = 0.0,
        rotation: float = 0.0,
        stretch: float = 0.0,
        bend: float = 0.0,
        batch_size: int = 128,
        epochs: int = 20,
        patience: int = 3,
        min_delta: float = 1e-3,
        validation_fraction: float = 0.1,
        build_fn: Callable[[int, int], Any] | None = None,
        callbacks: Callable[[], Sequence[Any]] | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_units = hidden_units
        self.architecture = architecture
        self.image_shape = image_shape
        self.l2 = l2
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.ema_momentum = ema_momentum
        self.shift = shift
        self.rotation = rotation
        self.stretch = stretch
        self.bend = bend
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.min_delta = min_delta
        self.validation_fraction = validation_fraction
        self.build_fn = build_fn
        self.callbacks = callbacks
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values, preferably with standard deviation about 1. Images are rows of pixels.
        y : array-like, shape (n_samples,)
            Labels of at least two classes: ints, strings or booleans.
        sample_weight : array-like of float, shape (n_samples,), default=None
            Weight of each row in the loss, also of those held out; None gives every row 1.

        Returns
        -------
        self : SequentialClassifier
            The same object, fitted.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or ``sample_weight`` is invalid, or the training diverges.
        """
        with RestoredOnError(self):
            return self._fit(X, y, sample_weight)

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        check_parameters(self.get_params(deep=False))
        values, labels = check_rows(self, X, y)
        rows = _uint8_or_float32(values)
        classes, codes = encode_labels(labels)
        weight = check_weight(sample_weight, self.class_weight, labels)
        network = self._describe_network(rows.shape[1], len(classes))
        options = self._training_options(rows.shape[1])
        random_state = check_random_state(self.random_state)
        held_out = stratified_holdout(codes, weight, self.validation_fraction, random_state)
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        trained = train(network, TrainingRows(rows, codes, weight, held_out), options, seed)
        self.classes_, self._network = classes, network
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
            If X is not such an array, has another number of features, or has values so large that
            the network's probabilities are not finite.
        """
        check_is_fitted(self)
        rows = _uint8_or_float32(check_rows(self, X, reset=False))
        probabilities = answer(self._network, self.model_, rows)
        if not np.isfinite(probabilities).all():
            raise ValueError(
                "X has values so large that the network's probabilities are not finite: expected "
                "values of the same scale as the ones it was fitted on."
            )
        return probabilities

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
            As for :meth:`predict_proba`.
        """
        most_probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[most_probable]

    def _describe_network(self, n_features: int, n_classes: int) -> Network:
        """The description that builds the network, in ``fit`` and again after unpickling."""
        if self.build_fn is not None:
            return Own(self.build_fn, n_features, n_classes)
        l2, dropout = float(self.l2), float(self.dropout)
        if self.architecture == "dense":
            units = tuple(int(each) for each in self.hidden_units)
            return Dense(n_features, n_classes, units, l2, dropout)
        height, width = resolve_shape(self.image_shape, n_features)
        if min(height, width) < LEAST_SIDE:
            raise ValueError(
                f"X must hold images of at least {LEAST_SIDE} by {LEAST_SIDE} pixels for "
                f"architecture='conv'. Got {height} by {width} instead. Use architecture='dense'."
            )
        return Conv(height, width, n_classes, l2, dropout)

    def _training_options(self, n_features: int) -> TrainingOptions:
        warp = None
        if self.shift or self.rotation or self.stretch or self.bend:
            shape = resolve_shape(self.image_shape, n_features)
            if min(shape) < 2:
                raise ValueError(
                    f"X must hold images of at least 2 by 2 pixels to be warped. Got {shape} "
                    "instead. Set shift, rotation, stretch and bend to 0."
                )
            warp = Warp(shape, self.shift, self.rotation, self.stretch, self.bend)
        return TrainingOptions(
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            min_delta=self.min_delta,
            average=self.ema_momentum,
            warp=warp,
            callbacks=self.callbacks,
            verbose=self.verbose,
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
            # no error here: a pool that cannot unpickle a task hangs. The first use raises it.
            self.model_ = rebuild(self._network, weights) if in_reach() else None


def _uint8_or_float32(rows: NDArray[Any]) -> NDArray[Any]:
    """8-bit pixels as they are, everything else as float32."""
    return rows if rows.dtype == np.uint8 else as_float32(rows)
