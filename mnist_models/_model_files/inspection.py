"""What a model file holds, in words; no model is built to tell."""

import hashlib
import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from mnist_models._model_files.checks import Arrays
from mnist_models._model_files.manifest import read_model_file
from mnist_models.exceptions import ModelSecurityError

_LONGEST_VALUE = 60


def inspect_model(path: str | PathLike[str]) -> Iterator[str]:
    """Lines that tell what is in the file: whose it may be, what it is made of, its arrays.

    Whatever the file says is escaped: no line moves a cursor or changes a terminal's colours.

    Raises
    ------
    ModelFormatError
        If it is no model file, was damaged, or is of a format that came later.
    OSError
        If it cannot be read.
    """
    manifest, arrays = read_model_file(path)
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    yield f"{path}: a model in format {manifest.format}, {size:,} bytes"
    yield f"sha256 {digest}"
    for name, version in manifest.versions.items():
        yield f"saved with {_shown(name)} {_shown(version)}"
    try:
        yield from _told("", manifest.kind, manifest.settings, "")
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ModelSecurityError(
            f"{path} has a right checksum, but no description of a model: {error!r}. "
            "Do not use it, and find out where it comes from."
        ) from error
    yield from _tabulated(arrays)


def _told(name: str, kind: str, settings: dict[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}{name}{_shown(kind)}"
    indent += "  "
    for step in settings.get("steps", ()):
        name = f"{_shown(step['name'])}: "
        yield from _told(name, step["kind"], step["settings"], indent)
    for name, value in {**settings, **settings.get("params", {})}.items():
        if name not in ("steps", "params", "layouts") and value is not None:
            yield f"{indent}{_shown(name)} = {_shown(value)}"


def _tabulated(arrays: Arrays) -> Iterator[str]:
    yield f"{len(arrays)} arrays"
    for name, array in arrays.items():
        shape = " x ".join(f"{side:,}" for side in array.shape) or "one number"
        yield f"  {_shown(name)}: {array.dtype} {shape}, {array.nbytes:,} bytes"


def _shown(value: Any) -> str:
    """A value of the file as JSON has it, in ASCII, not too long; words stand without quotes."""
    text = json.dumps(value)
    text = text[1:-1] if isinstance(value, str) else text
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "..."
