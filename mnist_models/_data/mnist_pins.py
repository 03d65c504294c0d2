"""MNIST's four files: their names, shapes and the SHA-256 of their content."""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._data.idx import idx_header
from mnist_models.exceptions import DatasetFormatError

N_TRAIN = 60_000
N_IMAGES = 70_000
IMAGE_SHAPE = (28, 28)

Uint8Array = NDArray[np.uint8]


class PinnedFile(NamedTuple):
    """One of the four files: its name, its shape, and the SHA-256 of its decompressed content."""

    name: str
    shape: tuple[int, ...]
    sha256: str


# In the order of the 70,000 digits: training, then test. The SHA-256 are those of the files that
# LeCun, Cortes and Burges published.
FILES = (
    PinnedFile(
        "train-images-idx3-ubyte",
        (N_TRAIN, *IMAGE_SHAPE),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    PinnedFile(
        "train-labels-idx1-ubyte",
        (N_TRAIN,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    PinnedFile(
        "t10k-images-idx3-ubyte",
        (N_IMAGES - N_TRAIN, *IMAGE_SHAPE),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    PinnedFile(
        "t10k-labels-idx1-ubyte",
        (N_IMAGES - N_TRAIN,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


def check_content(part: Uint8Array, pinned: PinnedFile, name: str) -> None:
    """Raise DatasetFormatError, which calls it ``name``, unless ``part`` is the published data."""
    if part.shape != pinned.shape or part.dtype != np.uint8:
        found = f"{part.dtype} of shape {part.shape}"
        raise DatasetFormatError(
            f"{name} is not MNIST's {pinned.name}: expected uint8 of shape {pinned.shape}, "
            f"found {found}. Delete it and fetch it again; for other data use load_idx."
        )
    content = hashlib.sha256(idx_header(part.shape))
    content.update(np.ascontiguousarray(part).data)
    if content.hexdigest() != pinned.sha256:
        raise DatasetFormatError(
            f"{name} is not MNIST's {pinned.name}: expected content with the SHA-256 "
            f"{pinned.sha256}, found {content.hexdigest()}. "
            "Delete it and fetch it again; for other data use load_idx."
        )
