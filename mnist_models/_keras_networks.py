"""The networks there are: what describes one, as plain data, builds it."""

import json
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from types import FunctionType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from mnist_models._keras import generators_kept, load_keras

# The least side of an image that the convolutional network's first filters fit into.
LEAST_SIDE = 5
# The least that leaves a place for the last ones, if each layer keeps clear of the edge.
_ROOMY_SIDE = 21
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
            keras.layers.MaxPooling2D(2, padding="same"),
            *_filters(fourth, 3, self.l2, padding=edge),
            keras.layers.Flatten(),
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
            model.build((None, self.n_features))
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

    Of a network of the caller's own it is Keras's description, as far as Keras alone wrote the
    layers: any other code may be described alike and compute something else.
    """
    if not isinstance(network, Own):
        return network._replace(l2=1.0)
    if not _is_keras_alone(model):
        return None
    with warnings.catch_warnings():  # that a lambda is unsafe to load: nothing is loaded
        warnings.simplefilter("ignore", UserWarning)
        description = json.loads(model.to_json())
    description.pop("compile_config", None)
    for part in _parts(description):
        if str(part["module"]).split(".")[0] != "keras" or part["class_name"] == "Lambda":
            return None
        if part["module"] == "keras.layers" or part is description:
            part["config"]["name"] = None  # which Keras numbers through the whole process
    return json.dumps(description)


def twin_of(network: Network, model: Any) -> Any:
    """Another model of the same make."""
    with generators_kept():
        if isinstance(network, Own):
            return load_keras().models.clone_model(model)
        return network._replace(l2=1.0).build()


class Kept:
    """The last few things made for a make of network, for the next network of that make."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[Any, Any] = OrderedDict()
        self._changing = threading.Lock()

    def take(self, key: Any) -> Any:
        """Take it out, for one thread alone; None if it is not there."""
        with self._changing:
            return self._things.pop(key, None)

    def put(self, key: Any, thing: Any) -> None:
        """Keep it, and let the oldest go."""
        with self._changing:
            self._things[key] = thing
            while len(self._things) > self._most:
                self._things.popitem(last=False)


def _is_keras_alone(thing: Any) -> bool:
    """Whether all code in a layer, and in the layers within it, is Keras's own."""
    import keras

    if isinstance(thing, FunctionType):
        return thing.__module__.startswith("keras.")
    if isinstance(thing, list | tuple):
        return all(_is_keras_alone(each) for each in thing)
    if not isinstance(thing, keras.layers.Layer):
        return True  # or so described that it is found out
    known = type(thing).__module__.startswith("keras.")
    return known and all(_is_keras_alone(each) for each in vars(thing).values())


def _parts(description: Any) -> Iterator[dict[str, Any]]:
    """Every object in Keras's description of one, itself first."""
    if isinstance(description, dict) and "class_name" in description:
        yield description
    if isinstance(description, dict | list):
        for each in description.values() if isinstance(description, dict) else description:
            yield from _parts(each)


def has_filters(model: Any) -> bool:
    """Whether any layer, however deep, is a convolution: XLA is slow at these on processors."""
    layers = getattr(model, "layers", [])
    return any(hasattr(layer, "kernel_size") or has_filters(layer) for layer in layers)


def _filters(n: int, side: int, l2: float, **how: Any) -> list[Any]:
    import keras

    return [
        keras.layers.Conv2D(n, side, use_bias=False, kernel_regularizer=_penalty(l2), **how),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.ReLU(),
    ]


def _softmax(n_classes: int, l2: float) -> Any:
    import keras

    return keras.layers.Dense(n_classes, activation="softmax", kernel_regularizer=_penalty(l2))


def _penalty(l2: float) -> Any:
    import keras

    return keras.regularizers.L2(l2)
