"""Images and labels as each library reads them, and what a stranger may have made of the files."""

import functools
import gzip
import os
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.attempt import Answers, Read
from mnist_models import load_idx, load_sample_digits
from mnist_models._data.idx import idx_header

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
_TEST_IMAGES, _TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
_SIDE = 28
_BOMB = 2**30

Harm = Callable[[bytes], bytes]


class Pair(NamedTuple):
    """The content of a file of images and of one of labels."""

    images: bytes
    labels: bytes


class Peer(NamedTuple):
    """A library: how it reads the pair in a folder, and whether it unpacks gzip while it does."""

    name: str
    read: Read
    folder: str = "."
    unpacks: bool = True


@functools.cache
def sound_pair() -> Pair:
    """The embedded digits."""
    digits = load_sample_digits()
    n = len(digits)
    labels = idx_header((n,)) + digits.target.astype(np.uint8).tobytes()
    return Pair(idx_header((n, _SIDE, _SIDE)) + digits.data.tobytes(), labels)


def _changed(content: bytes, at: int, to: bytes) -> bytes:
    return content[:at] + to + content[at + len(to) :]


def _images(harm: Harm) -> Callable[[Pair], Pair]:
    return lambda pair: pair._replace(images=harm(pair.images))


def _claim(*shape: int) -> Callable[[Pair], Pair]:
    """A header of its own, before the same pixels."""
    return _images(lambda content: idx_header(shape) + content[16:])


# What is done to the content, before it is packed for those who unpack it.
CONTENT: dict[str, Callable[[Pair], Pair]] = {
    "images cut at half": _images(lambda content: content[: len(content) // 2]),
    "a thousand bytes too many": _images(lambda content: content + bytes(1000)),
    "another magic number": _images(lambda content: _changed(content, 0, b"\xde\xad\xbe\xef")),
    "floats, says the type code": _images(lambda content: _changed(content, 2, b"\x0d")),
    "images of 14 by 56, says the header": _claim(1797, 14, 56),
    "0.5 GB in words alone": _claim(2**29 // 784, _SIDE, _SIDE),
    "lengths whose product overflows": _claim(2**31, 2**31, 4),
    "one label too few": lambda pair: pair._replace(labels=idx_header((1796,)) + pair.labels[8:-1]),
    "images and labels exchanged": lambda pair: Pair(pair.labels, pair.images),
    "a web page for images": _images(lambda content: b"<!DOCTYPE html><title>404</title>" * 99),
    "a label of 77": lambda pair: pair._replace(labels=pair.labels[:-1] + bytes([77])),
    "one pixel another": _images(
        lambda content: _changed(content, 9_000, bytes([content[9_000] ^ 128]))
    ),
}


@functools.cache
def _bomb() -> bytes:
    """Some megabytes that unpack to a sound file of so many black images."""
    pack = zlib.compressobj(1, wbits=31)
    packed = pack.compress(idx_header((_BOMB // 784, _SIDE, _SIDE)))
    for _ in range(64):
        packed += pack.compress(bytes(_BOMB // 64))
    return packed + pack.flush()


# What is done to the packed file of images.
PACKED: dict[str, Harm] = {
    "gzip file cut at half": lambda packed: packed[: len(packed) // 2],
    "gzip with a wrong checksum": lambda packed: packed[:-8] + bytes(4) + packed[-4:],
    "gzip of 1 GB of nothing": lambda packed: _bomb(),
}


def write_pair(folder: Path, pair: Pair, peer: Peer, harm: Harm) -> None:
    """The pair where the library looks for it, and a sound pair to test with."""
    place = folder / peer.folder
    place.mkdir(parents=True, exist_ok=True)
    contents = {IMAGES: pair.images, LABELS: pair.labels}
    contents |= dict(zip((_TEST_IMAGES, _TEST_LABELS), sound_pair(), strict=True))
    for name, content in contents.items():
        if peer.unpacks:
            packed = gzip.compress(content, 1)
            content, name = (harm(packed) if name == IMAGES else packed), f"{name}.gz"
        (place / name).write_bytes(content)


# -- the libraries ---------------------------------------------------------------------------------


def read_ours(folder: Path) -> Answers:
    """Ours: any pair, packed or not."""
    digits = load_idx(folder / f"{IMAGES}.gz", folder / f"{LABELS}.gz")
    return [digits.images, digits.target]


def read_torchvision(folder: Path) -> Answers:
    """torchvision's, which reads what it unpacked when it downloaded."""
    from torchvision.datasets import MNIST

    digits = MNIST(str(folder), download=False)
    return [digits.data.numpy(), digits.targets.numpy()]


def read_keras(folder: Path) -> Answers:
    """Keras's reader of IDX files, which is Fashion-MNIST's."""
    import keras

    (images, labels), _ = keras.datasets.fashion_mnist.load_data()
    return [images, labels]


def read_idx2numpy(folder: Path) -> Answers:
    """idx2numpy's, of two open files."""
    import idx2numpy

    with gzip.open(folder / f"{IMAGES}.gz") as images, gzip.open(folder / f"{LABELS}.gz") as labels:
        return [idx2numpy.convert_from_file(images), idx2numpy.convert_from_file(labels)]


def read_python_mnist(folder: Path) -> Answers:
    """python-mnist's."""
    from mnist import MNIST

    images, labels = MNIST(str(folder), return_type="numpy", gz=True).load_training()
    return [np.reshape(images, (-1, _SIDE, _SIDE)), np.asarray(labels)]


def peers() -> list[Peer]:
    """Ours, and those that are installed. Keras looks into the folder that KERAS_HOME names."""
    there = [Peer("load_idx", read_ours)]
    if find_spec("torchvision"):
        there.append(Peer("torchvision MNIST", read_torchvision, "MNIST/raw", unpacks=False))
    at_home = f"{os.environ['KERAS_HOME']}/datasets/fashion-mnist"
    there.append(Peer("keras fashion_mnist", read_keras, at_home))
    if find_spec("idx2numpy"):
        there.append(Peer("idx2numpy", read_idx2numpy))
    if find_spec("mnist"):
        there.append(Peer("python-mnist", read_python_mnist))
    return there
