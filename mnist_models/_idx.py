"""The IDX file format of the MNIST database, read strictly.

An IDX file is four bytes of magic (0, 0, type code, number of dimensions), one big-endian 32-bit
length per dimension, then the values in C order. MNIST and everything that copies it uses type
code 0x08, unsigned bytes. The format is described at the foot of the MNIST page (LeCun, Cortes
and Burges, http://yann.lecun.com/exdb/mnist/).

Nothing is allocated before the size declared in the header has been compared with the size of the
file (for gzip, with the most that so many compressed bytes may hold).
"""

import math
from os import PathLike
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from mnist_models._files import Content, kind_of, open_file

_UNSIGNED_BYTE = 0x08
# Some ten million digits. A sparse file can be longer than the memory and take no space on disk.
_MOST_VALUES = 2**33
_REMEDY = "Fetch the file again, or convert yours to IDX of unsigned bytes."


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of unsigned bytes with this shape.

    >>> idx_header((60000, 28, 28)).hex(" ", 4)
    '00000803 0000ea60 0000001c 0000001c'
    """
    return bytes([0, 0, _UNSIGNED_BYTE, len(shape)]) + np.array(shape, dtype=">u4").tobytes()


def read_idx(path: str | PathLike[str], *, ndim: int) -> NDArray[np.uint8]:
    """The content of an IDX file of unsigned bytes, plain or gzip-compressed, as a read-only array.

    ``ndim`` is the number of dimensions it must have: 3 for images, 1 for labels. If the file holds
    anything else or more, DatasetFormatError says where.
    """
    with open_file(path) as file:
        return parse_idx(file, str(path), ndim=ndim)


def parse_idx(file: BinaryIO, name: str, *, ndim: int) -> NDArray[np.uint8]:
    """As :func:`read_idx`, from an open seekable file, which errors call ``name``."""
    content = Content(file, name, "IDX file", _REMEDY)
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


def _read_header(content: Content, ndim: int) -> tuple[int, ...]:
    header = content.take(4 + 4 * ndim)
    magic = idx_header((0,) * ndim)[:4]
    if header[:4] != magic:
        kind = kind_of(bytes(header))
        found = f"{header[:4].hex()} (it is {kind})" if header else "nothing"
        if "CSV" in kind:
            content.remedy = "Read it with load_csv, or under a name that ends in .csv."
        content.fail(0, f"{magic.hex()} (unsigned bytes, {ndim} dimensions)", found)
    if len(header) < 4 + 4 * ndim:
        content.fail(len(header), f"{ndim} lengths of 4 bytes each", "the end of the file")
    return tuple(int(length) for length in np.frombuffer(header, dtype=">u4", offset=4))
