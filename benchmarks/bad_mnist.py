"""MNIST as each library keeps it, tampered with where it lies, and nothing to fetch it from."""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.attempt import Answers, Read
from mnist_models import ImageDataset, fetch_mnist
from mnist_models._data.idx import idx_header
from mnist_models._data.mnist_cache import user_cache


def _another(content: bytes) -> bytes:
    return content[:-9000] + bytes([content[-9000] ^ 128]) + content[-8999:]


HARMS: dict[str, Callable[[bytes], bytes]] = {
    "as it was kept": lambda content: content,
    "one pixel another": _another,
    "cut at half": lambda content: content[: len(content) // 2],
}


def read_ours(folder: Path) -> Answers:
    """Ours, from the cache that XDG_CACHE_HOME names."""
    os.environ.pop("MNIST_MODELS_DATA", None)
    return [fetch_mnist(download_if_missing=False).data]


def read_torchvision(folder: Path) -> Answers:
    """torchvision's, from the files that it unpacked."""
    from torchvision.datasets import MNIST

    return [MNIST(str(folder), download=True).data.numpy().reshape(-1, 784)]


def read_keras(folder: Path) -> Answers:
    """Keras's, from the archive in the folder that KERAS_HOME names."""
    import keras

    return [keras.datasets.mnist.load_data()[0][0].reshape(-1, 784)]


def kept(mnist: ImageDataset, folder: Path) -> Iterator[tuple[str, Read, Path]]:
    """Every library, with the file in which it keeps the training images."""
    yield "fetch_mnist", read_ours, user_cache() / "mnist-images.npy"
    if find_spec("torchvision"):
        yield "torchvision MNIST", read_torchvision, _as_torchvision_keeps_it(mnist, folder)
    yield "keras mnist", read_keras, _as_keras_keeps_it(mnist)


def _as_torchvision_keeps_it(mnist: ImageDataset, folder: Path) -> Path:
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", slice(60_000)), ("t10k", slice(60_000, None))):
        images, labels = mnist.images[rows], mnist.target[rows].astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_header(array.shape) + array.tobytes()
            (raw / f"{name}-{kind}-ubyte").write_bytes(content)
    return raw / "train-images-idx3-ubyte"


def _as_keras_keeps_it(mnist: ImageDataset) -> Path:
    """Nearly: an archive of the same arrays has not the published one's hash."""
    path = Path(os.environ["KERAS_HOME"], "datasets", "mnist.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    (x, y), (x_test, y_test) = (
        (mnist.images[rows], mnist.target[rows].astype(np.uint8))
        for rows in (slice(60_000), slice(60_000, None))
    )
    np.savez(path, x_test=x_test, y_train=y, y_test=y_test, x_train=x)
    return path
