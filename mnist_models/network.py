"""A Keras Sequential network as a scikit-learn classifier: its architectures and its training.

Importing this module imports scikeras, and with it TensorFlow.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state, compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_scalar

from mnist_models._keras_start import generators_kept, in_reach, layers_seeded, start_keras
from mnist_models._keras_training import Training, predict_rows
from mnist_models._validation import (
    as_float32,
    check_rows,
    check_sample_weight,
    check_scale,
    overflow_ignored,
    some,
)
from mnist_models.keras_classifier import KerasClassifier
from mnist_models.preprocessing import resolve_shape


class SequentialClassifier(KerasClassifier):
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
        by ``"conv"`` (at least 5×5), and to warp them (at least 2×2). -1 for one of the two is
        inferred from the other.
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
    erase : float, default=0.0
        Probability, from 0 to 1, that a rectangle of an image is set to 0 when it is trained on.
        Its sides are one to two sevenths of the image's, at least a pixel. The network then reads
        digits with parts missing.
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
    Importing the class imports TensorFlow, which takes seconds. Every ``fit`` sets the global seed
    of Keras; those of TensorFlow, NumPy and Python are restored (with ``random_state=None`` a seed
    is drawn from NumPy's first, as everywhere in scikit-learn).

    ``fit`` takes rows, or images of shape (n_samples, height, width) or (n_samples, height, width,
    1), best with a standard deviation of about 1. It raises ValueError if the training diverges,
    and takes none of Keras's arguments but ``epochs``.

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
    _network: "Dense | Conv | _Built"

    _parameter_constraints: ClassVar = {
        "hidden_units": [Sequence, np.ndarray],
        "architecture": [StrOptions({"dense", "conv"})],
        "l2": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "schedule": [StrOptions({"constant", "cosine"})],
        "ema_momentum": [Interval(Real, 0, 1, closed="left")],
        "shift": [Interval(Real, 0, None, closed="left")],
        "rotation": [Interval(Real, 0, 180, closed="both")],
        "stretch": [Interval(Real, 0, 1, closed="both")],
        "bend": [Interval(Real, 0, None, closed="left")],
        "erase": [Interval(Real, 0, 1, closed="both")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 0, None, closed="left")],
        "min_delta": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "build_fn": [callable, None],
        "callbacks": [callable, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "verbose": [Interval(Integral, 0, 2, closed="both")],
    }

    # parameters of scikeras that are none of this class
    model = None
    warm_start = False
    loss = "sparse_categorical_crossentropy"
    # scikeras keeps the callbacks of a fit here, which need not be picklable
    _fit_callbacks = _predict_callbacks = ()

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
        erase: float = 0.0,
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
        self.erase = erase
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

    set_params = BaseEstimator.set_params
    score = ClassifierMixin.score

    @classmethod
    def _get_param_names(cls) -> list[str]:
        names: list[str] = BaseEstimator._get_param_names.__func__(cls)
        return names

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = tags.classifier_tags.multi_label = False
        tags.target_tags.multi_output = False
        tags.input_tags.sparse = tags.input_tags.three_d_array = False
        return tags

    def predict_proba(  # type: ignore[override]
        self, X: ArrayLike
    ) -> NDArray[np.float32]:
        """The probability of each class for each row.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_classes)
            Columns in the order of ``classes_``; every row sums to 1, and is independent of the
            other rows to the last bit.

        Raises
        ------
        ValueError
            If X is not such an array, has another number of features, or has values so large that
            the network's probabilities are not finite.
        """
        check_is_fitted(self, "model_")
        rows, _ = self._validate_data(X)
        probabilities = predict_rows(self.model_, rows, self._description())
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
        """
        most_probable = self.predict_proba(X).argmax(axis=1)  # first, for an unfitted network
        return self.classes_[most_probable]

    # -- scikeras's hooks --------------------------------------------------------------------------

    def _fit(  # type: ignore[override]
        self, X: Any, y: Any, sample_weight: Any, warm_start: bool, epochs: int, initial_epoch: int
    ) -> None:
        """As scikeras's; but before the network is built, weights are checked and rows held out."""
        begins = not (warm_start and self.initialized_)
        rows, labels = self._validate_data(X, y, reset=begins)
        weight = _check_weight(sample_weight, self.class_weight, labels)
        if begins:
            self.classes_ = _find_classes(labels if self.classes_ is None else self.classes_)
            self.n_classes_ = len(self.classes_)
        codes = _encode(labels, self.classes_)
        warp = self._warp(rows.shape[1])
        held_out = np.zeros(len(rows), dtype=bool)
        if begins:
            random_state = check_random_state(self.random_state)
            if not warm_start:
                fraction = self.validation_fraction
                held_out = _hold_out(codes, weight, fraction, random_state)
            self._seed = int(random_state.randint(np.iinfo(np.int32).max))
            self.model_ = self._build_keras_model()
            self._came_compiled = self.model_.compiled
        self._ensure_compiled_model()
        stopping = [self._early_stopping()] if held_out.any() else []
        training = Training(
            seed=self._seed,
            network=self._description(),
            held_out=held_out,
            rates=partial(_cosine, self.learning_rate) if self.schedule == "cosine" else None,
            average=self.ema_momentum,
            warp=warp,
            resumed=warm_start,
            approximate=True,
            by_keras="the network came compiled" if self._came_compiled else None,
        )
        self._fit_keras_model(
            rows,
            codes,
            sample_weight=weight,
            warm_start=warm_start,
            epochs=epochs,
            initial_epoch=initial_epoch,
            callbacks=stopping,
            training=training,
        )
        self.history_ = {name: [float(v) for v in each] for name, each in self.history_.items()}
        self.n_epochs_ = len(self.history_["loss"])
        self.best_epoch_ = stopping[0].best_epoch if stopping else self.n_epochs_ - 1
        if not np.isfinite(predict_rows(self.model_, rows[:1], self._description())).all():
            raise ValueError(
                "The training diverged: the network's probabilities are not finite. Lower "
                "learning_rate, or standardize X (make_model does)."
            )

    def _validate_data(
        self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = False
    ) -> tuple[NDArray[Any], Any]:
        """8-bit pixels as they are, everything else as float32; and the labels, if given."""
        if reset:
            self._validate_params()
        labels = None
        if y is None and not reset:
            rows = check_rows(self, X, reset=False)
        else:
            rows, labels = check_rows(self, X, y, reset=reset)
            self.X_shape_, self.X_dtype_ = rows.shape, rows.dtype
            self.y_dtype_, self.y_ndim_, self.target_type_ = labels.dtype, 1, "multiclass"
        check_scale(self, rows, reset=reset)
        return rows if rows.dtype == np.uint8 else as_float32(rows), labels

    def _validate_params(self) -> None:
        super()._validate_params()
        for n in self.hidden_units:
            check_scalar(n, "each of hidden_units", Integral, min_val=1)

    def _build_keras_model(self) -> Any:
        self._network = self._describe_network(self.n_features_in_, self.n_classes_)
        with layers_seeded(self._seed):
            return self._network.build()

    def _get_compile_kwargs(self) -> dict[str, Any]:
        from keras import metrics, optimizers

        entropy = metrics.SparseCategoricalCrossentropy(name="cross_entropy")
        return {
            "optimizer": optimizers.Adam(self.learning_rate),
            "loss": self.loss,
            "weighted_metrics": [entropy, "accuracy"],
        }

    def _early_stopping(self) -> Any:
        from keras.callbacks import EarlyStopping

        return EarlyStopping(
            # without the L2 penalty, if possible: it still falls after the best epoch
            monitor="val_loss" if self._came_compiled else "val_cross_entropy",
            mode="min",
            patience=self.patience,
            min_delta=self.min_delta,
            restore_best_weights=True,
        )

    # -- the network -------------------------------------------------------------------------------

    def _describe_network(self, n_features: int, n_classes: int) -> "Dense | Conv | _Built":
        """What builds the network, in ``fit`` and again after unpickling."""
        if self.build_fn is not None:
            return _Built(self.build_fn, n_features, n_classes)
        l2, dropout = float(self.l2), float(self.dropout)
        if self.architecture == "dense":
            units = tuple(int(n) for n in self.hidden_units)
            return Dense(n_features, n_classes, units, l2, dropout)
        height, width = resolve_shape(self.image_shape, n_features)
        if min(height, width) < LEAST_SIDE:
            raise ValueError(
                f"X must hold images of at least {LEAST_SIDE} by {LEAST_SIDE} pixels for "
                f"architecture='conv'. Got {height} by {width} instead. Use architecture='dense'."
            )
        return Conv(height, width, n_classes, l2, dropout)

    def _description(self) -> "Dense | Conv | None":
        """The network, if its code may be shared with others of the same description."""
        return None if isinstance(self._network, _Built) else self._network

    def _warp(self, n_features: int) -> Callable[..., Any] | None:
        amounts = (self.shift, self.rotation, self.stretch, self.bend, self.erase)
        if not any(amounts):
            return None
        shape = resolve_shape(self.image_shape, n_features)
        if min(shape) < 2:
            raise ValueError(
                f"X must hold images of at least 2 by 2 pixels to be warped. Got {shape} "
                "instead. Set shift, rotation, stretch, bend and erase to 0."
            )
        from mnist_models._warp_kernels import warp_rows

        return partial(warp_rows, image_shape=shape, amounts=amounts)

    def _restore(
        self,
        network: "Dense | Conv | _Built",
        classes: NDArray[Any],
        weights: Sequence[NDArray[Any]],
        history: dict[str, list[float]],
        best_epoch: int,
    ) -> None:
        """Become a fitted network, from what a file holds."""
        self._network, self.classes_, self.n_classes_ = network, classes, len(classes)
        self.history_, self.best_epoch_ = history, best_epoch
        self.n_epochs_ = len(history["loss"])
        self._seed, self._came_compiled = None, False
        self.model_ = _rebuild(network, weights)

    def __getstate__(self) -> dict[str, Any]:
        # Weights as arrays: Keras's own pickling runs its whole deserializer when it is loaded.
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = state["model_"].get_weights()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.get("model_")
        super().__setstate__({name: value for name, value in state.items() if name != "model_"})
        if weights is not None:
            # no error here: a pool that cannot unpickle a task hangs. The first use raises it.
            self.model_ = _rebuild(self._network, weights) if in_reach() else None


