"""A description of a model file's content, for which no model is built."""

import hashlib
import json
from collections.abc import Iterator
from os import PathLike
from typing import Any

from mnist_models._files import open_file
from mnist_models._model_files.checks import Arrays
from mnist_models._model_files.manifest import read_open_model
from mnist_models.exceptions import ModelSecurityError

_LONGEST_VALUE = 60


def inspect_model(path: str | PathLike[str]) -> Iterator[str]:
    """Lines that describe a file: its SHA-256, versions, estimators, parameters and arrays.

    Text of the file is escaped: no line moves a cursor or changes a terminal's colours.

    Raises
    ------
    ModelFormatError
        If it is not a model file, is damaged, or has a later format.
    ModelSecurityError
        A ModelFormatError: if it has no description of a model although its checksum is right.
    OSError
        If the file cannot be read.
    """
    with open_file(path) as file:  # once: the name may be another file's the next time
        manifest, arrays = read_open_model(file, path)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    yield f"{path}: a model in format {manifest.format}, {size:,} bytes"
    yield f"sha256 {digest}"
    for name, version in manifest.versions.items():
        yield f"saved with {_printable(name)} {_printable(version)}"
    try:
        yield from _describe("", manifest.kind, manifest.settings, "")
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ModelSecurityError(
            f"{path} has a right checksum, but no description of a model: {error!r}. "
            "Do not use it, and find out where it comes from."
        ) from error
    yield from _describe_arrays(arrays)


def _describe(name: str, kind: str, settings: dict[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}{name}{_printable(kind)}"
    indent += "  "
    for step in settings.get("steps", ()):
        name = f"{_printable(step['name'])}: "
        yield from _describe(name, step["kind"], step["settings"], indent)
    for name, value in {**settings, **settings.get("params", {})}.items():
        if name not in ("steps", "params", "layouts") and value is not None:
            yield f"{indent}{_printable(name)} = {_printable(value)}"


def _describe_arrays(arrays: Arrays) -> Iterator[str]:
    yield f"{len(arrays)} arrays"
    for name, array in arrays.items():
        shape = " x ".join(f"{side:,}" for side in array.shape) or "one number"
        yield f"  {_printable(name)}: {array.dtype} {shape}, {array.nbytes:,} bytes"


def _printable(value: Any) -> str:
    """A value of the file as JSON in ASCII, cut if it is long; strings without quotes."""
    text = json.dumps(value)
    text = text[1:-1] if isinstance(value, str) else text
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."
