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

_MOST_CHARACTERS = 50


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

    Raises
    ------
    OSError
        If it cannot be written there, or what is there is a folder, a pipe or a device.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} must be a file in a folder that exists.")
    if path.exists() and not path.is_file():  # as root one would replace /dev/null by a file
        raise FileExistsError(f"{path} is there, and is no ordinary file. Name another.")
    # shortened, or names that are as long as may be would have no temporary file
    prefix = f".{path.name[:_MOST_CHARACTERS]}."
    with _errors_name(path):
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


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Of a full disk the system names no file, of a folder that is read-only the temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno and (error.filename is None or str(error.filename).endswith(".part")):
            error.filename = str(path)
        raise


def _umask() -> int:
    """The process's umask, which can only be read by setting it: mkstemp's own mode is 0600."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def open_file(path: str | PathLike[str]) -> BufferedReader:
    """Open an ordinary file for reading.

    Raises
    ------
    OSError
        If it cannot be read. Nor can a pipe, which would be waited for, or a device, which may
        have no end.
    """
    path = Path(path)
    if not (path.is_file() or path.is_dir()) and path.exists():  # open() says so of a folder
        raise OSError(f"{path} must be an ordinary file, no pipe or device. Copy it into one.")
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
        raise ValueError(
            f"{path} is not a sound .npy file: {error}. Save the array again with numpy.save."
        ) from error
    return array
