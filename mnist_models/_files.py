"""Files are written completely or not at all, and checked before they are read."""

import os
import tempfile
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from mnist_models.exceptions import DatasetFormatError

# The temporary name is longer than the file's own, which may have the greatest length allowed.
_MOST_CHARACTERS = 50
_GZIP_MAGIC = b"\x1f\x8b"
# DEFLATE can turn one byte into 1032 (zlib's technical notes); handwriting gives about 5. More than
# 100 is taken for a decompression bomb, unless the content has at most 64 MB in all.
_MOST_BYTES_PER_COMPRESSED_BYTE = 100
_MOST_BLANK_BYTES = 2**26
_BLOCK_BYTES = 2**18  # of a gzip file, read and decompressed at a time
# How files begin that are given where another kind is expected.
_BEGINNINGS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"%PDF": "a PDF file",
    b"PK\3\4": "a zip archive, as .npz, .keras and .xlsx are",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy .npy file",
    b"\x80": "a Python pickle",
    _GZIP_MAGIC: "a gzip file",
    b"\0\0\x08": "an IDX file",
}
# What NumPy raises for headers that are damaged.
_NOT_NPY: tuple[type[Exception], ...] = (ValueError, EOFError, OverflowError, RecursionError)
_NOT_NPY += (SyntaxError, TypeError, tokenize.TokenError)


@contextmanager
def atomic_writer(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces ``path``, in one step, only if the block succeeds."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} must be a file in a folder that exists.")
    if path.exists() and not path.is_file():  # root could replace /dev/null by a file
        raise FileExistsError(f"{path} exists and is not an ordinary file. Name another.")
    prefix = f".{path.name[:_MOST_CHARACTERS]}."
    partial = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        partial = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        mask = os.umask(0o077)  # which can only be read by setting it
        os.umask(mask)
        partial.chmod(0o666 & ~mask)  # mkstemp makes it 0600
        partial.replace(path)
    except BaseException as error:  # Ctrl-C too leaves no stray file
        if partial is not None:
            partial.unlink(missing_ok=True)
        # the system names no file, or the temporary one
        if isinstance(error, OSError) and error.errno:
            named = error.filename is not None and not str(error.filename).endswith(".part")
            error.filename = error.filename if named else str(path)
        raise


def open_file(path: str | PathLike[str]) -> BufferedReader:
    """Open an ordinary file for reading: a pipe or a device may block or never end."""
    path = Path(path)
    if not (path.is_file() or path.is_dir()) and path.exists():  # open() itself refuses a folder
        raise OSError(f"{path} must be an ordinary file, no pipe or device. Copy it into a file.")
    return path.open("rb")


def kind_of(start: bytes) -> str:
    """What a file is, by its first bytes, for a message."""
    if start[8:9] == b"{":  # after a length, which may be any bytes
        return "a model file"
    for beginning, kind in _BEGINNINGS.items():
        if start.startswith(beginning):
            return kind
    if start[8:12] == b"WEBP":
        return "a WebP picture"
    if start and all(byte >= 32 or byte in b"\t\r\n" for byte in start):
        return "text as in a CSV file" if any(mark in start for mark in b",;\t") else "text"
    return "of an unknown kind" if start else "empty"


def open_npy(path: str | PathLike[str]) -> NDArray[Any]:
    """Map a ``.npy`` file into memory; ValueError if it is none of plain values."""
    with open_file(path) as file:
        magic = file.read(6)
    try:
        if magic != b"\x93NUMPY":  # np.load would open zip archives and pickles too
            raise ValueError("it does not begin like one")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NOT_NPY as error:
        raise ValueError(
            f"{path} is not a valid .npy file: {error}. Save the array again with numpy.save."
        ) from error
    return array


class Content:
    """What a file holds, decompressed only as far as it is read; ``offset`` bytes were taken.

    Errors say that ``name`` is not a valid ``kind``, and end with ``remedy``.
    """

    def __init__(self, file: BinaryIO, name: str, kind: str, remedy: str) -> None:
        self._file = file
        self._name, self._kind, self.remedy = name, kind, remedy
        self._file_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        is_gzip = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        # wbits=31: with gzip's header and checksum
        self._inflate = zlib.decompressobj(wbits=31) if is_gzip else None
        self.offset = 0

    def take(self, size: int) -> bytes | bytearray:
        """The next ``size`` bytes, or fewer at the end of the content."""
        taken = self._file.read(size) if self._inflate is None else self._unpack(size)
        self.offset += len(taken)
        return taken

    def _unpack(self, size: int) -> bytearray:
        assert self._inflate is not None
        taken = bytearray()
        while len(taken) < size and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(_BLOCK_BYTES)
            try:
                unpacked = self._inflate.decompress(packed, min(size - len(taken), _BLOCK_BYTES))
            except zlib.error as error:
                self.fail(self.offset + len(taken), "valid gzip data", str(error))
            taken += unpacked  # even without new input: zlib may have held some back
            if not packed:
                break
        return taken

    def most_left(self) -> int:
        """An upper bound of the bytes still to be taken."""
        if self._inflate is None:
            return self._file_bytes - self.offset
        return max(self._file_bytes * _MOST_BYTES_PER_COMPRESSED_BYTE, _MOST_BLANK_BYTES)

    def check_end(self) -> None:
        """Raise if a gzip file is cut after its content, or goes on."""
        if self._inflate is None:
            return
        if not self._inflate.eof:
            self.fail(self.offset, "gzip's closing checksum", "the end of the file")
        if self._inflate.unused_data or self._file.read(1):
            self.fail(self.offset, "the end of the file", "bytes after the gzip data")

    def fail(self, offset: int, expected: str, found: str) -> NoReturn:
        """Raise DatasetFormatError for what was found at byte ``offset`` of the content."""
        raise DatasetFormatError(
            f"{self._name} is not a valid {self._kind}: at byte {offset} of its content expected "
            f"{expected}, found {found}. {self.remedy}"
        )
