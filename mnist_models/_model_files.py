"""Model files: a description and arrays in the safetensors format. Nothing here knows estimators.

The file's only metadata entry is the SHA-256 of its content, which detects damage but not forgery,
and the description as JSON. A file is read once; what is checked is what is used.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_models._files import atomic_writer, kind_of, open_file
from mnist_models.exceptions import ModelFormatError, ModelSecurityError

Arrays = dict[str, NDArray[Any]]

# Format 1 kept the SHA-256 in an entry of its own, and the order of two entries varies; the forests
# of format 2 took three times as many bytes.
_FORMATS = (1, 2, 3)
_ENTRY = "mnist_models"
_MOST_BYTES = 2**33
_MOST_HEADER_BYTES = 2**24
_MOST_ARRAYS = 1000
_LONGEST_TEXT = 200  # of what a file holds, in a message

# The libraries that determine the last bits of predictions.
_DECISIVE = ("mnist_models", "numpy", "scikit-learn", "keras", "tensorflow")


class Manifest(NamedTuple):
    """What a model file holds beside its arrays."""

    format: int
    versions: dict[str, str]
    kind: str
    settings: dict[str, Any]


def decisive_versions() -> dict[str, str]:
    """The installed versions of the libraries that predictions depend on."""
    return {name: version(name) for name in _DECISIVE}


def require(sound: bool, found: str, expected: str) -> None:
    """Raise ModelFormatError, with what was expected and found, unless ``sound``."""
    if not sound:
        raise ModelFormatError(f"expected {printable(expected)}, found {printable(found)}")


def printable(text: Any, longest: int = _LONGEST_TEXT) -> str:
    """Text of a file in ASCII, without control characters, cut if it is long."""
    text = str(text)
    cut = "..." if len(text) > longest else ""
    return re.sub("[^ -~]", lambda found: ascii(found[0])[1:-1], text[:longest]) + cut


def write_model_file(
    path: str | PathLike[str], kind: str, settings: dict[str, Any], arrays: Arrays
) -> None:
    """Write a file, whole or not at all. The same model makes the same bytes."""
    from safetensors.numpy import save

    text = json.dumps(Manifest(_FORMATS[-1], decisive_versions(), kind, settings)._asdict())
    contiguous = {
        name: np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        for name, array in arrays.items()
    }
    content = save(contiguous, {_ENTRY: f"{_fingerprint(text, contiguous)} {text}"})
    _description(content)  # what is too large to be read is not written
    with atomic_writer(path) as file:
        file.write(content)


def read_model_file(
    path: str | PathLike[str], expected_sha256: str | None = None
) -> tuple[Manifest, Arrays]:
    """The content of a model file; errors are those of :func:`mnist_models.load_model`."""
    content = _read(path)
    if expected_sha256 is not None:
        _check_sha256(path, content, expected_sha256)
    return _parse(path, content)


def inspect_model(path: str | PathLike[str]) -> Iterator[str]:
    """Lines that describe a file, in which its text is escaped: no line moves a cursor."""
    content = _read(path)
    manifest, arrays = _parse(path, content)
    yield f"{path}: a model in format {manifest.format}, {len(content):,} bytes"
    yield f"sha256 {hashlib.sha256(content).hexdigest()}"
    for name, number in manifest.versions.items():
        yield f"saved with {printable(name)} {printable(number)}"
    try:
        yield from _describe(manifest.kind, manifest.settings)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ModelSecurityError(
            f"{path} has a right checksum, but no description of a model: {printable(repr(error))}."
            " Do not use it, and find out where it comes from."
        ) from None
    yield f"{len(arrays)} arrays"
    for name, array in sorted(arrays.items()):
        shape = " x ".join(f"{side:,}" for side in array.shape) or "one number"
        yield f"  {printable(name)}: {array.dtype} {shape}, {array.nbytes:,} bytes"


def _describe(
    kind: str, settings: dict[str, Any], name: str = "", indent: str = ""
) -> Iterator[str]:
    yield f"{indent}{printable(f'{name}{kind}')}"
    indent += "  "
    for step in settings.get("steps", ()):
        yield from _describe(step["kind"], step["settings"], f"{step['name']}: ", indent)
    for name, value in {**settings, **settings.get("params", {})}.items():
        if name not in ("steps", "params", "layouts") and value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"{indent}{printable(name)} = {printable(text, longest=60)}"


def _read(path: str | PathLike[str]) -> bytes:
    """The file's bytes, all that any check will look at: it may be another file a moment later."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MOST_BYTES:
            raise ModelFormatError(
                f"{path} is larger than any model: expected at most {_MOST_BYTES:,} bytes, found "
                f"{size:,}."
            )
        return file.read(size)


