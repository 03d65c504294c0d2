"""The IDX reader takes exactly IDX files."""

import gzip
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_models._data.idx import _BLOCK_BYTES, idx_header, read_idx
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


_TYPE = "00000803 (unsigned bytes, 3 dimensions), found"
_END = "found the end of the file"
# What is wrong where, in words that hold for plain files and for gzip's.
MALFORMED = {
    "empty": (b"", f"0 of its content expected {_TYPE} nothing"),
    "three bytes": (SOUND[:3], f"0 of its content expected {_TYPE} 000008"),
    "header cut": (SOUND[:9], f"9 of its content expected 3 lengths of 4 bytes each, {_END}"),
    "length cut": (SOUND[:15], f"15 of its content expected 3 lengths of 4 bytes each, {_END}"),
    "only the magic": (SOUND[:4], f"4 of its content expected 3 lengths of 4 bytes each, {_END}"),
    "surplus bytes": (
        SOUND + bytes(9),
        "40 of its content expected the end after shape (2, 3, 4), found surplus bytes",
    ),
    "other magic": (b"\xde\xad\xbe\xef" + SOUND[4:], f"0 of its content expected {_TYPE} deadbeef"),
    "floats": (_header(2, 3, 4, magic=b"\0\0\x0d\x03") + bytes(96), f"{_TYPE} 00000d03"),
    "signed bytes": (_header(2, 3, 4, magic=b"\0\0\x09\x03") + bytes(24), f"{_TYPE} 00000903"),
    "short integers": (_header(2, 3, 4, magic=b"\0\0\x0b\x03") + bytes(48), f"{_TYPE} 00000b03"),
    "integers": (_header(2, 3, 4, magic=b"\0\0\x0c\x03") + bytes(96), f"{_TYPE} 00000c03"),
    "doubles": (_header(2, 3, 4, magic=b"\0\0\x0e\x03") + bytes(192), f"{_TYPE} 00000e03"),
    "four dimensions": (
        _header(2, 3, 2, 2, magic=b"\0\0\x08\x04") + bytes(24),
        f"{_TYPE} 00000804",
    ),
    "no dimensions": (b"\0\0\x08\x00", f"{_TYPE} 00000800"),
    "two dimensions": (_header(2, 12, magic=b"\0\0\x08\x02") + bytes(24), f"{_TYPE} 00000802"),
    "200 dimensions": (b"\0\0\x08\xc8" + bytes(24), f"{_TYPE} 000008c8"),
    "a page of HTML": (b"<html><body>503</body></html>", f"{_TYPE} 3c68746d"),
}
# What a plain file is too small for; in gzip's it is only known at the end.
TOO_LARGE = {
    "values cut": (SOUND[:-1], (2, 3, 4), 23),
    "too many images": (_header(3, 3, 4) + bytes(24), (3, 3, 4), 24),
    "little-endian": (
        b"\0\0\x08\x03" + struct.pack("<3I", 2, 3, 4) + bytes(24),
        (2 << 24, 3 << 24, 4 << 24),
        24,
    ),
    "2**32 - 1 images": (_header(2**32 - 1, 28, 28) + bytes(24), (2**32 - 1, 28, 28), 24),
    "product over 2**64": (_header(*[2**32 - 1] * 3) + bytes(24), (2**32 - 1,) * 3, 24),
    "no images of endless sides": (_header(0, *[2**32 - 1] * 2), (0, 2**32 - 1, 2**32 - 1), 0),
}


