"""Files of arrays with a JSON description; nothing in them is ever executed.

The format is safetensors: a length, a JSON header, the bytes of the arrays. The description is in
the header's metadata, with a SHA-256 of the whole content, which detects damage but not forgery.

The safetensors library is not used: it does not always write the same bytes for the same content,
takes more memory, and cannot say which array is at fault. Nothing is allocated before the header
agrees with the file's size.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MOST_HEADER_BYTES = 16 * 2**20
_MOST_BYTES = 2**33

# The format's names of dtypes; it has others, which NumPy does not know.
_DTYPES = {
    f"{letter}{8 * size}": np.dtype(f"<{kind}{size}")
    for letter, kind, sizes in (
        ("F", "f", (2, 4, 8)),
        ("I", "i", (1, 2, 4, 8)),
        ("U", "u", (1, 2, 4, 8)),
    )
    for size in sizes
} | {"BOOL": np.dtype(np.bool_)}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class _Extent(NamedTuple):
    """Where an array lies, in bytes from the end of the header, and its name, dtype and shape."""

    begin: int
    end: int
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def pack(description: Any, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of a file with these arrays and this description, which must be JSON-serialisable.

    Equal input gives equal bytes.
    """
    contiguous = {
        name: np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        for name, array in arrays.items()
    }
    text = json.dumps(description)
    checksum = _fingerprint(text, contiguous)
    header: dict[str, Any] = {"__metadata__": {"mnist_models": text, "sha256": checksum}}
    # widest dtypes first, so that every array is aligned
    names = sorted(contiguous, key=lambda name: (-contiguous[name].itemsize, name))
    end = 0
    for name in names:
        array = contiguous[name]
        begin, end = end, end + array.nbytes
        entry = {"dtype": _NAMES[array.dtype], "shape": array.shape, "data_offsets": [begin, end]}
        header[name] = entry
    content = json.dumps(header).encode()
    content += b" " * (-len(content) % 8)
    arrays_bytes = [contiguous[name].tobytes() for name in names]
    return b"".join([len(content).to_bytes(8, "little"), content, *arrays_bytes])


def unpack(file: BinaryIO) -> tuple[Any, dict[str, NDArray[Any]]]:
    """The description and the arrays of an open file, after checking its checksum.

    The arrays are read-only views of one block of memory.

    Raises
    ------
    ValueError
        If it is not such a file, or is damaged.

    Examples
    --------
    >>> import io
    >>> content = pack({"digit": 4}, {"pixels": np.zeros(3)})
    >>> unpack(io.BytesIO(content))
    ({'digit': 4}, {'pixels': array([0., 0., 0.])})
    >>> unpack(io.BytesIO(content[:-1]))
    Traceback (most recent call last):
    ...
    ValueError: expected 24 bytes of arrays, found 23: the file was cut, or written to
    """
    header, n_bytes = _read_header(file)
    metadata = header.pop("__metadata__", None)
    text, checksum = _strings(metadata, "mnist_models", "sha256")
    extents = sorted(_extent(name, entry) for name, entry in header.items())
    _check_extents(extents, n_bytes)
    content = file.read(n_bytes)
    arrays = {each.name: _array(each, content) for each in extents}
    if checksum != _fingerprint(text, arrays):
        raise ValueError("expected content that matches its SHA-256, found other content: damaged")
    for name, array in arrays.items():
        if array.dtype == bool and (array.view(np.uint8) > 1).any():
            raise ValueError(f"expected truth values in array {name!r}, found other bytes")
    return _parse(text, "a description"), arrays


def _read_header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes follow it."""
    file_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file_bytes > _MOST_BYTES:
        raise ValueError(f"expected at most {_MOST_BYTES} bytes, found {file_bytes}")
    size = int.from_bytes(file.read(8), "little")
    if size > min(_MOST_HEADER_BYTES, file_bytes - 8):
        raise ValueError("expected a safetensors header, found something else")
    header = _parse(file.read(size), "a safetensors header")
    if not isinstance(header, dict):
        raise ValueError(f"expected a safetensors header, found a {type(header).__name__}")
    return header, file_bytes - 8 - size


def _parse(text: str | bytes, what: str) -> Any:
    """Parse JSON; duplicate keys are refused, as readers differ in which one they take."""
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected {what} in JSON, found {error}") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a duplicate key among {sorted(found)}")
    return found


def _strings(metadata: Any, *names: str) -> list[str]:
    if not isinstance(metadata, dict) or metadata.keys() != set(names):
        raise ValueError("expected a description of mnist_models, found none")
    values = list(map(metadata.__getitem__, names))
    if not all(isinstance(value, str) for value in values):
        raise ValueError("expected a description of mnist_models, found something else")
    return values


def _extent(name: str, entry: Any) -> _Extent:
    """The header's entry for one array, checked."""
    try:
        dtype, shape, (begin, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        whole = all(type(each) is int and each >= 0 for each in (*shape, begin, end))
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"expected array {name!r} to have type, shape and place: {entry}"
        ) from error
    # checked before multiplying: a string times a number could fill the memory
    if not whole or math.prod(shape) * dtype.itemsize != end - begin:
        raise ValueError(f"expected array {name!r} to fill its place, found {entry}")
    return _Extent(begin, end, name, dtype, tuple(shape))


def _check_extents(extents: list[_Extent], n_bytes: int) -> None:
    """Raise ValueError unless the arrays fill the file without gaps or overlaps."""
    end = 0
    for each in extents:
        if each.begin != end:
            raise ValueError(
                f"expected array {each.name!r} at byte {end}, found it at {each.begin}"
            )
        end = each.end
    if end != n_bytes:
        raise ValueError(
            f"expected {end} bytes of arrays, found {n_bytes}: the file was cut, or written to"
        )


def _array(extent: _Extent, content: bytes) -> NDArray[Any]:
    begin, _, name, dtype, shape = extent
    try:
        return np.ndarray(shape, dtype, buffer=content, offset=begin)
    except ValueError as error:  # more than 64 axes, or a side like 2**63 beside one of 0
        raise ValueError(f"expected array {name!r} to be one of NumPy's: {error}") from error


def _fingerprint(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of the description and of every array's name, type, shape and bytes."""
    content = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        content.update(f"{name} {array.dtype.str} {array.shape}".encode())
        content.update(array.data)
    return content.hexdigest()
