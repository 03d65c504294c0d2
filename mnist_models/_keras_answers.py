"""A network's answers, by a compiled forward pass."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from numpy.typing import NDArray

from mnist_models._batches import filled_up
from mnist_models._keras import xla_refusals
from mnist_models._keras_networks import Kept, Network, has_filters, make_of, twin_of

# Rows sent through the network at a time. Always as many, the last block filled up with zeros:
# vectorized kernels round the rows at a block's end otherwise than those before, so that in blocks
# as they come a row's probabilities would depend on the rows asked beside it. The number is one of
# those for which no row was seen to depend on its place in the block (32 is not).
_BLOCK = 24
# Blocks in one call, where there are as many: a call costs as much as a small network's block.
_BLOCKS_AT_ONCE = 64

# What was compiled for each model, as long as it lives, and for the last few makes of them.
_forwards: "WeakKeyDictionary[Any, Callable[..., Any]]" = WeakKeyDictionary()
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
    forward = _forward_of(network, model, rows.shape[1])
    weights = [each.value.read_value() for each in model.weights]
    answers, start = [], 0
    while start < len(rows):
        many = len(rows) - start >= _BLOCK * _BLOCKS_AT_ONCE
        size = _BLOCK * (_BLOCKS_AT_ONCE if many else 1)
        block = rows[start : start + size].astype(np.float32, copy=False)
        answers.append(forward(weights, filled_up(block, size)).numpy()[: len(block)])
        start += size
    return np.concatenate(answers)


def _forward_of(network: Network, model: Any, n_features: int) -> Callable[..., Any]:
    """What was compiled for this model, or for another of its make."""
    forward: Callable[..., Any] | None = _forwards.get(model)
    if forward is None:
        make = make_of(network, model)
        if make is None:
            forward = _compile_forward(ref(model), n_features)
        else:
            forward = _kept.take(make)
            if forward is None:
                twin = twin_of(network, model)
                forward = _compile_forward(lambda: twin, n_features)
            _kept.put(make, forward)
        _forwards[model] = forward
    return forward


def _compile_forward(model: Callable[[], Any], n_features: int) -> Callable[..., Any]:
    """A function of a network's weights, and of one block of rows or many."""
    import keras
    import tensorflow as tf

    def forward(weights: Any, X: Any) -> Any:
        net = model()

        def block(rows: Any) -> Any:
            return net(rows, training=False)

        with keras.StatelessScope(state_mapping=zip(net.weights, weights, strict=True)):
            if X.shape[0] == _BLOCK:
                return block(X)
            blocks = tf.reshape(X, [-1, _BLOCK, X.shape[1]])
            answers = tf.map_fn(block, blocks, fn_output_signature=tf.float32)
            return tf.reshape(answers, [X.shape[0], -1])

    plain = tf.function(forward, autograph=False)
    if has_filters(model()):
        return plain
    fused = tf.function(forward, autograph=False, jit_compile=True)
    weights = [each.value.read_value() for each in model().weights]
    try:
        fused(weights, np.zeros((_BLOCK, n_features), dtype=np.float32))
    except xla_refusals():
        return plain
    return fused
