"""The IDX reader takes exactly IDX files, and refuses others for little memory."""

import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_models._files import _BLOCK_BYTES
from mnist_models._idx import read_idx
from mnist_models.exceptions import DatasetFormatError

from .commands import idx_header

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
SOUND = idx_header(*IMAGES.shape) + IMAGES.tobytes()
PACKED = gzip.compress(SOUND)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images-idx3-ubyte"


def test_reads_what_was_written_whatever_the_name(tmp_path: Path) -> None:
    for name, content in {"plain.gz": SOUND, "packed.idx": PACKED}.items():
        (tmp_path / name).write_bytes(content)
        read = read_idx(tmp_path / name, ndim=3)
        np.testing.assert_array_equal(read, IMAGES)
        assert read.dtype == np.uint8
        assert not read.flags.writeable


def _assert_is_refused(path: Path, content: bytes, message: str, ndim: int = 3) -> None:
    """The message says what is wrong where, and little memory was spent on finding out."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetFormatError, match=re.escape(message)) as error:
            read_idx(path, ndim=ndim)
        assert tracemalloc.get_traced_memory()[1] < 2_500_000
    finally:
        tracemalloc.stop()
    assert str(error.value).startswith(f"{path} is not a valid IDX file: at byte ")
    assert "Fetch the file again" in str(error.value)


_TYPE = "00000803 (unsigned bytes, 3 dimensions), found"
_END = "found the end of the file"
# What is wrong where, in words that hold for plain files and for gzip's.
MALFORMED = {
    "empty": (b"", f"0 of its content expected {_TYPE} nothing"),
    "three bytes": (SOUND[:3], f"0 of its content expected {_TYPE} 000008"),
    "only the magic": (SOUND[:4], f"4 of its content expected 3 lengths of 4 bytes each, {_END}"),
    "header cut": (SOUND[:9], f"9 of its content expected 3 lengths of 4 bytes each, {_END}"),
    "surplus bytes": (
        SOUND + bytes(9),
        "40 of its content expected the end after shape (2, 3, 4), found surplus bytes",
    ),
    "other magic": (b"\xde\xad\xbe\xef" + SOUND[4:], f"0 of its content expected {_TYPE} deadbeef"),
    "signed bytes": (b"\0\0\x09\x03" + SOUND[4:], f"{_TYPE} 00000903"),
    "doubles": (b"\0\0\x0e\x03" + SOUND[4:] + bytes(7 * 24), f"{_TYPE} 00000e03"),
    "no dimensions": (idx_header(), f"{_TYPE} 00000800"),
    "four dimensions": (idx_header(2, 3, 2, 2) + bytes(24), f"{_TYPE} 00000804"),
    "a page of HTML": (b"<html><body>503</body></html>", f"{_TYPE} 3c68746d"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_content_is_named(path: Path, content: bytes, message: str) -> None:
    _assert_is_refused(path, content, message)
    _assert_is_refused(path, gzip.compress(content), message)


# What a plain file is too small for; in gzip's it is only known at the end.
TOO_LARGE = {
    "values cut": (SOUND[:-1], 23),
    "too many images": (idx_header(3, 3, 4) + bytes(24), 24),
    "little-endian": (idx_header(2 << 24, 3 << 24, 4 << 24) + bytes(24), 24),
    "product over 2**64": (idx_header(*[2**32 - 1] * 3) + bytes(24), 24),
    "no images of endless sides": (idx_header(0, *[2**32 - 1] * 2), 0),
}


@pytest.mark.parametrize(("content", "most"), TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_no_shape_is_believed_that_the_file_cannot_hold(
    path: Path, content: bytes, most: int
) -> None:
    shape = tuple(int(length) for length in np.frombuffer(content[4:16], ">u4"))
    message = f"4 of its content expected at most {most} values, all that this file may hold, found"
    _assert_is_refused(path, content, f"{message} shape {shape}")
    _assert_is_refused(path, gzip.compress(content), f"shape {shape}")


@pytest.mark.parametrize("n_bytes", [100, 700_000], ids=["64 MB at least", "100 for one"])
def test_what_a_gzip_file_may_hold(path: Path, n_bytes: int, rng: np.random.Generator) -> None:
    noise = rng.bytes(n_bytes)
    most = max(2**26, 100 * len(gzip.compress(idx_header(2**26) + noise)))
    for length, message in [
        (most, f"expected {most} values of shape ({most},), {_END}"),
        (most + 1, f"expected at most {most} values"),
    ]:
        _assert_is_refused(path, gzip.compress(idx_header(length) + noise), message, ndim=1)


def test_a_decompression_bomb_is_not_unpacked(path: Path) -> None:
    zeros = bytes(100_000_000)  # of which gzip makes 97 kB
    _assert_is_refused(path, gzip.compress(idx_header(1, 1, 1) + zeros), "found surplus bytes")
    _assert_is_refused(path, gzip.compress(idx_header(100, 1000, 1000) + zeros), "at most")


BAD_GZIP = {
    "cut": (PACKED[:-12], _END),
    "a value missing": (
        gzip.compress(SOUND[:-1]),
        f"39 of its content expected 24 values of shape (2, 3, 4), {_END}",
    ),
    "checksum cut": (PACKED[:-5], "40 of its content expected gzip's closing checksum, found the"),
    "wrong checksum": (
        PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:],
        "expected valid gzip data, found Error -3",
    ),
    "wrong length": (PACKED[:-4] + b"\xff\0\0\0", "expected valid gzip data"),
    "two members": (PACKED + PACKED, "40 of its content expected the end of the file, found bytes"),
    "trailing bytes": (PACKED + b"\0\0", "found bytes after the gzip data"),
    "only the magic": (b"\x1f\x8b", f"0 of its content expected {_TYPE} nothing"),
    "plain behind the magic": (b"\x1f\x8b" + SOUND, "0 of its content expected valid gzip data"),
}


@pytest.mark.parametrize(("content", "message"), BAD_GZIP.values(), ids=BAD_GZIP.keys())
def test_bad_gzip_is_named(path: Path, content: bytes, message: str) -> None:
    _assert_is_refused(path, content, message)


def test_reads_what_takes_many_blocks(path: Path, rng: np.random.Generator) -> None:
    """Noise, which gzip cannot shorten, then the same 30 KB again and again, then blanks."""
    noise = rng.integers(0, 256, 600_000, dtype=np.uint8)
    again, blanks = np.resize(noise[:30_000], 600_000), np.zeros(600_001, dtype=np.uint8)
    values = np.concatenate([noise, again, blanks])
    content = idx_header(len(values)) + values.tobytes()
    for pack in (bytes, gzip.compress):
        path.write_bytes(pack(content))
        np.testing.assert_array_equal(read_idx(path, ndim=1), values)
        path.write_bytes(pack(content + b"\0"))
        with pytest.raises(DatasetFormatError, match=f"at byte {len(content)} of"):
            read_idx(path, ndim=1)


def test_a_name_in_gzip_may_take_more_than_a_block(path: Path) -> None:
    """Then zlib reads and has nothing to give."""
    named = PACKED[:3] + b"\x08" + PACKED[4:10] + b"n" * 2 * _BLOCK_BYTES + b"\0"
    path.write_bytes(named + PACKED[10:])
    np.testing.assert_array_equal(read_idx(path, ndim=3), IMAGES)


def test_bytes_behind_gzip_data_that_ends_with_a_block_are_noticed(path: Path) -> None:
    """Then zlib has not seen them."""
    n_values = _BLOCK_BYTES
    for _ in range(3):  # stored without compression, a file is a little longer than its content
        packed = gzip.compress(idx_header(n_values) + bytes(n_values), compresslevel=0)
        n_values -= len(packed) - _BLOCK_BYTES
    assert len(packed) == _BLOCK_BYTES
    path.write_bytes(packed)
    assert read_idx(path, ndim=1).shape == (n_values,)
    _assert_is_refused(path, packed + b"\0", "found bytes after the gzip data", ndim=1)


@st.composite
def nearly_idx(draw: st.DrawFn) -> bytes:
    """Headers of small arrays, more or less of what they tell of, packed or not, and spoilt."""
    lengths = draw(st.lists(st.integers(0, 5), max_size=4))
    magic = bytes([0, 0, draw(st.sampled_from([8, 8, 8, 9, 13])), len(lengths)])
    size = int(np.prod(lengths, dtype=int)) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    content = magic + idx_header(*lengths)[4:] + bytes(range(max(size, 0) % 256))
    if draw(st.booleans()):
        content = gzip.compress(content)
    at = draw(st.integers(0, len(content)))
    put, n_lost = draw(st.sampled_from([(b"", 0)] * 2 + [(b"\7", 1), (b"\7", 0), (b"", 99)]))
    return content[:at] + put + content[at + n_lost :]


@given(content=st.binary(max_size=64) | nearly_idx(), ndim=st.sampled_from([1, 3]))
def test_any_bytes_are_an_array_or_a_format_error(
    content: bytes, ndim: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    try:
        read = read_idx(path, ndim=ndim)
    except DatasetFormatError:
        return
    plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    assert idx_header(*read.shape) + read.tobytes() == plain
