"""The IDX file format of the MNIST database, read strictly.

An IDX file is four bytes of magic (0, 0, type code, number of dimensions), one big-endian 32-bit
length per dimension, then the values in C order. MNIST and everything that copies it uses type
code 0x08, unsigned bytes. The format is described at the foot of the MNIST page (LeCun, Cortes
and Burges, http://yann.lecun.com/exdb/mnist/).

Nothing is allocated on the word of a header alone: the size it declares must first agree with the
size of the file (for gzip, with the most that so many compressed bytes can hold).
"""

import math
import zlib
from os import PathLike
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mnist_models.exceptions import DatasetFormatError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
# DEFLATE cannot do better than 1032 bytes out for one byte in (zlib's own technical notes).
_MOST_BYTES_PER_COMPRESSED_BYTE = 1032


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
    path = Path(path)
    raw = path.read_bytes()
    content = _GzipContent(path, raw) if raw.startswith(_GZIP_MAGIC) else _PlainContent(path, raw)
    shape = _read_header(path, content, ndim)
    offset, size = 4 + 4 * ndim, math.prod(shape)
    if size > content.most_left():
        most = content.most_left()
        _fail(path, 4, f"at most {most} values, all that this file can hold", f"shape {shape}")
    values = content.take(size)
    if len(values) < size:
        _fail(path, offset + len(values), f"{size} values of shape {shape}", "the end of the file")
    if content.take(1):
        _fail(path, offset + size, f"the end after shape {shape}", "surplus bytes")
    content.check_end(offset + size)
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _read_header(path: Path, content: "_PlainContent", ndim: int) -> tuple[int, ...]:
    header = content.take(4 + 4 * ndim)
    magic = idx_header((0,) * ndim)[:4]
    if header[:4] != magic:
        found = header[:4].hex() or "nothing"
        _fail(path, 0, f"{magic.hex()} (unsigned bytes, {ndim} dimensions)", found)
    if len(header) < 4 + 4 * ndim:
        _fail(path, len(header), f"{ndim} lengths of 4 bytes each", "the end of the file")
    return tuple(int(length) for length in np.frombuffer(header, dtype=">u4", offset=4))


class _PlainContent:
    """The bytes of a plain file, taken from the front."""

    def __init__(self, path: Path, raw: bytes) -> None:
        self._path = path
        self._raw = memoryview(raw)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer where the content ends before."""
        taken, self._raw = self._raw[:size], self._raw[size:]
        return bytes(taken)

    def most_left(self) -> int:
        """An upper bound of the bytes still to be taken."""
        return len(self._raw)

    def check_end(self, offset: int) -> None:
        """Raise unless the file ends soundly where its content does. A plain file always does."""


class _GzipContent(_PlainContent):
    """The content of a gzip file of one member, decompressed no further than it is asked for."""

    def __init__(self, path: Path, raw: bytes) -> None:
        super().__init__(path, raw)
        self._inflate = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum
        self._offset = 0

    def take(self, size: int) -> bytes:
        if size == 0:  # which zlib would read as "without limit"
            return b""
        try:
            taken = self._inflate.decompress(self._raw, size)
        except zlib.error as error:
            _fail(self._path, self._offset, "sound gzip data", str(error))
        self._raw = memoryview(self._inflate.unconsumed_tail)
        self._offset += len(taken)
        return taken

    def most_left(self) -> int:
        # zlib may hold a little output back that it has read already: hence the one byte more
        return (len(self._raw) + 1) * _MOST_BYTES_PER_COMPRESSED_BYTE

    def check_end(self, offset: int) -> None:
        if not self._inflate.eof:
            _fail(self._path, offset, "gzip's closing checksum", "the end of the file")
        if surplus := len(self._inflate.unused_data):
            _fail(
                self._path, offset, "the end of the file", f"{surplus} bytes behind the gzip data"
            )


def _fail(path: Path, offset: int, expected: str, found: str) -> NoReturn:
    raise DatasetFormatError(
        f"{path} is not a sound IDX file: at byte {offset} of its content expected {expected}, "
        f"found {found}. Fetch the file again, or convert yours to IDX of unsigned bytes."
    )
