"""The linear model and the network as plain data, and back."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from mnist_models._keras import build_dense
from mnist_models._network_input import check_parameters
from mnist_models._part_checks import Arrays, count, decode_classes, encode_classes, take
from mnist_models.linear import LogisticRegression
from mnist_models.network import SequentialClassifier


def encode_logistic(model: LogisticRegression) -> tuple[dict[str, Any], Arrays]:
    """Coefficients and labels."""
    arrays = {"coef": model.coef_, "intercept": model.intercept_, "n_iter": model.n_iter_}
    return encode_classes(model), arrays


def decode_logistic(model: LogisticRegression, settings: dict[str, Any], arrays: Arrays) -> None:
    """A row of coefficients for each class; one row for two."""
    model.classes_ = decode_classes(settings)
    n_classes = len(model.classes_)
    n_rows = 1 if n_classes == 2 else n_classes
    model.coef_ = take(arrays, "coef", (n_rows, model.n_features_in_), np.floating)
    model.intercept_ = take(arrays, "intercept", (n_rows,), np.floating)
    model.n_iter_ = take(arrays, "n_iter", (1,), np.integer)


def encode_network(model: SequentialClassifier) -> tuple[dict[str, Any], Arrays]:
    """The layers' sizes and weights, and how training went."""
    if model.build_fn is not None:
        raise TypeError(
            "A network built by build_fn is code, and a model is saved as plain data. "
            "Save model_.get_weights(), or pickle it for readers who trust you."
        )
    spec = model._builder.keywords
    weights = {f"weight{i}": weight for i, weight in enumerate(model.model_.get_weights())}
    told = {"spec": spec, "history": model.history_, "best_epoch": model.best_epoch_}
    return encode_classes(model) | told, weights


def decode_network(model: SequentialClassifier, settings: dict[str, Any], arrays: Arrays) -> None:
    """A network of layers whose weights are all there."""
    check_parameters(model.get_params())
    classes = decode_classes(settings)
    units = [count(each, "hidden_units") for each in settings["spec"]["hidden_units"]]
    sizes = [model.n_features_in_, *units, len(classes)]
    # the shapes are checked against the arrays that came, before a network of that size is built
    shapes = [shape for pair in pairwise(sizes) for shape in (pair, pair[1:])]
    weights = [take(arrays, f"weight{i}", shape, np.float32) for i, shape in enumerate(shapes)]
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
            "_builder": partial(
                build_dense,
                n_features=model.n_features_in_,
                n_classes=len(classes),
                hidden_units=tuple(units),
                l2=float(settings["spec"]["l2"]),
                dropout=float(settings["spec"]["dropout"]),
            ),
            "model_": weights,
        }
    )
