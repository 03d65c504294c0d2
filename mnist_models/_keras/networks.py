"""Descriptions of networks as plain data, which build the Keras models."""

import json
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._keras.waking import generators_kept, load_keras

# The least side of an image for the convolutional network: the size of its first filters.
LEAST_SIDE = 5
# The least side for which no layer needs padding.
_UNPADDED_SIDE = 21

# Layers that are fully determined by their configuration and their weights.
_PLAIN_LAYERS = frozenset(
    """
    InputLayer Dense Conv2D DepthwiseConv2D SeparableConv2D BatchNormalization LayerNormalization
    Dropout SpatialDropout2D Activation ReLU LeakyReLU PReLU ELU Softmax Flatten Reshape Permute
    MaxPooling2D AveragePooling2D GlobalMaxPooling2D GlobalAveragePooling2D ZeroPadding2D
    """.split()  # noqa: SIM905
)
_FILTERS = (32, 64, 96, 128)


class Dense(NamedTuple):
    """A description of dense layers of rectified linear units, and a softmax."""

    n_features: int
    n_classes: int
    hidden_units: tuple[int, ...]
    l2: float
    dropout: float

    def build(self) -> Any:
        keras = load_keras()
        layers = [keras.Input((self.n_features,))]
        for units in self.hidden_units:
            layers.append(keras.layers.Dense(units, "relu", kernel_regularizer=_penalty(self.l2)))
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
        keras = load_keras()
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


class Own(NamedTuple):
    """A description of a network built by the user's ``build_fn``."""

    build_fn: Callable[[int, int], Any]
    n_features: int
    n_classes: int

    def build(self) -> Any:
        keras = load_keras()
        model = self.build_fn(self.n_features, self.n_classes)
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"build_fn must return a keras.Model. Got {type(model).__name__} instead."
            )
        if not model.built:
            model(np.zeros((1, self.n_features), dtype=np.float32), training=False)
        return model


Network = Dense | Conv | Own


def rebuild(network: Network, weights: Sequence[NDArray[Any]]) -> Any:
    """Build the Keras model of a network, with the given weights."""
    with generators_kept():  # building draws initial weights
        model = network.build()
    model.set_weights(weights)
    return model


def compile_key(network: Network, model: Any) -> Any:
    """A key that networks have in common if they can share compiled code; None if that is unsure.

    They may differ in weights and L2 penalty. The key of a network from ``build_fn`` is Keras's
    configuration of it, provided that it is a plain sequence of layers with no state but their
    weights and no code but Keras's: others may have equal configurations and compute other things.
    """
    import keras

    if not isinstance(network, Own):
        return network._replace(l2=1.0), keras.config.dtype_policy().name, keras.config.floatx()
    if type(model) is not keras.Sequential or not all(map(_is_plain, model.layers)):
        return None
    layers = [(type(each).__name__, each.get_config() | {"name": ""}) for each in model.layers]
    trainable = [variable.trainable for variable in model.variables]
    return json.dumps([model.input_shape, layers, trainable])


def twin_of(network: Network, model: Any) -> Any:
    """Another model with the same ``compile_key``."""
    with generators_kept():
        if not isinstance(network, Own):
            return network._replace(l2=1.0).build()
        twin = load_keras().models.clone_model(model)
    for there, here in zip(twin.variables, model.variables, strict=True):
        there.trainable = here.trainable
    return twin


def _is_plain(layer: Any) -> bool:
    known = type(layer).__module__.startswith("keras.") and type(layer).__name__ in _PLAIN_LAYERS
    functions = [each for each in vars(layer).values() if callable(each)]
    # the module of a function is its own, that of any other object is its type's
    return known and all(str(each.__module__).startswith("keras.") for each in functions)


class Pool:
    """The objects that were put here last, each to be taken out again by its key."""

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._items: list[tuple[Any, Any]] = []
        self._lock = threading.Lock()

    def take(self, key: Any) -> Any:
        """Take out the latest object with the key, for this thread alone; None if there is none."""
        with self._lock:
            for index, (each, item) in reversed(list(enumerate(self._items))):
                if each == key:
                    del self._items[index]
                    return item
        return None

    def put(self, key: Any, item: Any) -> None:
        """Keep an object; drop the oldest one if there are too many."""
        with self._lock:
            self._items.append((key, item))
            del self._items[: -self._max_items]


def has_convolutions(model: Any) -> bool:
    """Whether any layer, however deep, is a convolution: XLA is slow at these on CPUs."""
    layers = [*getattr(model, "layers", []), getattr(model, "layer", None)]
    return any(hasattr(each, "kernel_size") or has_convolutions(each) for each in layers if each)


def _convolution(n: int, side: int, l2: float, **how: Any) -> list[Any]:
    import keras

    return [
        keras.layers.Conv2D(
            n,
            side,
            use_bias=False,
            kernel_regularizer=_penalty(l2),
            data_format="channels_last",
            **how,
        ),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.ReLU(),
    ]


def _softmax(n_classes: int, l2: float) -> Any:
    import keras

    return keras.layers.Dense(n_classes, activation="softmax", kernel_regularizer=_penalty(l2))


def _penalty(l2: float) -> Any:
    import keras

    return keras.regularizers.L2(l2)
