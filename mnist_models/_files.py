"""Files are written completely or not at all, and checked before they are read."""

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

# The temporary name is longer than the file's own, which may have the greatest length allowed.
_MOST_CHARACTERS = 50


@contextmanager
def atomic_writer(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that replaces it only if the block succeeds.

    Parameters
    ----------
    path : str or path-like
        The file to write. Its folder must exist.

    Yields
    ------
    binary file
        It replaces ``path`` at the end of the block, in one atomic step. If the block raises,
        ``path`` stays as it was.

    Raises
    ------
    OSError
        If it cannot be written, or ``path`` is a folder, a pipe or a device.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} must be a file in a folder that exists.")
    if path.exists() and not path.is_file():  # root could replace /dev/null by a file
        raise FileExistsError(f"{path} exists and is not an ordinary file. Name another.")
    prefix = f".{path.name[:_MOST_CHARACTERS]}."
    with _errors_name(path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            partial.chmod(0o666 & ~_umask())  # mkstemp makes it 0600
            partial.replace(path)
        except BaseException:  # Ctrl-C too leaves no stray file
            partial.unlink(missing_ok=True)
            raise


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Name ``path`` in an OSError: the system names no file, or the temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno and (error.filename is None or str(error.filename).endswith(".part")):
            error.filename = str(path)
        raise


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def open_file(path: str | PathLike[str]) -> BufferedReader:
    """Open an ordinary file for reading.

    Raises
    ------
    OSError
        If it cannot be read, or is a pipe or a device, which may block or never end.
    """
    path = Path(path)
    if not (path.is_file() or path.is_dir()) and path.exists():  # open() itself refuses a folder
        raise OSError(f"{path} must be an ordinary file, no pipe or device. Copy it into a file.")
    return path.open("rb")


def open_npy(path: str | PathLike[str]) -> NDArray[Any]:
    """Open a ``.npy`` file as a read-only memory map; only its header is read.

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
        If it is not a valid ``.npy`` file of plain values; objects are never unpickled.
    OSError
        If it cannot be read.
    """
    with open_file(path) as file:
        magic = file.read(6)
    try:
        if magic != b"\x93NUMPY":  # np.load would open zip archives and pickles too
            raise ValueError("it does not begin like one")
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
        raise ValueError(
            f"{path} is not a valid .npy file: {error}. Save the array again with numpy.save."
        ) from error
    return array
