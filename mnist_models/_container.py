"""Files that hold arrays, and a description in JSON of what they mean; nothing in them is executed.

The container is safetensors: a length, a JSON header, the bytes of the arrays. The description
stands in the header's metadata, with a SHA-256 over all of it, which tells damage, not malice.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

_MOST_HEADER_BYTES = 16 * 2**20


def pack(description: Any, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of a file with these arrays and this description, which must suit JSON."""
    contiguous = {
        name: np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        for name, array in arrays.items()
    }
    text = json.dumps(description)
    metadata = {"mnist_models": text, "sha256": _fingerprint(text, contiguous)}
    return bytes(safetensors.numpy.save(contiguous, metadata))


def unpack(content: bytes) -> tuple[Any, dict[str, NDArray[Any]]]:
    """The description and the arrays of a file, once its checksum has been found right.

    Raises
    ------
    ValueError
        If it is no such file, or was damaged.

    Examples
    --------
    >>> content = pack({"digit": 4}, {"pixels": np.zeros(3)})
    >>> unpack(content)
    ({'digit': 4}, {'pixels': array([0., 0., 0.])})
    >>> unpack(content[:-1])
    Traceback (most recent call last):
    ...
    ValueError: expected sound safetensors data, found ...
    """
    size = int.from_bytes(content[:8], "little")
    if not 2 <= size <= min(_MOST_HEADER_BYTES, len(content) - 8) or content[8:9] != b"{":
        raise ValueError("expected a safetensors header, found something else")
    try:
        header = json.loads(content[8 : 8 + size])
        arrays = safetensors.numpy.load(content)
    except (SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise ValueError(f"expected sound safetensors data, found {error}") from error
    metadata = header.get("__metadata__") or {}
    text = metadata.get("mnist_models", "")
    if not text:
        raise ValueError("expected a description of mnist_models, found none")
    if metadata.get("sha256") != _fingerprint(text, arrays):
        raise ValueError("expected the content its SHA-256 tells of, found another: damaged")
    try:
        return json.loads(text), arrays
    except RecursionError as error:
        raise ValueError("expected a description, found one that is nested too deep") from error


def _fingerprint(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of the description and of every array's name, type, shape and bytes."""
    content = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        content.update(f"{name} {array.dtype.str} {array.shape}".encode())
        content.update(array.tobytes())
    return content.hexdigest()
