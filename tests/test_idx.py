"""The IDX reader takes exactly IDX files."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_models._data.idx import idx_header, read_idx
from mnist_models.exceptions import DatasetFormatError

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
SOUND = idx_header(IMAGES.shape) + IMAGES.tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images-idx3-ubyte"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_reads_what_was_written(path: Path, pack: type[bytes]) -> None:
    path.write_bytes(pack(SOUND))
    read = read_idx(path, ndim=3)
    np.testing.assert_array_equal(read, IMAGES)
    assert read.dtype == np.uint8
    assert not read.flags.writeable


def _header(*lengths: int, magic: bytes = b"\0\0\x08\x03") -> bytes:
    return magic + struct.pack(f">{len(lengths)}I", *lengths)


MALFORMED = {
    "empty": b"",
    "three bytes": SOUND[:3],
    "header cut": SOUND[:9],
    "values cut": SOUND[:-1],
    "surplus byte": SOUND + b"\0",
    "other magic": b"\xde\xad\xbe\xef" + SOUND[4:],
    "floats": _header(2, 3, 4, magic=b"\0\0\x0d\x03") + bytes(96),
    "signed bytes": _header(2, 3, 4, magic=b"\0\0\x09\x03") + bytes(24),
    "no dimensions": b"\0\0\x08\x00",
    "two dimensions": _header(2, 12, magic=b"\0\0\x08\x02") + bytes(24),
    "200 dimensions": b"\0\0\x08\xc8" + bytes(24),
    "little-endian": b"\0\0\x08\x03" + struct.pack("<3I", 2, 3, 4) + bytes(24),
    "too many images": _header(3, 3, 4) + bytes(24),
    "2**32 - 1 images": _header(2**32 - 1, 28, 28) + bytes(24),
    "product over 2**64": _header(2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(24),
    "no images of endless sides": _header(0, 2**32 - 1, 2**32 - 1),
    "a page of HTML": b"<html><body>503</body></html>",
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_content_is_named(path: Path, content: bytes, pack: type[bytes]) -> None:
    path.write_bytes(pack(content))
    with pytest.raises(
        DatasetFormatError, match=r"images-idx3-ubyte.*at byte \d+.*expected.*found"
    ):
        read_idx(path, ndim=3)


PACKED = gzip.compress(SOUND)
BAD_GZIP = {
    "cut": PACKED[:-12],
    "checksum cut": PACKED[:-5],
    "wrong checksum": PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
    "wrong length": PACKED[:-4] + b"\xff\0\0\0",
    "two members": PACKED + PACKED,
    "trailing bytes": PACKED + b"\0\0",
    "only the magic": b"\x1f\x8b",
    "plain behind the magic": b"\x1f\x8b" + SOUND,
}


@pytest.mark.parametrize("content", BAD_GZIP.values(), ids=BAD_GZIP.keys())
def test_bad_gzip_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DatasetFormatError, match="images-idx3-ubyte"):
        read_idx(path, ndim=3)


def test_a_bomb_is_not_unfolded(path: Path) -> None:
    """A header that declares little in front of 100 MB of zeros costs little."""
    import tracemalloc

    path.write_bytes(gzip.compress(_header(1, 1, 1) + bytes(100_000_000)))
    tracemalloc.start()
    with pytest.raises(DatasetFormatError, match="surplus"):
        read_idx(path, ndim=3)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


@given(content=st.binary(max_size=64))
def test_any_bytes_are_an_array_or_a_format_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    try:
        read = read_idx(path, ndim=1)
    except DatasetFormatError:
        return
    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    assert idx_header(read.shape) + read.tobytes() == plain


def test_a_missing_file_is_a_missing_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(path, ndim=3)