# -- architectures ---------------------------------------------------------------------------------

# The least side of an image for the convolutional network: the size of its first filters.
LEAST_SIDE = 5
# The least side for which no layer needs padding.
_UNPADDED_SIDE = 21
_FILTERS = (32, 64, 96, 128)


class Dense(NamedTuple):
    """A description of dense layers of rectified linear units, and a softmax."""

    n_features: int
    n_classes: int
    hidden_units: tuple[int, ...]
    l2: float
    dropout: float

    def build(self) -> Any:
        keras = start_keras()
        layers = [keras.Input((self.n_features,))]
        for units in self.hidden_units:
            layers.append(
                keras.layers.Dense(units, "relu", kernel_regularizer=keras.regularizers.L2(self.l2))
            )
            if self.dropout:
                layers.append(keras.layers.Dropout(self.dropout))
        layers.append(_softmax(self.n_classes, self.l2))
        return keras.Sequential(layers)

    def weight_shapes(self) -> list[tuple[int, ...]]:
        sizes = (self.n_features, *self.hidden_units, self.n_classes)
        return [shape for pair in pairwise(sizes) for shape in (pair, pair[1:])]


class Conv(NamedTuple):
    """A description of four convolutional layers with batch normalization, and a softmax.

    The first layer has a stride of 2, which makes the others four times faster. Images that are
    large enough are not padded. The input is normalized as a whole, so pixels may have any scale.
    """

    height: int
    width: int
    n_classes: int
    l2: float
    dropout: float

    def build(self) -> Any:
        keras = start_keras()
        first, second, third, fourth = _FILTERS
        edge = "same" if min(self.height, self.width) < _UNPADDED_SIDE else "valid"
        layers = [
            keras.Input((self.height * self.width,)),
            keras.layers.Reshape((self.height, self.width, 1)),
            keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False),
            *_convolution(first, LEAST_SIDE, self.l2, strides=2),
            *_convolution(second, 3, self.l2, padding=edge),
            *_convolution(third, 3, self.l2, padding=edge),
            keras.layers.MaxPooling2D(2, padding="same", data_format="channels_last"),
            *_convolution(fourth, 3, self.l2, padding=edge),
            keras.layers.Flatten(data_format="channels_last"),
        ]
        if self.dropout:
            layers.append(keras.layers.Dropout(self.dropout))
        layers.append(_softmax(self.n_classes, self.l2))
        return keras.Sequential(layers)

    def weight_shapes(self) -> list[tuple[int, ...]]:
        sides = (LEAST_SIDE, 3, 3, 3)
        shapes: list[tuple[int, ...]] = [(1,), (1,)]
        for side, (n_in, n_out) in zip(sides, pairwise((1, *_FILTERS)), strict=True):
            shapes += [(side, side, n_in, n_out), *[(n_out,)] * 4]
        lost = 0 if min(self.height, self.width) < _UNPADDED_SIDE else 2  # by a layer of 3 by 3
        n_positions = 1
        for pixels in (self.height, self.width):
            before_pooling = (pixels - LEAST_SIDE) // 2 + 1 - 2 * lost
            n_positions *= -(-before_pooling // 2) - lost
        return [*shapes, (n_positions * _FILTERS[-1], self.n_classes), (self.n_classes,)]


class _Built(NamedTuple):
    """A network that the user's ``build_fn`` builds."""

    build_fn: Callable[[int, int], Any]
    n_features: int
    n_classes: int

    def build(self) -> Any:
        keras = start_keras()
        model = self.build_fn(self.n_features, self.n_classes)
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"build_fn must return a keras.Model. Got {type(model).__name__} instead."
            )
        row = np.ones((1, self.n_features), dtype=np.float32)  # calling the model builds it, too
        found = np.asarray(model(row, training=False)).astype(np.float32)
        # a tolerance for bfloat16, which has 8 bits of precision
        if found.shape != (1, self.n_classes) or found.min() < 0 or abs(found.sum() - 1) > 2e-2:
            raise ValueError(
                f"build_fn must build a network that returns {self.n_classes} probabilities for a "
                f"row, as a softmax layer does. Got {found!r} instead."
            )
        return model


