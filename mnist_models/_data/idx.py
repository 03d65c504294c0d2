"""The IDX file format of the MNIST database, read strictly.

An IDX file is four bytes of magic (0, 0, type code, number of dimensions), one big-endian 32-bit
length per dimension, then the values in C order. MNIST and everything that copies it uses type
code 0x08, unsigned bytes. The format is described at the foot of the MNIST page (LeCun, Cortes
and Burges, http://yann.lecun.com/exdb/mnist/).

Nothing is allocated before the size declared in the header has been compared with the size of the
file (for gzip, with the most that so many compressed bytes may hold).
"""

import math
import os
import zlib
from os import PathLike
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from mnist_models._files import open_file
from mnist_models.exceptions import DatasetFormatError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
# DEFLATE can turn one byte into 1032 (zlib's technical notes); handwriting gives about 5. More than
# 100 is taken for a decompression bomb, unless the content has at most 64 MB in all.
_MOST_BYTES_PER_COMPRESSED_BYTE = 100
_MOST_BLANK_BYTES = 2**26
_BLOCK_BYTES = 2**18  # of a gzip file, read and decompressed at a time
# Some ten million digits. A sparse file can be longer than the memory and take no space on disk.
_MOST_VALUES = 2**33


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of unsigned bytes with this shape.

    Examples
    --------
    >>> idx_header((60000, 28, 28)).hex(" ", 4)
    '00000803 0000ea60 0000001c 0000001c'
    """
    return bytes([0, 0, _UNSIGNED_BYTE, len(shape)]) + np.array(shape, dtype=">u4").tobytes()


def read_idx(path: str | PathLike[str], *, ndim: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzip-compressed or plain, as its first bytes tell.

    Parameters
    ----------
    path : str or path-like
        The file.
    ndim : int
        The number of dimensions it must have: 3 for images, 1 for labels.

    Returns
    -------
    ndarray of uint8 with ``ndim`` dimensions
        A read-only array.

    Raises
    ------
    DatasetFormatError
        If the file does not hold exactly such an array.
    OSError
        If the file cannot be read.
    """
    with open_file(path) as file:
        return parse_idx(file, str(path), ndim=ndim)


def parse_idx(file: BinaryIO, name: str, *, ndim: int) -> NDArray[np.uint8]:
    """As :func:`read_idx`, from an open seekable file, which errors call ``name``."""
    is_gzip = file.read(2) == _GZIP_MAGIC
    content = _GzipContent(file, name) if is_gzip else _PlainContent(file, name)
    shape = _read_header(content, ndim)
    size, most = math.prod(shape), min(content.most_left(), _MOST_VALUES)
    # NumPy refuses such lengths even where another one is 0, so that there are no values
    if size > most or math.prod(max(length, 1) for length in shape) >= 2**63:
        content.fail(4, f"at most {most} values, all that this file may hold", f"shape {shape}")
    values = np.frombuffer(content.take(size), dtype=np.uint8)
    if len(values) < size:
        content.fail(content.offset, f"{size} values of shape {shape}", "the end of the file")
    if content.take(1):
        content.fail(content.offset - 1, f"the end after shape {shape}", "surplus bytes")
    content.check_end()
    values.flags.writeable = False
    return values.reshape(shape)


def _read_header(content: "_PlainContent", ndim: int) -> tuple[int, ...]:
    header = content.take(4 + 4 * ndim)
    magic = idx_header((0,) * ndim)[:4]
    if header[:4] != magic:
        found = header[:4].hex() or "nothing"
        content.fail(0, f"{magic.hex()} (unsigned bytes, {ndim} dimensions)", found)
    if len(header) < 4 + 4 * ndim:
        content.fail(len(header), f"{ndim} lengths of 4 bytes each", "the end of the file")
    return tuple(int(length) for length in np.frombuffer(header, dtype=">u4", offset=4))


class _PlainContent:
    """The content of a plain file, read from the start; ``offset`` bytes have been taken."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._file_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.offset = 0

    def take(self, size: int) -> bytes | bytearray:
        """The next ``size`` bytes, or fewer at the end of the content."""
        taken = self._take(size)
        self.offset += len(taken)
        return taken

    def _take(self, size: int) -> bytes | bytearray:
        return self._file.read(size)

    def most_left(self) -> int:
        """An upper bound of the bytes still to be taken."""
        return self._file_bytes - self.offset

    def check_end(self) -> None:
        """Raise if the file is damaged after its content, as only a gzip file can be."""

    def fail(self, offset: int, expected: str, found: str) -> NoReturn:
        """Raise DatasetFormatError for what was found at byte ``offset`` of the content."""
        raise DatasetFormatError(
            f"{self._name} is not a valid IDX file: at byte {offset} of its content expected "
            f"{expected}, found {found}. Fetch the file again, or convert yours to IDX of unsigned "
            "bytes."
        )


class _GzipContent(_PlainContent):
    """The content of a gzip file with one member, decompressed only as far as it is read."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(file, name)
        self._inflate = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum

    def _take(self, size: int) -> bytearray:
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
        return max(self._file_bytes * _MOST_BYTES_PER_COMPRESSED_BYTE, _MOST_BLANK_BYTES)

    def check_end(self) -> None:
        if not self._inflate.eof:
            self.fail(self.offset, "gzip's closing checksum", "the end of the file")
        if self._inflate.unused_data or self._file.read(1):
            self.fail(self.offset, "the end of the file", "bytes after the gzip data")
