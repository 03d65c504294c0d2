"""scikeras's ``KerasClassifier``, right under today's scikit-learn and trained by compiled loops.

Importing this module imports scikeras, and with it TensorFlow.
"""

from copy import deepcopy
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, Tags, compute_sample_weight
from sklearn.utils.validation import _check_feature_names, _check_n_features, check_is_fitted

from mnist_models._keras_start import quiet_start, seeded
from mnist_models._keras_training import FastModel, Training
from mnist_models._validation import RestoredOnError

with quiet_start():
    import keras
    import scikeras.wrappers


class KerasClassifier(scikeras.wrappers.KerasClassifier):
    """The ``KerasClassifier`` of scikeras: the same parameters, several times faster, and mended.

    Parameters, attributes and methods are those of ``scikeras.wrappers.KerasClassifier``: change
    the import, and nothing else. Compiled functions that take dozens of batches per call train the
    model and make its predictions. Where they would not compute the same as Keras's own ``fit`` and
    ``predict``, these run; ``verbose`` prints why.

    Parameters
    ----------
    model : callable or keras.Model, default=None
        Returns a Keras model; its arguments are ``meta``, ``compile_kwargs`` and parameters named
        ``model__...``.
    build_fn : callable or keras.Model, default=None
        The old name of ``model``.
    warm_start : bool, default=False
        Whether ``fit`` goes on with the model of the last ``fit``.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, dropout and the order of the rows. NumPy's and Python's generators
        are restored, and TensorFlow's op determinism is not switched on.
    optimizer, loss, metrics : str, object, class, or list or dict of them
        What the model is compiled with, unless it is compiled already. By default ``"rmsprop"``,
        and no loss and metrics.
    batch_size : int, default=None
        Rows per step; None for 32, -1 for all rows.
    validation_batch_size : int, default=None
        Rows per step of validation.
    verbose : int, default=1
        Keras's; no progress is shown of predictions that are made at once.
    callbacks : list, dict, object, class or callable, default=None
        Callbacks; or a function without arguments that returns a list of new ones for every
        ``fit``, as a callback that has been through one fit carries its state into the next.
    validation_split : float, default=0.0
        The share of the rows, the last ones, that the model is validated with.
    shuffle : bool, default=True
        Whether rows come in another order in every epoch.
    run_eagerly : bool, default=False
        Whether Keras runs the model without compiling it.
    epochs : int, default=1
        Passes over the rows.
    class_weight : dict of label to float, "balanced" or None, default=None
        Weight of each class in the loss, multiplied by ``sample_weight``.
    **kwargs
        Parameters routed by their prefix: ``model__``, ``fit__``, ``compile__``, ``predict__``,
        ``optimizer__``, ``loss__``, ``metrics__`` and ``callbacks__``.

    See Also
    --------
    SequentialClassifier : A network for images, with early stopping.

    Notes
    -----
    Importing scikeras changes how all Keras models of the process are pickled and deep-copied.

    Examples
    --------
    >>> import keras
    >>> from mnist_models import KerasClassifier, load_sample_digits
    >>> def build(meta):
    ...     inputs = keras.Input((meta["n_features_in_"],))
    ...     outputs = keras.layers.Dense(meta["n_classes_"], activation="softmax")
    ...     return keras.Sequential([inputs, outputs])
    >>> X_train, X_test, y_train, y_test = load_sample_digits().split()
    >>> classifier = KerasClassifier(
    ...     build, loss="sparse_categorical_crossentropy", epochs=10, random_state=0, verbose=0
    ... )
    >>> classifier.fit(X_train / 255, y_train).score(X_test / 255, y_test) > 0.8
    True
    """

    _routing_prefixes = scikeras.wrappers.KerasClassifier._routing_prefixes | {"callbacks"}
    classes_: Any
    model_: Any
    loss: Any
    callbacks: Any
    _seed: int | None

    __repr__ = BaseEstimator.__repr__  # scikeras's takes a line for each parameter

    def __sklearn_tags__(self) -> Tags:
        # scikeras's mixins are in the wrong order for these to say that it is a classifier
        tags = super().__sklearn_tags__()
        tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.classifier_tags.poor_score = tags.target_tags.required = True
        tags.input_tags.sparse = tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> Self:
        """Build and train a model, or go on training with ``warm_start``.

        Parameters
        ----------
        X : array-like, shape (n_samples, ...)
            Rows of any shape that the model takes.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Labels.
        sample_weight : array-like of float, shape (n_samples,), default=None
            Weight of each row in the loss; None gives every row 1.
        **kwargs
            Arguments for Keras's ``fit``, for this call only.

        Returns
        -------
        self : KerasClassifier
            The same object, fitted.
        """
        with RestoredOnError(self):
            self.classes_ = None
            # past scikeras's method, which multiplies the caller's weights in place
            scikeras.wrappers.BaseWrapper.fit(self, X, y, sample_weight, **kwargs)
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, **kwargs: Any
    ) -> Self:
        """Train for one more epoch.

        Parameters
        ----------
        X : array-like, shape (n_samples, ...)
            Rows of any shape that the model takes.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Labels.
        classes : array-like, shape (n_classes,), default=None
            All labels there will be; needed in the first call if y lacks some.
        sample_weight : array-like of float, shape (n_samples,), default=None
            As for :meth:`fit`.
        **kwargs
            As for :meth:`fit`.

        Returns
        -------
        self : KerasClassifier
            The same object, trained further.
        """
        with RestoredOnError(self):
            self.classes_ = getattr(self, "classes_", None) if classes is None else classes
            scikeras.wrappers.BaseWrapper.partial_fit(self, X, y, sample_weight, **kwargs)
        return self

    def predict_proba(self, X: Any, **kwargs: Any) -> Any:
        """The probability of each class for each row.

        Parameters
        ----------
        X : array-like, shape (n_samples, ...)
            Rows of the shape that the model was fitted on.
        **kwargs
            Arguments for Keras's ``predict``, for this call only.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_classes)
            Columns in the order of ``classes_``; for several outputs a list of such arrays.
        """
        outputs = self._predict_raw(X, **kwargs)
        probabilities = self.target_encoder_.inverse_transform(outputs, return_proba=True)
        if isinstance(outputs, np.ndarray) and len(outputs) == 1:
            return probabilities.reshape(1, -1)  # scikeras drops the dimension of one row
        return probabilities

    # -- scikeras's hooks --------------------------------------------------------------------------

    @property
    def _random_state(self) -> None:
        """No seed, so that scikeras leaves the generators and TensorFlow's determinism alone."""

    @_random_state.setter
    def _random_state(self, seed: Any) -> None:
        pass

    def _initialize(self, X: Any, y: Any = None) -> Any:
        self._seed = self.random_state
        if isinstance(self._seed, np.random.RandomState):  # of which scikeras always makes 0
            self._seed = int(deepcopy(self._seed).randint(np.iinfo(np.int32).max))
        return super()._initialize(X, y)

    def _validate_data(
        self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = False
    ) -> Any:
        if X is not None:
            _check_feature_names(self, X, reset=reset)
            if getattr(X, "ndim", 1) > 1:
                _check_n_features(self, X, reset=reset)
        return super()._validate_data(X, y, reset=reset, y_numeric=y_numeric)

    def _build_keras_model(self) -> Any:
        with seeded(self._seed):
            return super()._build_keras_model()

    def _get_compile_kwargs(self) -> dict[str, Any]:
        # Keras now makes an object of the name of a class, for which scikeras takes no parameters
        loss = keras.tree.map_structure(
            lambda loss: getattr(keras.losses, loss, loss) if isinstance(loss, str) else loss,
            self.loss,
        )
        return super(KerasClassifier, self._with(loss=loss))._get_compile_kwargs()

    def _check_model_compatibility(self, y: Any) -> None:
        if hasattr(self.model_, "outputs"):  # which models of one's own class lack
            super()._check_model_compatibility(y)

    def _initialize_callbacks(self) -> None:
        given = self.callbacks
        if _makes_callbacks(given):
            self.callbacks = None  # they are made in each fit
        try:
            super()._initialize_callbacks()
        finally:
            self.callbacks = given

    def _fit(self, X: Any, y: Any, sample_weight: Any, **how: Any) -> None:
        if self.class_weight is not None:
            weight = compute_sample_weight(self.class_weight, y)
            sample_weight = weight if sample_weight is None else weight * np.asarray(sample_weight)
        super()._fit(X, y, sample_weight, **how)

    def _fit_keras_model(
        self, X: Any, y: Any, *, callbacks: Any = (), training: Any = None, **how: Any
    ) -> None:
        # scikeras drops the callbacks that fit was given
        callbacks = keras.tree.flatten(callbacks)
        if _makes_callbacks(self.callbacks):
            callbacks += self.callbacks()
        model = self.model_
        self.model_ = FastModel(model, training or Training(self._seed), callbacks)
        try:
            super()._fit_keras_model(X, y, **how)
        finally:
            self.model_ = model

    def _predict_raw(self, X: Any, **kwargs: Any) -> Any:
        check_is_fitted(self, "model_")
        asked = self._with(model_=FastModel(self.model_))
        return super(KerasClassifier, asked)._predict_raw(X, **kwargs)

    def _with(self, **attributes: Any) -> Self:
        """A shallow copy with other attributes: other threads may ask this object meanwhile."""
        other = object.__new__(type(self))
        other.__dict__ = vars(self) | attributes
        return other


def _makes_callbacks(callbacks: Any) -> bool:
    return callable(callbacks) and not isinstance(callbacks, type)
