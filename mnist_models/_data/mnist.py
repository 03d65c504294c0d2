"""MNIST from the first good source: the cached copy, a folder with its four files, a mirror.

The content of every file is checked against its SHA-256, wherever it comes from.
"""

import functools
import io
import math
import os
from pathlib import Path

import numpy as np

from mnist_models._data import mnist_cache
from mnist_models._data.download import first_good
from mnist_models._data.idx import parse_idx, read_idx
from mnist_models._data.mnist_pins import FILES, PinnedFile, Uint8Array, check_content
from mnist_models._files import atomic_writer
from mnist_models._warn import warn_user
from mnist_models.exceptions import DatasetUnavailableError

FOLDER_VARIABLE = "MNIST_MODELS_DATA"
OFFLINE_VARIABLE = "MNIST_MODELS_OFFLINE"

# Both serve the original files over HTTPS. The content is checked, so neither has to be trusted.
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def load_mnist(data_home: Path | None, download: bool) -> tuple[Uint8Array, Uint8Array]:
    """MNIST's images, uint8 of shape (70000, 28, 28), and labels, uint8 of shape (70000,).

    Sources, parameters and errors are those of :func:`mnist_models.fetch_mnist`.
    """
    cache = mnist_cache.user_cache()
    kept = mnist_cache.open_kept(cache)
    if kept is not None:
        return kept
    named = os.environ.get(FOLDER_VARIABLE)
    folders = [
        folder
        for folder in (data_home, Path(named).expanduser() if named else None, cache)
        if folder
    ]
    folder = next((folder for folder in folders if _holds_all(folder)), None)
    if folder is not None:
        parts = [_read_file(find_file(folder, pinned.name), pinned) for pinned in FILES]
    elif not download:
        raise _unavailable(folders, "not tried (download_if_missing=False)")
    elif os.environ.get(OFFLINE_VARIABLE):
        raise _unavailable(folders, f"not tried ({OFFLINE_VARIABLE} is set)")
    else:
        parts = _download_to(data_home or cache, folders)
    images, labels = np.concatenate(parts[0::2]), np.concatenate(parts[1::2])
    images.flags.writeable = labels.flags.writeable = False
    return mnist_cache.keep(cache, images, labels)


def find_file(folder: Path, name: str) -> Path:
    """The file's path in the folder: gzip-compressed as published, or plain."""
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _holds_all(folder: Path) -> bool:
    return all(find_file(folder, pinned.name).is_file() for pinned in FILES)


def _read_file(path: Path, pinned: PinnedFile) -> Uint8Array:
    part = read_idx(path, ndim=len(pinned.shape))
    check_content(part, pinned, str(path))
    return part


def _download_to(folder: Path, searched: list[Path]) -> list[Uint8Array]:
    """Download the four files, and keep them in ``folder`` if it can be written."""
    arrived = {}
    for pinned in FILES:
        name = f"{pinned.name}.gz"
        try:
            arrived[name] = first_good(
                [mirror + name for mirror in MIRRORS],
                math.prod(pinned.shape),  # a generous limit: the compressed file is smaller
                functools.partial(_read_content, pinned),
            )
        except DatasetUnavailableError as error:
            raise _unavailable(searched, str(error)) from error
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, (content, _) in arrived.items():
            with atomic_writer(folder / name) as file:
                file.write(content)
    except OSError as error:
        warn_user(
            RuntimeWarning(
                f"MNIST was downloaded, but could not be kept in {folder}: {error}. "
                "Make room, or pass another folder as data_home; else it is downloaded every time."
            )
        )
    return [part for _, part in arrived.values()]


def _read_content(pinned: PinnedFile, content: bytes) -> Uint8Array:
    part = parse_idx(io.BytesIO(content), "the download", ndim=len(pinned.shape))
    check_content(part, pinned, "the download")
    return part


def _unavailable(folders: list[Path], tried: str) -> DatasetUnavailableError:
    places = ", ".join(str(folder) for folder in folders)
    names = ", ".join(f"{pinned.name}.gz" for pinned in FILES)
    return DatasetUnavailableError(
        f"MNIST was expected in one of these folders and found in none: {places}. "
        f"Downloading it: {tried}. Connect to the internet and call again, or put the four files "
        f"({names}) into a folder and pass it as data_home or in the environment variable "
        f"{FOLDER_VARIABLE}. load_sample_digits() needs no files."
    )
