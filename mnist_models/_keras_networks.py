"""The networks there are: what describes one, as plain data, builds it."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from numpy.typing import NDArray

from mnist_models._keras import generators_kept, load_keras

# The least side of an image that the convolutional network's first filters fit into.
LEAST_SIDE = 5
_FILTERS = (32, 64, 64, 64)


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
    of the places. What comes in is normalized as a whole, so that pixels may have any scale.
    """

    height: int
    width: int
    n_classes: int
    l2: float
    dropout: float

    def build(self) -> Any:
        keras = load_keras()
        first, second, third, fourth = _FILTERS
        layers = [
            keras.Input((self.height * self.width,)),
            keras.layers.Reshape((self.height, self.width, 1)),
            keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False),
            *_filters(first, LEAST_SIDE, self.l2, strides=2, padding="valid"),
            *_filters(second, 3, self.l2, padding="same"),
            keras.layers.MaxPooling2D(2, padding="same"),
            *_filters(third, 3, self.l2, padding="same"),
            *_filters(fourth, 3, self.l2, padding="same"),
            keras.layers.MaxPooling2D(2, padding="same"),
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
        places = 1
        for pixels in (self.height, self.width):
            after_first = (pixels - LEAST_SIDE) // 2 + 1
            places *= -(-after_first // 4)  # halved twice, rounded up
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