def _assert_is_not_sound(path: Path, content: bytes, told: str, ndim: int = 3) -> None:
    path.write_bytes(content)
    with pytest.raises(DatasetFormatError, match=re.escape(told)) as error:
        read_idx(path, ndim=ndim)
    assert str(error.value).startswith(f"{path} is not a valid IDX file: at byte ")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("content", "told"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_content_is_named(
    path: Path, content: bytes, told: str, pack: type[bytes]
) -> None:
    _assert_is_not_sound(path, pack(content), f"{told}. Fetch the file again")


@pytest.mark.parametrize(("content", "shape", "most"), TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_no_shape_is_believed_that_the_file_cannot_hold(
    path: Path, content: bytes, shape: tuple[int, ...], most: int
) -> None:
    told = f"4 of its content expected at most {most} values, all that this file may hold, found"
    _assert_is_not_sound(path, content, f"{told} shape {shape}")
    _assert_is_not_sound(path, gzip.compress(content), f"shape {shape}")


def test_a_length_that_was_cut_is_named(path: Path) -> None:
    told = f"7 of its content expected 1 lengths of 4 bytes each, {_END}"
    _assert_is_not_sound(path, idx_header((5,))[:7], told, ndim=1)


def test_values_that_gzip_lacks_are_named(path: Path) -> None:
    told = f"39 of its content expected 24 values of shape (2, 3, 4), {_END}"
    _assert_is_not_sound(path, gzip.compress(SOUND[:-1]), told)


@pytest.mark.parametrize("n_bytes", [100, 700_000], ids=["64 MB at least", "100 for one"])
def test_what_a_gzip_file_may_hold(path: Path, n_bytes: int, rng: np.random.Generator) -> None:
    noise = rng.bytes(n_bytes)
    most = max(2**26, 100 * len(gzip.compress(idx_header((2**26,)) + noise)))
    for length, told in [
        (most, f"expected {most} values of shape ({most},), {_END}"),
        (most + 1, f"expected at most {most} values"),
    ]:
        content = gzip.compress(idx_header((length,)) + noise)
        _assert_is_not_sound(path, content, told, ndim=1)


def test_no_values_of_the_largest_shape_there_is(path: Path) -> None:
    """NumPy's arrays end below 2**63 values, even where a side of 0 leaves none."""
    largest, larger = (0, 2**21, 2**21, 2**21 - 1), (0, 2**21, 2**21, 2**21)
    path.write_bytes(idx_header(largest))
    assert read_idx(path, ndim=4).shape == largest
    _assert_is_not_sound(path, idx_header(larger), "expected at most 0 values", ndim=4)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_reads_what_takes_many_blocks(path: Path, pack: type[bytes]) -> None:
    """Noise, which gzip cannot shorten, then the same 30 KB again and again, then blanks."""
    noise = np.random.default_rng(0).integers(0, 256, 600_000, dtype=np.uint8)
    again, blanks = np.resize(noise[:30_000], 600_000), np.zeros(600_001, dtype=np.uint8)
    values = np.concatenate([noise, again, blanks])
    content = idx_header((len(values),)) + values.tobytes()
    path.write_bytes(pack(content))
    np.testing.assert_array_equal(read_idx(path, ndim=1), values)
    end = len(content)
    _assert_is_not_sound(path, pack(content + b"\0"), f"at byte {end} of", ndim=1)
    if pack is gzip.compress:
        _assert_is_not_sound(path, pack(content[:-1]), f"at byte {end - 1} of", ndim=1)


PACKED = gzip.compress(SOUND)
BAD_GZIP = {
    "cut": (PACKED[:-12], _END),
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


@pytest.mark.parametrize(("content", "told"), BAD_GZIP.values(), ids=BAD_GZIP.keys())
def test_bad_gzip_is_named(path: Path, content: bytes, told: str) -> None:
    _assert_is_not_sound(path, content, told)


def test_a_name_in_gzip_may_take_more_than_a_block(path: Path) -> None:
    """Then zlib reads and has nothing to give."""
    named = PACKED[:3] + b"\x08" + PACKED[4:10] + b"n" * 2 * _BLOCK_BYTES + b"\0"
    path.write_bytes(named + PACKED[10:])
    np.testing.assert_array_equal(read_idx(path, ndim=3), IMAGES)


def test_damage_in_gzip_data_is_placed_to_the_block(path: Path) -> None:
    content = idx_header((700_000,)) + bytes(700_000)
    path.write_bytes(gzip.compress(content, compresslevel=0)[:-8] + bytes(8))
    with pytest.raises(DatasetFormatError, match=r"at byte \d+ .* valid gzip data") as error:
        read_idx(path, ndim=1)
    told = int(re.findall(r"at byte (\d+)", str(error.value))[0])
    assert len(content) - _BLOCK_BYTES <= told <= len(content)


def test_bytes_behind_gzip_data_that_ends_with_a_block_are_noticed(path: Path) -> None:
    """Then zlib has not seen them."""
    n_values = _BLOCK_BYTES
    for _ in range(3):  # stored without compression, a file is a little longer than its content
        values = idx_header((n_values,)) + bytes(n_values)
        packed = gzip.compress(values, compresslevel=0)
        n_values -= len(packed) - _BLOCK_BYTES
    assert len(packed) == _BLOCK_BYTES
    path.write_bytes(packed)
    assert read_idx(path, ndim=1).shape == (n_values,)
    _assert_is_not_sound(path, packed + b"\0", "found bytes after the gzip data", ndim=1)


def _peak_of_refusing(path: Path) -> int:
    """The most memory allocated until the file was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(DatasetFormatError):
            read_idx(path, ndim=3)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


_BOMB = bytes(100_000_000)  # of which gzip makes 97 kB


@pytest.mark.parametrize(
    "content",
    [
        *(content for content, _ in MALFORMED.values()),
        *(content for content, *_ in TOO_LARGE.values()),
        gzip.compress(_header(1, 1, 1) + _BOMB),
        gzip.compress(_header(100, 1000, 1000) + _BOMB),
        gzip.compress(_header(2**32 - 1, 28, 28) + bytes(24)),
    ],
    ids=[*MALFORMED, *TOO_LARGE, "a bomb behind a small header", "an honest bomb", "a liar"],
)
def test_what_is_refused_costs_little(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert _peak_of_refusing(path) < 2_000_000


@pytest.mark.parametrize("n_images", [2**6, 2**6 + 1])  # within the cap, and beyond it
def test_nothing_is_allocated_on_a_headers_word(path: Path, n_images: int) -> None:
    path.write_bytes(gzip.compress(_header(n_images, 2**10, 2**10) + bytes(24)))
    assert _peak_of_refusing(path) < 2_000_000


def test_a_plain_file_named_gz_is_told_by_its_content(path: Path) -> None:
    plain, packed = path.with_suffix(".gz"), path.with_suffix(".idx")
    plain.write_bytes(SOUND)
    packed.write_bytes(gzip.compress(SOUND))
    np.testing.assert_array_equal(read_idx(plain, ndim=3), read_idx(packed, ndim=3))


@st.composite
def nearly_idx(draw: st.DrawFn) -> bytes:
    """Headers of small arrays, more or less of what they tell of, packed or not, and spoilt."""
    lengths = draw(st.lists(st.integers(0, 5), max_size=4))
    magic = bytes([0, 0, draw(st.sampled_from([8, 8, 8, 9, 13])), len(lengths)])
    size = int(np.prod(lengths, dtype=int)) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    content = _header(*lengths, magic=magic) + bytes(range(max(size, 0) % 256))
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
    assert idx_header(read.shape) + read.tobytes() == plain


def test_a_missing_file_is_a_missing_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(path, ndim=3)
