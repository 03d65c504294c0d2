"""Where MNIST's four files come from, what they must contain, and the copy that is kept.

The content of every file is pinned by its SHA-256, whatever folder, mirror or gzip envelope it
came in. What has passed is kept uncompressed in the user's cache and opened as a memory map: the
second time costs milliseconds, and memory only for the rows that are read.
"""

import functools
import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._files import atomic_writer, open_npy
from mnist_models._idx import idx_header, read_idx
from mnist_models.exceptions import DatasetFormatError, DatasetUnavailableError

N_TRAIN = 60_000
N_IMAGES = 70_000
IMAGE_SHAPE = (28, 28)

FOLDER_VARIABLE = "MNIST_MODELS_DATA"

# Both serve the original files over HTTPS; what comes is checked, so neither has to be trusted.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_TIMEOUT_SECONDS = 30

Uint8Array = NDArray[np.uint8]


class PinnedFile(NamedTuple):
    """One of the four files: its name, its shape, and the SHA-256 of its decompressed content."""

    name: str
    shape: tuple[int, ...]
    sha256: str


# The order of the 70,000: the training digits, then the test digits. The sums are those of the
# files LeCun, Cortes and Burges published.
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


def load_mnist(data_home: Path | None, download: bool) -> tuple[Uint8Array, Uint8Array]:
    """MNIST's 70,000 images, (70000, 28, 28), and labels, (70000,), from the nearest good source.

    See :func:`mnist_models.fetch_mnist`, which this serves.
    """
    cache = user_cache()
    kept = _open_kept(cache)
    if kept is not None:
        return kept
    named = os.environ.get(FOLDER_VARIABLE)
    folders = [folder for folder in (data_home, Path(named) if named else None, cache) if folder]
    folder = next((folder for folder in folders if _holds_all(folder)), None)
    if folder is None:
        if not download:
            raise DatasetUnavailableError(_unavailable(folders, []))
        folder = data_home or cache
        _download(folder, folders)
    images, labels = _read_folder(folder)
    return _keep(cache, images, labels)


def user_cache() -> Path:
    """The folder of this library's files in the user's cache. It may not exist yet."""
    import pooch

    return Path(pooch.os_cache("mnist_models"))


# -- the kept copy ---------------------------------------------------------------------------------


def _open_kept(cache: Path) -> tuple[Uint8Array, Uint8Array] | None:
    """The copy in the cache as read-only memory maps, or None where there is no good one."""
    images_path, labels_path = _kept_paths(cache)
    if not (images_path.is_file() and labels_path.is_file()):
        return None
    try:
        images, labels = open_npy(images_path), open_npy(labels_path)
        _check_once(*((path, path.stat().st_mtime_ns) for path in (images_path, labels_path)))
    except (ValueError, OSError) as error:
        warnings.warn(
            f"The copy of MNIST kept in {cache} is damaged and will be made anew: {error}",
            RuntimeWarning,
            stacklevel=4,
        )
        return None
    return images, labels


@functools.lru_cache(maxsize=8)
def _check_once(images: tuple[Path, int], labels: tuple[Path, int]) -> None:
    """Check the kept files once a process for each (path, modification time) they have."""
    kept_images, kept_labels = (np.atleast_1d(open_npy(path)) for path in (images[0], labels[0]))
    parts = (
        kept_images[:N_TRAIN],
        kept_labels[:N_TRAIN],
        kept_images[N_TRAIN:],
        kept_labels[N_TRAIN:],
    )
    _check_pins(parts, (images[0], labels[0]) * 2)


def _keep(cache: Path, images: Uint8Array, labels: Uint8Array) -> tuple[Uint8Array, Uint8Array]:
    """Put the arrays into the cache and open them there; where it can't be written, as they are."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for path, array in zip(_kept_paths(cache), (images, labels), strict=True):
            with atomic_writer(path) as file:
                np.save(file, array, allow_pickle=False)
    except OSError:  # a read-only home costs half a second a call, no more
        return images, labels
    return _open_kept(cache) or (images, labels)


def _kept_paths(cache: Path) -> tuple[Path, Path]:
    return cache / "mnist-images.npy", cache / "mnist-labels.npy"


# -- the four files --------------------------------------------------------------------------------


def _read_folder(folder: Path) -> tuple[Uint8Array, Uint8Array]:
    paths = [find_file(folder, pinned.name) for pinned in FILES]
    parts = [
        read_idx(path, ndim=len(pinned.shape)) for path, pinned in zip(paths, FILES, strict=True)
    ]
    _check_pins(parts, paths)
    images, labels = np.concatenate(parts[0::2]), np.concatenate(parts[1::2])
    images.flags.writeable = labels.flags.writeable = False
    return images, labels


def _holds_all(folder: Path) -> bool:
    return all(find_file(folder, pinned.name).is_file() for pinned in FILES)


def find_file(folder: Path, name: str) -> Path:
    """The file's path in the folder: gzip-compressed as published, or plain."""
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _check_pins(parts: Iterable[Uint8Array], names: Iterable[Path]) -> None:
    """Raise DatasetFormatError unless the arrays hold the content of the four published files."""
    for part, pinned, name in zip(parts, FILES, names, strict=True):
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


# -- the network -----------------------------------------------------------------------------------


def _download(folder: Path, searched: list[Path]) -> None:
    """Bring the four files into ``folder``: from the first mirror that has all of them, whole."""
    reasons: list[str] = []
    for mirror in MIRRORS:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
                _download_from(mirror, Path(scratch))
                for arrived in Path(scratch).iterdir():
                    arrived.replace(folder / arrived.name)
            return
        except (OSError, DatasetFormatError) as error:  # requests' errors are OSErrors
            reasons.append(f"{mirror}: {error}")
    raise DatasetUnavailableError(_unavailable(searched, reasons))


def _download_from(mirror: str, folder: Path) -> None:
    """Fetch the four files of one mirror and check them."""
    import pooch

    fetch = pooch.HTTPDownloader(timeout=_TIMEOUT_SECONDS)
    for pinned in FILES:
        name = f"{pinned.name}.gz"
        fetch(mirror + name, str(folder / name), None)
    _read_folder(folder)


def _unavailable(folders: list[Path], reasons: list[str]) -> str:
    places = ", ".join(str(folder) for folder in folders)
    tried = "; ".join(reasons) or "not tried (download_if_missing=False)"
    names = ", ".join(f"{pinned.name}.gz" for pinned in FILES)
    return (
        f"MNIST was expected in one of these folders and found in none: {places}. "
        f"Downloading it: {tried}. Connect to the internet and call again, or put the four files "
        f"({names}) into a folder and name it by data_home= or the environment variable "
        f"{FOLDER_VARIABLE}. load_sample_digits() needs no files at all."
    )