def _check_sha256(path: str | PathLike[str], content: bytes, expected: str) -> None:
    if not (isinstance(expected, str) and re.fullmatch("[0-9a-fA-F]{64}", expected)):
        raise ValueError(
            f"expected_sha256 must be 64 hexadecimal digits. Got {expected!r} instead."
        )
    found = hashlib.sha256(content).hexdigest()
    if found != expected.lower():
        raise ModelSecurityError(
            f"{path} is not the file expected: expected the SHA-256 {expected.lower()}, found "
            f"{found}. Do not use it, and find out where it comes from."
        )


def _parse(path: str | PathLike[str], content: bytes) -> tuple[Manifest, Arrays]:
    try:
        arrays = _parse_arrays(content)  # which knows at once what is no safetensors file
        checksum, text = _description(content)
        require(checksum == _fingerprint(text, arrays), "other content: damaged", "that of its sum")
        return _manifest(_parse_json(text)), arrays
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise ModelFormatError(
            f"{path} is not a model that this version of mnist_models can load: "
            f"{printable(error, 3 * _LONGEST_TEXT)}. Save the model again with save_model, or name "
            "another file."
        ) from None


def _description(content: bytes) -> tuple[str, str]:
    """The SHA-256 that the file gives for its content, and its description."""
    header = _parse_json(_header(content))
    metadata = header.get("__metadata__") or {}  # null is none to the library too
    require(_ENTRY in metadata, "none", "the description of a model")
    require(len(header) <= _MOST_ARRAYS, f"{len(header):,}", f"at most {_MOST_ARRAYS} arrays")
    if metadata.keys() == {_ENTRY, "sha256"}:  # format 1
        return metadata["sha256"], metadata[_ENTRY]
    require(len(metadata) == 1, f"{list(metadata)}", f"one entry, {_ENTRY!r}")
    checksum, _, text = metadata[_ENTRY].partition(" ")
    return checksum, text


def _header(content: bytes) -> bytes:
    """The bytes of the safetensors header, whose length comes first."""
    kind = kind_of(content[:16])
    require(kind == "a model file", f"a file that is {kind}", "a safetensors header")
    size = int.from_bytes(content[:8], "little")
    most = min(_MOST_HEADER_BYTES, len(content) - 8)
    require(size <= most, f"one of {size:,} bytes", f"a safetensors header of at most {most:,}")
    return content[8 : 8 + size]


def _parse_json(text: str | bytes) -> Any:
    """Parse JSON without duplicate keys, of which readers take the first or the last."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        require(len(found) == len(pairs), f"a key twice: {list(found)}", "each key once")
        return found

    return json.loads(text, object_pairs_hook=unique)


def _parse_arrays(content: bytes) -> Arrays:
    """The arrays, by the library, which allocates no more than the file holds."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    _header(content)
    try:
        arrays: Arrays = load(content)
    except KeyError as error:  # a dtype that NumPy does not have
        raise ModelFormatError(f"expected arrays of numbers, found {error}") from None
    except (SafetensorError, AttributeError) as error:
        raise ModelFormatError(f"expected whole arrays, found {error}: cut, or damaged") from None
    return arrays


def _fingerprint(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of the description and of every array's name, type, shape and bytes."""
    content = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        content.update(f"{name} {array.dtype.str} {array.shape}".encode())
        content.update(array.data)
    return content.hexdigest()


def _manifest(data: Any) -> Manifest:
    has_format = isinstance(data, dict) and type(data.get("format")) is int
    require(has_format, "none", "the description of a model")
    if data["format"] not in _FORMATS:  # the rest may be anything
        versions = data.get("versions")
        writer = versions.get("mnist_models") if isinstance(versions, dict) else None
        raise ModelFormatError(
            f"expected format {_FORMATS[-1]}, found {data['format']}: "
            f"load it with mnist_models {writer!r}"
        )
    require(data.keys() == set(Manifest._fields), f"{sorted(data)}", f"{Manifest._fields}")
    saved = data["versions"]
    sound = isinstance(saved, dict) and saved.keys() == set(_DECISIVE)
    sound = sound and all(type(text) is str and len(text) < 50 for text in saved.values())
    require(sound, f"versions {saved!r}", f"those of {_DECISIVE}")
    return Manifest(**data)
