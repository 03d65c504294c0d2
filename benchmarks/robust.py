"""Accuracy under corruption: the official test digits moved, turned, blurred, on other paper.

``python -m benchmarks.robust`` fits every model on the official 60,000 and prints a row for each
corruption. Beside ours stand scikit-learn's classes on standardized pixels, and a dense Keras
network on pixels from 0 to 1.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mnist_models import MODEL_NAMES, fetch_mnist, load_sample_digits, make_model
from mnist_models.preprocessing import RECIPES

Images = NDArray[np.float64]  # (n, 28, 28), from 0 to 1
Rng = np.random.Generator

_CORRUPTIONS: dict[str, Callable[[Images, Rng], Images]] = {
    "clean": lambda x, _: x,
    "moved by 3 pixels": lambda x, rng: _each(
        x, lambda image: np.roll(image, rng.choice([-3, 3], 2), axis=(0, 1))
    ),
    "turned by 15 degrees": lambda x, rng: _turned(x, 15, rng),
    "turned by 30 degrees": lambda x, rng: _turned(x, 30, rng),
    "noise, sd 0.1": lambda x, rng: x + rng.normal(0, 0.1, x.shape),
    "noise, sd 0.25": lambda x, rng: x + rng.normal(0, 0.25, x.shape),
    "noise, sd 0.5": lambda x, rng: x + rng.normal(0, 0.5, x.shape),
    "blur, sd 1": lambda x, _: ndimage.gaussian_filter(x, (0, 1, 1)),
    "a third of the contrast": lambda x, _: x / 3,
    "grey paper": lambda x, _: x + 0.5,
    "inverted": lambda x, _: 1 - x,
    "strokes a pixel thicker": lambda x, _: ndimage.grey_dilation(x, (1, 2, 2)),
    "strokes a pixel thinner": lambda x, _: ndimage.grey_erosion(x, (1, 2, 2)),
    "a square of 6 cut out": lambda x, rng: _each(x, lambda image: _cut(image, rng)),
}


def _each(x: Images, change: Callable[[Images], Images]) -> Images:
    return np.stack([change(image) for image in x])


def _turned(x: Images, degrees: float, rng: Rng) -> Images:
    def turn(image: Images) -> Images:
        turned: Images = ndimage.rotate(
            image, degrees * rng.choice([-1, 1]), reshape=False, order=1
        )
        return turned

    return _each(x, turn)


def _cut(image: Images, rng: Rng) -> Images:
    top, left = rng.integers(6, 17, 2)
    cut = image.copy()
    cut[top : top + 6, left : left + 6] = 0
    return cut


def _keras_network() -> Any:
    """Dense, as in Keras's own introduction to MNIST; it takes pixels from 0 to 1."""
    import keras

    network = keras.Sequential(
        [
            keras.layers.Rescaling(1 / 255),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile("adam", loss)
    return network


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robust", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the embedded digits")
    quick = parser.parse_args().quick
    digits = load_sample_digits() if quick else fetch_mnist(download_if_missing=False)
    X, X_test, y, y_test = digits.split("classic" if quick else "official")
    models: dict[str, Any] = {}
    for recipe in RECIPES:
        for name in MODEL_NAMES:
            few = {"epochs": 1} if quick and name == "network" else {}
            models[f"{name}, {recipe}"] = make_model(name, recipe=recipe, random_state=0, **few)
    models["scikit-learn, linear"] = make_pipeline(StandardScaler(), LogisticRegression())
    models["scikit-learn, forest"] = make_pipeline(
        StandardScaler(), RandomForestClassifier(random_state=0, n_jobs=2)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scales, and of scikit-learn's 100 iterations
        for model in models.values():
            model.fit(X, y)
        network = _keras_network()
        network.fit(X, y, epochs=5, verbose=0)
        print("| |", " | ".join([*models, "Keras, dense"]), "|")
        print("| :--- |" + " ---: |" * (len(models) + 1))
        for number, (what, corrupt) in enumerate(_CORRUPTIONS.items()):
            images = X_test.reshape(-1, 28, 28) / 255
            changed = corrupt(images, np.random.default_rng(number)).clip(0, 1)
            rows = np.rint(255 * changed).astype(np.uint8).reshape(X_test.shape)
            shares = [model.score(rows, y_test) for model in models.values()]
            shares.append(np.mean(network.predict(rows, verbose=0).argmax(axis=1) == y_test))
            print(
                f"| {what} |", " | ".join(f"{100 * share:.1f}" for share in shares), "|", flush=True
            )


if __name__ == "__main__":
    main()
