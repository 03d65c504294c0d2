"""The digits that are measured on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models import fetch_mnist, load_sample_digits
from mnist_models.exceptions import DatasetUnavailableError

Pixels = NDArray[np.uint8]
Labels = NDArray[Any]


def training_digits(quick: bool) -> tuple[Pixels, Labels]:
    """The report's 56,000; the embedded digits, over and over, where MNIST is not at hand."""
    X_train, _, y_train, _ = report_split(quick)
    return X_train, y_train


def report_split(quick: bool) -> tuple[Pixels, Pixels, Labels, Labels]:
    """The report's 56,000 and 14,000, or what there is in their place: X, X_test, y, y_test."""
    digits = load_sample_digits()
    if quick:
        return digits.data[:600], digits.data[600:800], digits.target[:600], digits.target[600:800]
    try:
        return fetch_mnist(download_if_missing=False).split("classic")
    except DatasetUnavailableError:
        X, X_test, y, y_test = digits.split()
        return np.tile(X, (39, 1)), np.tile(X_test, (39, 1)), np.tile(y, 39), np.tile(y_test, 39)


def shifted(X: Pixels, y: Labels, n: int) -> tuple[Pixels, Labels]:
    """At least n rows: the images, then the images moved by a pixel each way, and so on."""
    side = round(X.shape[1] ** 0.5)
    images = X.reshape(-1, side, side)
    moves = [(down, across) for down in range(-2, 3) for across in range(-2, 3)]
    moves.sort(key=lambda move: abs(move[0]) + abs(move[1]))
    copies = -(-n // len(X))
    moved = [np.roll(images, move, axis=(1, 2)).reshape(len(X), -1) for move in moves[:copies]]
    return np.concatenate(moved)[:n], np.tile(y, copies)[:n]
