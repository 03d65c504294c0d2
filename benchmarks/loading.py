"""Importing, and MNIST from disk."""

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.digits import training_digits
from benchmarks.measure import Row, alternate, in_a_fresh_process
from mnist_models import fetch_mnist
from mnist_models.exceptions import DatasetUnavailableError


def rows(quick: bool) -> Iterator[Row]:
    """Ours against scikit-learn's import, and against the files of Keras and OpenML."""
    repeats = 1 if quick else 7
    yield alternate(
        "import compare and make_model (v. import sklearn)",
        in_a_fresh_process("from mnist_models import compare, make_model"),
        in_a_fresh_process("import sklearn"),
        repeats,
    )
    training_digits(quick)
    try:
        fetch_mnist(download_if_missing=False)
    except DatasetUnavailableError:
        return
    images = fetch_mnist(download_if_missing=False).data
    packed = gzip.compress(images.tobytes(), compresslevel=6)
    yield alternate(
        "open MNIST again (v. unpacking its images from gzip, as fetch_openml keeps them)",
        lambda: fetch_mnist(download_if_missing=False),
        lambda: gzip.decompress(packed),
        repeats,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mnist.npz")
        np.savez_compressed(path, x=images)
        yield alternate(
            "open MNIST again (v. reading an .npz, as keras.datasets keeps it)",
            lambda: fetch_mnist(download_if_missing=False),
            lambda: np.load(path)["x"],
            repeats,
        )
