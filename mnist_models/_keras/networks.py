"""The networks there are: what describes one, as plain data, builds it."""

import json
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._keras.waking import generators_kept, load_keras

# The least side of an image that the convolutional network's first filters fit into.
LEAST_SIDE = 5
# The least that leaves a place for the last ones, if each layer keeps clear of the edge.
_ROOMY_SIDE = 21

# Layers that are told in full by their description and their weights.
_PLAIN_LAYERS = frozenset(
    """
    InputLayer Dense Conv2D DepthwiseConv2D SeparableConv2D BatchNormalization LayerNormalization
    Dropout SpatialDropout2D Activation ReLU LeakyReLU PReLU ELU Softmax Flatten Reshape Permute
    MaxPooling2D AveragePooling2D GlobalMaxPooling2D GlobalAveragePooling2D ZeroPadding2D
    """.split()  # noqa: SIM905
)
_FILTERS = (32, 64, 96, 128)


class Dense(NamedTuple):
    """Dense layers of rectified linear units, and a softmax."""

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
    """Four layers of filters, each normalized by batch, and a softmax over what they find.

    The first steps over every second pixel, which is most of the speed: all others see a quarter
    of the places. None reaches over the edge, where an image is large enough for that. What comes
    in is normalized as a whole, so that pixels may have any scale.
    """

    height: int
    width: int
    n_classes: int
    l2: float
    dropout: float

    def build(self) -> Any:
        keras = load_keras()
        first, second, third, fourth = _FILTERS
        edge = "same" if min(self.height, self.width) < _ROOMY_SIDE else "valid"
        layers = [
            keras.Input((self.height * self.width,)),
            keras.layers.Reshape((self.height, self.width, 1)),
            keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False),
            *_filters(first, LEAST_SIDE, self.l2, strides=2),
            *_filters(second, 3, self.l2, padding=edge),
            *_filters(third, 3, self.l2, padding=edge),
            keras.layers.MaxPooling2D(2, padding="same", data_format="channels_last"),
            *_filters(fourth, 3, self.l2, padding=edge),
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
        lost = 0 if min(self.height, self.width) < _ROOMY_SIDE else 2  # by each layer of 3 by 3
        places = 1
        for pixels in (self.height, self.width):
            before_maxima = (pixels - LEAST_SIDE) // 2 + 1 - 2 * lost
            places *= -(-before_maxima // 2) - lost
        return [*shapes, (places * _FILTERS[-1], self.n_classes), (self.n_classes,)]


class Own(NamedTuple):
    """A network of the caller's own."""

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


# What builds a network, now and after unpickling, whatever ``set_params`` does later.
Network = Dense | Conv | Own


def rebuild(network: Network, weights: Sequence[NDArray[Any]]) -> Any:
    """The Keras model of a network, with these weights."""
    with generators_kept():  # initial weights are drawn, and replaced
        model = network.build()
    model.set_weights(weights)
    return model


def make_of(network: Network, model: Any) -> Any:
    """What networks that compute alike, numbers aside, have in common; None if that is not known.

    Of a network of the caller's own it is Keras's description, where it is a plain sequence of
    layers that have no state but their weights and no code but Keras's: others may be described
    alike and compute something else.
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
    """Another model of the same make."""
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
    # a function knows its own module, any other object that of its type
    return known and all(str(each.__module__).startswith("keras.") for each in functions)


class Kept:
    """The last few things made for makes of networks, for the next network of the same make."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: list[tuple[Any, Any]] = []
        self._changing = threading.Lock()

    def take(self, key: Any) -> Any:
        """Take one out, for one thread alone; None if there is none."""
        with self._changing:
            for place, (each, thing) in reversed(list(enumerate(self._things))):
                if each == key:
                    del self._things[place]
                    return thing
        return None

    def put(self, key: Any, thing: Any) -> None:
        """Keep one, and let the oldest go."""
        with self._changing:
            self._things.append((key, thing))
            del self._things[: -self._most]


def has_filters(model: Any) -> bool:
    """Whether any layer, however deep, is a convolution: XLA is slow at these on processors."""
    inside = [*getattr(model, "layers", []), getattr(model, "layer", None)]
    return any(hasattr(layer, "kernel_size") or has_filters(layer) for layer in inside if layer)


def _filters(n: int, side: int, l2: float, **how: Any) -> list[Any]:
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
