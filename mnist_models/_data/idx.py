"""The IDX file format of the MNIST database, read strictly.

An IDX file is four bytes of magic (0, 0, type code, number of dimensions), one big-endian 32-bit
length per dimension, then the values in C order. MNIST and everything that copies it uses type
code 0x08, unsigned bytes. The format is described at the foot of the MNIST page (LeCun, Cortes
and Burges, http://yann.lecun.com/exdb/mnist/).

Nothing is allocated on the word of a header alone: the size it declares must first agree with the
size of the file (for gzip, with the most that so many compressed bytes may hold).
"""

import math
import zlib
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from mnist_models.exceptions import DatasetFormatError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
# DEFLATE makes up to 1032 bytes of one (zlib's technical notes), handwriting about 5. Beyond the
# first 64 MB, which may be as blank as they like, more than 100 is taken for a bomb.
_MOST_BYTES_PER_COMPRESSED_BYTE = 100
_MOST_BLANK_BYTES = 2**26
_BLOCK_BYTES = 2**18


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file that holds unsigned bytes of this shape.

    Examples
    --------
    >>> idx_header((60000, 28, 28)).hex(" ", 4)
    '00000803 0000ea60 0000001c 0000001c'
    """
    return bytes([0, 0, _UNSIGNED_BYTE, len(shape)]) + np.array(shape, dtype=">u4").tobytes()


def read_idx(path: str | PathLike[str], *, ndim: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzip-compressed or plain (told by its first bytes).

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
        If the file is anything but exactly such an array.
    OSError
        If the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return parse_idx(file, str(path), ndim=ndim)


def parse_idx(file: BinaryIO, name: str, *, ndim: int) -> NDArray[np.uint8]:
    """As :func:`read_idx`, of an open file that can be sought; errors call it ``name``."""
    is_gzip = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    content = _GzipContent(file, name) if is_gzip else _PlainContent(file, name)
    shape = _read_header(content, ndim)
    size, most = math.prod(shape), content.most_left()
    # NumPy has no array of no values with sides like these
    if size > most or math.prod(max(length, 1) for length in shape) >= 2**63:
        content.fail(4, f"at most {most} values, all that this file may hold", f"shape {shape}")
    values = np.empty(size, dtype=np.uint8)
    for start in range(0, size, _BLOCK_BYTES):
        block = content.take(min(_BLOCK_BYTES, size - start))
        values[start : start + len(block)] = np.frombuffer(block, dtype=np.uint8)
    if content.offset < 4 + 4 * ndim + size:
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
    """The content of a plain file, taken from the front; ``offset`` bytes were."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._file_bytes = file.seek(0, 2)
        self.offset = 0
        file.seek(0)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer where the content ends before."""
        taken = self._take(size)
        self.offset += len(taken)
        return taken

    def _take(self, size: int) -> bytes:
        return self._file.read(size)

    def most_left(self) -> int:
        """An upper bound of the bytes still to be taken."""
        return self._file_bytes - self.offset

    def check_end(self) -> None:
        """Raise unless the file ends soundly where its content does. A plain file always does."""

    def fail(self, offset: int, expected: str, found: str) -> NoReturn:
        """Raise DatasetFormatError of what was found ``offset`` bytes from the content's start."""
        raise DatasetFormatError(
            f"{self._name} is not a sound IDX file: at byte {offset} of its content expected "
            f"{expected}, found {found}. Fetch the file again, or convert yours to IDX of unsigned "
            "bytes."
        )


class _GzipContent(_PlainContent):
    """The content of a gzip file of one member, decompressed no further than it is asked for."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(file, name)
        self._inflate = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum

    def _take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(_BLOCK_BYTES)
            try:
                unpacked = self._inflate.decompress(packed, size - len(taken))
            except zlib.error as error:
                self.fail(self.offset + len(taken), "sound gzip data", str(error))
            if not packed and not unpacked:  # zlib may hold a little back that it has read already
                break
            taken += unpacked
        return bytes(taken)

    def most_left(self) -> int:
        return max(self._file_bytes * _MOST_BYTES_PER_COMPRESSED_BYTE, _MOST_BLANK_BYTES)

    def check_end(self) -> None:
        if not self._inflate.eof:
            self.fail(self.offset, "gzip's closing checksum", "the end of the file")
        if self._inflate.unused_data or self._file.read(1):
            self.fail(self.offset, "the end of the file", "bytes behind the gzip data")
