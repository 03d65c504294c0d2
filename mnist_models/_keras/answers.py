"""The predictions of a network, by a compiled forward pass."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from mnist_models._keras.networks import Network, Pool, compile_key, has_convolutions, twin_of
from mnist_models._keras.waking import load_keras, xla_refusals
from mnist_models._network.batches import zero_padded

# Rows sent through the network at a time; the last block is padded with zeros. Vectorized kernels
# round the last rows of a block differently, so with blocks of varying size a row's probabilities
# would depend on the rows predicted with it. With 24 rows, unlike with 32, no row was found to
# depend on its position in the block.
_BLOCK = 24
# Blocks in one call, if there are that many: a call takes as long as a block of a small network.
_BLOCKS_AT_ONCE = 64
_MOST_FEATURES = 8192  # the most for that many blocks in a call, which are then 50 MB of float32

# The compiled function of each model that is alive, and those used last, by their compile_key.
_forwards: "WeakKeyDictionary[Any, ForwardPass]" = WeakKeyDictionary()
_shared_forwards = Pool(32)


def answer(network: Network, model: Any, rows: NDArray[Any]) -> NDArray[np.float32]:
    """The probability of each class for each row, independent of the other rows to the last bit.

    Parameters
    ----------
    network : Network
        The description that built the model.
    model : keras.Model
        Its current weights are used.
    rows : ndarray of numbers, shape (n, n_features)
        At least one row.

    Returns
    -------
    ndarray of float32, shape (n, n_classes)
    """
    load_keras()  # raises where TensorFlow would hang
    forward = _forward_of(network, model, rows.shape[1])
    variables = [each.value for each in model.weights]
    answers, start = [], 0
    while start < len(rows):
        many = len(rows) - start >= _BLOCK * _BLOCKS_AT_ONCE and rows.shape[1] <= _MOST_FEATURES
        size = _BLOCK * (_BLOCKS_AT_ONCE if many else 1)
        block = rows[start : start + size].astype(np.float32, copy=False)
        answers.append(forward(variables, zero_padded(block, size))[: len(block)])
        start += size
    return np.concatenate(answers)


class ForwardPass:
    """The forward pass of all networks with one ``compile_key``, compiled for one or many blocks.

    Parameters
    ----------
    model : callable
        Returns a network with that key, whose layers are used, but not its weights.
    n_features : int
    """

    def __init__(self, model: Callable[[], Any], n_features: int) -> None:
        import tensorflow as tf

        self._model = model
        self._compiled: dict[int, Callable[..., Any]] = {}
        self.function = tf.function(self._answer, autograph=False, jit_compile=True)
        unfused = tf.function(self._answer, autograph=False)
        if has_convolutions(model()):
            self.function = unfused
            return
        try:
            zeros = np.zeros((_BLOCK, n_features), dtype=np.float32)
            self([each.value for each in model().weights], zeros)
        except xla_refusals():
            self.function, self._compiled = unfused, {}

    def __call__(self, variables: list[Any], X: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probabilities for one block of rows, or for ``_BLOCKS_AT_ONCE``."""
        import tensorflow as tf

        rows = tf.convert_to_tensor(X)
        if len(X) not in self._compiled:
            self._compiled[len(X)] = self.function.get_concrete_function(variables, rows)
        answers: NDArray[np.float32] = self._compiled[len(X)](variables, rows).numpy()
        return answers

    def _answer(self, variables: Any, X: Any) -> Any:
        import keras
        import tensorflow as tf

        model = self._model()

        def block(rows: Any) -> Any:
            return tf.cast(model(rows, training=False), tf.float32)

        values = [tf.convert_to_tensor(each) for each in variables]
        with keras.StatelessScope(state_mapping=zip(model.weights, values, strict=True)):
            if X.shape[0] == _BLOCK:
                return block(X)
            blocks = tf.reshape(X, [-1, _BLOCK, X.shape[1]])
            answers = tf.map_fn(block, blocks, fn_output_signature=tf.float32)
            return tf.reshape(answers, [X.shape[0], -1])


def _forward_of(network: Network, model: Any, n_features: int) -> ForwardPass:
    """The forward pass compiled for this model, or for another with the same key."""
    forward: ForwardPass | None = _forwards.get(model)
    if forward is None:
        key = compile_key(network, model)
        if key is None:
            forward = ForwardPass(ref(model), n_features)
        else:
            forward = _shared_forwards.take(key)
            if forward is None:
                twin = twin_of(network, model)
                forward = ForwardPass(lambda: twin, n_features)
            _shared_forwards.put(key, forward)
        _forwards[model] = forward
    return forward
