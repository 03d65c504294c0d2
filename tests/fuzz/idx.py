"""Any bytes as an IDX file: an array that says the same, or DatasetFormatError."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from mnist_models._data.idx import idx_header, parse_idx
from mnist_models.exceptions import DatasetFormatError
from tests.fuzz.bounded import bounded_memory


def seeds() -> Iterator[bytes]:
    """Sound files, small, of each kind."""
    for shape in ((4,), (2, 3, 4), (0,)):
        content = (
            idx_header(shape) + bytes(range(24))[: 4 if shape == (4,) else 24 * len(shape) // 3]
        )
        yield content
        yield gzip.compress(content)


def prepare(_: Path) -> None:
    """Nothing is needed."""


# The fuzzer's own way of changing bytes will do.
mutate = None


def run(data: bytes) -> None:
    """Read the bytes as images and as labels."""
    for ndim in (1, 3):
        with bounded_memory():
            try:
                array = parse_idx(io.BytesIO(data), "any", ndim=ndim)
            except DatasetFormatError:
                continue
        content = idx_header(array.shape) + array.tobytes()
        if data[:2] == b"\x1f\x8b":
            assert zlib.decompress(data, wbits=31) == content
        else:
            assert data == content
