"""Files arrive whole or not at all, and are not believed before they are looked at."""

import os
import tempfile
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


@contextmanager
def atomic_writer(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place only when all went well.

    Parameters
    ----------
    path : str or path-like
        The file to write. Its folder must exist.

    Yields
    ------
    binary file
        What is written to it replaces ``path`` at the end of the block, in one step that a
        crash cannot split. If the block raises, ``path`` stays as it was.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} must be a file in a folder that exists.")
    prefix = f".{path.name[:40]}."  # of a name as long as may be, a longer one may not be
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except BaseException:  # Ctrl-C too leaves no stray file
        partial.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's umask, which can only be read by setting it: mkstemp's own mode is 0600."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def open_file(path: str | PathLike[str]) -> BufferedReader:
    """A file for reading, or OSError at once; opening a pipe may wait for its writer for ever."""
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(f"{path} must be a file. Got a pipe or a device instead.")
    return path.open("rb")


def open_npy(path: str | PathLike[str]) -> NDArray[Any]:
    """A ``.npy`` file as a read-only memory map; its header is all that is read.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If it is no sound ``.npy`` file of plain values; objects are never unpickled.
    OSError
        If it cannot be read.
    """
    with open_file(path) as file:
        magic = file.read(6)
    try:
        if magic != b"\x93NUMPY":  # np.load takes zip archives and pickles too
            raise ValueError("it does not begin as one does")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (
        ValueError,
        EOFError,
        OverflowError,
        RecursionError,
        SyntaxError,
        TypeError,
        tokenize.TokenError,
    ) as error:
        raise ValueError(f"{path} is not a sound .npy file: {error}") from error
    return array