# With the cosine schedule, the share of all steps in which the learning rate rises.
_WARM_UP = 0.1


def _cosine(peak: float, n_steps: int) -> NDArray[np.float32]:
    """The learning rate of every step: linearly up to the peak (Goyal et al. 2017), then down."""
    done = (np.arange(n_steps) + 0.5) / n_steps
    rising, falling = done / _WARM_UP, (1 + np.cos(np.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2
    return np.asarray(peak * np.where(done < _WARM_UP, rising, falling), dtype=np.float32)


def _rebuild(network: Dense | Conv | _Built, weights: Sequence[NDArray[Any]]) -> Any:
    """Build the Keras model of a network, with the given weights."""
    with generators_kept():  # building draws initial weights
        model = network.build()
    model.set_weights(weights)
    return model


def _convolution(n: int, side: int, l2: float, **how: Any) -> list[Any]:
    import keras

    return [
        keras.layers.Conv2D(
            n,
            side,
            use_bias=False,
            kernel_regularizer=keras.regularizers.L2(l2),
            data_format="channels_last",
            **how,
        ),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.ReLU(),
    ]


def _softmax(n_classes: int, l2: float) -> Any:
    import keras

    return keras.layers.Dense(
        n_classes, activation="softmax", kernel_regularizer=keras.regularizers.L2(l2)
    )


# -- checks ----------------------------------------------------------------------------------------


def _check_weight(
    sample_weight: ArrayLike | None, class_weight: Any, labels: NDArray[Any]
) -> NDArray[np.float32]:
    """Each row's weight times that of its class; checked to be finite, nonnegative, not all 0."""
    weight = check_sample_weight(sample_weight, labels, dtype=np.float32)
    if class_weight is None:
        return weight
    with overflow_ignored():
        weight = (compute_sample_weight(class_weight, labels) * weight).astype(np.float32)
    if not (weight.min() >= 0 and 0 < weight.max() < np.inf):
        raise ValueError(
            "class_weight times sample_weight must be nonnegative, finite in float32 and not all "
            f"zero. Got values from {weight.min()} to {weight.max()} instead."
        )
    return weight


def _find_classes(labels: Any) -> NDArray[Any]:
    """The labels that occur, sorted; at least two."""
    labels = np.asarray(labels)
    check_classification_targets(labels)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(
            f"Classifier can't train when only one class is present: y holds only {classes[0]!r}, "
            "expected labels of at least two classes."
        )
    return classes


def _encode(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """The index of each label among the classes."""
    codes = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    if unknown := sorted(set(labels[classes[codes] != labels])):
        raise ValueError(f"y must hold labels of classes_ only. Got {some(unknown)} too.")
    return codes


def _hold_out(
    codes: NDArray[np.intp],
    weight: NDArray[np.float32],
    fraction: float,
    random_state: np.random.RandomState,
) -> NDArray[np.bool_]:
    """Choose a share of the rows of each class, at least one row but never all; True for these.

    Rows of weight 0 are not held out, as they would not count.
    """
    held_out = np.zeros(len(codes), dtype=bool)
    if fraction == 0:
        return held_out
    for code in range(codes.max() + 1):
        rows = np.flatnonzero((codes == code) & (weight > 0))
        size = min(len(rows) - 1, max(1, round(fraction * len(rows))))
        held_out[random_state.choice(rows, max(size, 0), replace=False)] = True
    return held_out
