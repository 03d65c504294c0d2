"""A network's answers, by a compiled forward pass."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from mnist_models._keras.networks import Kept, Network, has_filters, make_of, twin_of
from mnist_models._keras.waking import load_keras, xla_refusals
from mnist_models._network.batches import filled_up

# Rows sent through the network at a time. Always as many, the last block filled up with zeros:
# vectorized kernels round the rows at a block's end otherwise than those before, so that in blocks
# as they come a row's probabilities would depend on the rows asked beside it. The number is one of
# those for which no row was seen to depend on its place in the block (32 is not).
_BLOCK = 24
# Blocks in one call, where there are as many: a call costs as much as a small network's block.
_BLOCKS_AT_ONCE = 64
_MOST_FEATURES = 8192  # of rows that go so many at a time, which then are 50 MB of float32

# What was compiled for each model, as long as it lives, and for the last few makes of them.
_forwards: "WeakKeyDictionary[Any, ForwardPass]" = WeakKeyDictionary()
_kept = Kept(32)


def answer(network: Network, model: Any, rows: NDArray[Any]) -> NDArray[np.float32]:
    """The probabilities of each class for each row, to the last bit whatever rows are beside it.

    Parameters
    ----------
    network : Network
        What built the model.
    model : keras.Model
        As it is now: its weights are read anew every time.
    rows : ndarray of numbers, shape (n, n_features)

    Returns
    -------
    ndarray of float32, shape (n, n_classes)
    """
    load_keras()  # which is an error where it would hang
    forward = _forward_of(network, model, rows.shape[1])
    variables = [each.value for each in model.weights]
    answers, start = [], 0
    while start < len(rows):
        many = len(rows) - start >= _BLOCK * _BLOCKS_AT_ONCE and rows.shape[1] <= _MOST_FEATURES
        size = _BLOCK * (_BLOCKS_AT_ONCE if many else 1)
        block = rows[start : start + size].astype(np.float32, copy=False)
        answers.append(forward(variables, filled_up(block, size))[: len(block)])
        start += size
    return np.concatenate(answers)


class ForwardPass:
    """The answers of all networks of one make, compiled: to one block of rows, or to many.

    Parameters
    ----------
    model : callable
        Returns a network of that make, whose layers are used, but not its weights; called as long
        as this lives.
    n_features : int
    """

    def __init__(self, model: Callable[[], Any], n_features: int) -> None:
        import tensorflow as tf

        self._model = model
        self._compiled: dict[int, Callable[..., Any]] = {}
        self.function = tf.function(self._answer, autograph=False, jit_compile=True)
        unfused = tf.function(self._answer, autograph=False)
        if has_filters(model()):
            self.function = unfused
            return
        try:
            zeros = np.zeros((_BLOCK, n_features), dtype=np.float32)
            self([each.value for each in model().weights], zeros)
        except xla_refusals():
            self.function, self._compiled = unfused, {}

    def __call__(self, variables: list[Any], X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answers to one block of rows, or to as many as go in one call."""
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
    """What was compiled for this model, or for another of its make."""
    forward: ForwardPass | None = _forwards.get(model)
    if forward is None:
        make = make_of(network, model)
        if make is None:
            forward = ForwardPass(ref(model), n_features)
        else:
            forward = _kept.take(make)
            if forward is None:
                twin = twin_of(network, model)
                forward = ForwardPass(lambda: twin, n_features)
            _kept.put(make, forward)
        _forwards[model] = forward
    return forward
