"""The linear model and the network as plain data, and back."""

import math
from typing import Any

import numpy as np

from mnist_models._keras.networks import LEAST_SIDE, Conv, Dense, Own
from mnist_models._model_files.checks import (
    Arrays,
    count,
    decode_classes,
    encode_classes,
    require,
    take,
)
from mnist_models._network.input import check_parameters
from mnist_models.linear import LogisticRegression
from mnist_models.network import SequentialClassifier

# The longest side of images of a convolutional network: filters make some tens of numbers of every
# pixel, and two dozen images are predicted at a time.
_LONGEST_SIDE = 2**8


def encode_logistic(model: LogisticRegression) -> tuple[dict[str, Any], Arrays]:
    """Coefficients and labels."""
    arrays = {"coef": model.coef_, "intercept": model.intercept_, "n_iter": model.n_iter_}
    return encode_classes(model), arrays


def decode_logistic(model: LogisticRegression, settings: dict[str, Any], arrays: Arrays) -> None:
    """A row of coefficients for each class; a single row for two classes."""
    model.classes_ = decode_classes(settings)
    n_classes = len(model.classes_)
    n_rows = 1 if n_classes == 2 else n_classes
    model.coef_ = take(arrays, "coef", (n_rows, model.n_features_in_), np.floating)
    model.intercept_ = take(arrays, "intercept", (n_rows,), np.floating)
    model.n_iter_ = take(arrays, "n_iter", (1,), np.integer)


def encode_network(model: SequentialClassifier) -> tuple[dict[str, Any], Arrays]:
    """The layers' sizes and weights, and the history of training."""
    if model.build_fn is not None or isinstance(model._network, Own):
        raise TypeError(
            "A network built by build_fn is code, and a model is saved as plain data. "
            "Save model_.get_weights(), or pickle it for readers who trust you."
        )
    network: Any = model._network
    weights = {f"weight{i}": weight for i, weight in enumerate(model.model_.get_weights())}
    settings = {
        "network": {"kind": type(network).__name__.lower(), **network._asdict()},
        "history": model.history_,
        "best_epoch": model.best_epoch_,
    }
    return encode_classes(model) | settings, weights


def decode_network(model: SequentialClassifier, settings: dict[str, Any], arrays: Arrays) -> None:
    """A network whose layers and weights fit together."""
    check_parameters(model.get_params())
    classes = decode_classes(settings)
    network = _decode_layers(settings["network"], model.n_features_in_, len(classes))
    # shapes are compared with the arrays before a network of that size is built
    shapes = enumerate(network.weight_shapes())
    weights = [take(arrays, f"weight{i}", shape, np.float32) for i, shape in shapes]
    if isinstance(network, Conv):
        for variance in weights[1::5]:  # of the normalization, and of four filter layers
            require(bool((variance >= 0).all()), "a negative variance", "none below 0")
    history = {
        str(name): [float(v) for v in values] for name, values in settings["history"].items()
    }
    model.__setstate__(
        vars(model)
        | {
            "classes_": classes,
            "history_": history,
            "n_epochs_": len(history["loss"]),
            "best_epoch_": int(settings["best_epoch"]),
            "_network": network,
            "model_": weights,
        }
    )


def _decode_layers(layers: dict[str, Any], n_features: int, n_classes: int) -> Dense | Conv:
    l2, dropout = float(layers["l2"]), float(layers["dropout"])
    sound = 0 <= l2 < math.inf and 0 <= dropout < 1
    require(sound, f"l2 {l2} and dropout {dropout}", "l2 of at least 0 and dropout in [0, 1)")
    kind = layers["kind"]
    if kind == "dense":
        units = tuple(count(each, "hidden_units") for each in layers["hidden_units"])
        return Dense(n_features, n_classes, units, l2, dropout)
    require(kind == "conv", f"a network of kind {kind!r}", "one of ['dense', 'conv']")
    height, width = (count(layers[name], name, _LONGEST_SIDE) for name in ("height", "width"))
    sound = min(height, width) >= LEAST_SIDE and height * width == n_features
    expected = f"{n_features} pixels, a side at least {LEAST_SIDE}"
    require(sound, f"images of {height} by {width}", expected)
    return Conv(height, width, n_classes, l2, dropout)
