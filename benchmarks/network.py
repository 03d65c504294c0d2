"""The network's training and answers, against Keras's own, scikeras and skorch."""

import itertools
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from benchmarks.digits import training_digits
from benchmarks.measure import Row, alternate
from mnist_models import SequentialClassifier, load_sample_digits

_EPOCHS = 10


def rows(quick: bool) -> Iterator[Row]:
    """Epochs, probabilities of one row and of many, and a search over many small fits."""
    pixels, labels = training_digits(quick)
    X, y = pixels.astype(np.float32) / 255, labels.astype(int)
    repeats = 1 if quick else 3
    for what, values in (("uint8", pixels), ("float32", X)):
        ours, theirs = _epochs(_ours(values, y)), _epochs(_keras(values, y))
        yield alternate(f"network, {_EPOCHS} epochs, {what} (v. Keras fit)", ours, theirs, repeats)
    if find_spec("skorch") and find_spec("torch"):
        ours, theirs = _epochs(_ours(X, y)), _epochs(_skorch(X, y))
        yield alternate(
            f"network, {_EPOCHS} epochs, float32 (v. skorch fit)", ours, theirs, repeats
        )
    yield from _answers(X, quick)
    yield _grid(quick)


def _ours(X: Any, y: Any) -> Callable[[int], object]:
    network = SequentialClassifier(validation_fraction=0, random_state=0)
    return lambda epochs: network.set_params(epochs=epochs).fit(X, y)


def _epochs(fit: Callable[[int], object]) -> Callable[[], object]:
    """A fit of some epochs, what compiling there is done before."""
    fit(1)
    return lambda: fit(_EPOCHS)


def _keras(X: Any, y: Any) -> Callable[[int], object]:
    from benchmarks.notebook import build

    model = build(l2=1e-3)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda epochs: model.fit(X, y, batch_size=128, epochs=epochs, verbose=0)


def _skorch(X: Any, y: Any) -> Callable[[int], object]:
    import torch
    from skorch import NeuralNetClassifier

    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise((784, 128, 64)):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    network = NeuralNetClassifier(
        torch.nn.Sequential(*layers, torch.nn.Linear(64, 10)),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=1e-3,
        batch_size=128,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )
    return lambda epochs: network.set_params(max_epochs=epochs).fit(X, y)


def _answers(X: Any, quick: bool) -> Iterator[Row]:
    network = SequentialClassifier(epochs=1, random_state=0)
    network.fit(X[:1000], np.arange(len(X[:1000])) % 10)
    for n in (1, min(len(X), 14_000)):
        yield alternate(
            f"network, probabilities of {n:,} rows (v. Keras predict)",
            lambda n=n: network.predict_proba(X[:n]),  # type: ignore[misc]
            lambda n=n: network.model_.predict(X[:n], verbose=0),  # type: ignore[misc]
            1 if quick else 15,
            calls=20 if n == 1 else 1,
        )


def _grid(quick: bool) -> Row:
    from benchmarks.notebook import network

    digits = load_sample_digits()
    n_rows, n_folds = (300, 2) if quick else (len(digits), 5)
    X, y = digits.data[:n_rows].astype(np.float32) / 255, digits.target[:n_rows]
    units = [(16,)] if quick else [(32,), (64,), (128,), (64, 32), (128, 64)]
    penalties, rates = ([1e-3], [1e-3]) if quick else ([1e-4, 1e-3, 1e-2], [1e-3, 3e-3])
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    ours = {"hidden_units": units, "l2": penalties, "learning_rate": rates}
    theirs = {
        "model__hidden_units": units,
        "model__l2": penalties,
        "optimizer__learning_rate": rates,
    }
    scikeras = network(model__hidden_units=(128, 64), model__l2=1e-3, optimizer="adam")
    searches = (
        GridSearchCV(SequentialClassifier(random_state=0), ours, cv=folds),
        GridSearchCV(scikeras, theirs, cv=folds),
    )
    n_settings = len(units) * len(penalties) * len(rates)
    return alternate(
        f"network, grid of {n_settings} by {n_folds} folds (v. scikeras)",
        lambda: searches[0].fit(X, y).best_score_,
        lambda: searches[1].fit(X, y).best_score_,
        1,
        lambda ours, theirs: f"best accuracy {ours:.4f} v. {theirs:.4f}",
    )
