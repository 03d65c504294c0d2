"""An uncompressed copy of MNIST in the user's cache, opened as a memory map.

Opening it takes milliseconds, and memory only for the rows that are read.
"""

import os
from pathlib import Path

import numpy as np

from mnist_models._data.mnist_pins import FILES, N_TRAIN, Uint8Array, check_content
from mnist_models._files import atomic_writer, open_npy
from mnist_models._warn import warn_user
from mnist_models.exceptions import DatasetFormatError

# The files whose content this process has checked: paths, inodes, sizes and modification times.
_checked: set[tuple[object, ...]] = set()


def user_cache() -> Path:
    """This library's folder in the user's cache; it may not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path("mnist_models")


def open_kept(cache: Path) -> tuple[Uint8Array, Uint8Array] | None:
    """The cached images and labels as read-only memory maps, or None if there is no good copy."""
    paths = _paths(cache)
    if not all(path.is_file() for path in paths):
        return None
    try:
        images, labels = (_open(path) for path in paths)
        _check_once(images, labels, paths)
    except (ValueError, OSError) as error:
        message = f"The copy of MNIST kept in {cache} is damaged and will be made again: {error}"
        warn_user(RuntimeWarning(message))
        return None
    return images, labels


def keep(cache: Path, images: Uint8Array, labels: Uint8Array) -> tuple[Uint8Array, Uint8Array]:
    """Write the arrays to the cache and open them there; if that fails, return them as they are."""
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, array in zip(_paths(cache), (images, labels), strict=True):
            with atomic_writer(path) as file:
                np.save(file, array, allow_pickle=False)
    except OSError:  # a read-only home only costs half a second per call
        return images, labels
    return open_kept(cache) or (images, labels)


def _paths(cache: Path) -> tuple[Path, Path]:
    return cache / "mnist-images.npy", cache / "mnist-labels.npy"


def _open(path: Path) -> Uint8Array:
    """The file as a memory map; refused if another user could change it after it is checked."""
    owner, me = path.stat().st_uid, getattr(os, "getuid", int)()
    if owner not in (me, 0):
        raise DatasetFormatError(
            f"{path} belongs to user {owner}: expected a file of your own ({me})"
        )
    return np.atleast_1d(open_npy(path))


def _check_once(images: Uint8Array, labels: Uint8Array, paths: tuple[Path, Path]) -> None:
    """Check the content once per process, and again whenever a file has changed."""
    states = [path.stat() for path in paths]
    key = (*paths, *((each.st_ino, each.st_size, each.st_mtime_ns) for each in states))
    if key in _checked:
        return
    parts = (images[:N_TRAIN], labels[:N_TRAIN], images[N_TRAIN:], labels[N_TRAIN:])
    for part, pinned, path in zip(parts, FILES, paths * 2, strict=True):
        check_content(part, pinned, str(path))
    _checked.add(key)
