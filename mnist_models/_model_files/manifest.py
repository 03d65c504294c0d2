"""A model file as data: its manifest and its arrays. Nothing here knows estimators."""

import hashlib
import re
from importlib.metadata import version
from io import BufferedReader
from os import PathLike
from typing import Any, NamedTuple

from mnist_models._container import pack, unpack
from mnist_models._files import atomic_writer, open_file
from mnist_models._model_files.checks import Arrays, require
from mnist_models.exceptions import ModelFormatError, ModelSecurityError

_FORMAT = 1

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


def write_model_file(
    path: str | PathLike[str], kind: str, settings: dict[str, Any], arrays: Arrays
) -> None:
    """Write a file, whole or not at all."""
    content = pack(Manifest(_FORMAT, decisive_versions(), kind, settings)._asdict(), arrays)
    with atomic_writer(path) as file:
        file.write(content)


def read_model_file(
    path: str | PathLike[str], expected_sha256: str | None = None
) -> tuple[Manifest, Arrays]:
    """The content of a model file; errors are those of :func:`mnist_models.load_model`."""
    with open_file(path) as file:
        if expected_sha256 is not None:
            _check_file(path, file, expected_sha256)
        return read_open_model(file, path)


def read_open_model(file: BufferedReader, path: str | PathLike[str]) -> tuple[Manifest, Arrays]:
    """As :func:`read_model_file`, of an open file; ``path`` is its name in errors."""
    try:
        description, arrays = unpack(file)
        return _manifest(description), arrays
    except ValueError as error:
        raise ModelFormatError(
            f"{path} is not a model that this version of mnist_models can load: {error}. "
            "Save the model again with save_model."
        ) from error


def _manifest(data: Any) -> Manifest:
    has_format = isinstance(data, dict) and type(data.get("format")) is int
    require(has_format, "none", "the description of a model")
    if data["format"] != _FORMAT:  # the rest may be anything
        versions = data.get("versions")
        writer = versions.get("mnist_models") if isinstance(versions, dict) else None
        raise ModelFormatError(
            f"expected format {_FORMAT}, found {data['format']}: "
            f"load it with mnist_models {writer!r}"
        )
    require(data.keys() == set(Manifest._fields), f"{sorted(data)}", f"{Manifest._fields}")
    saved = data["versions"]
    sound = isinstance(saved, dict) and all(
        isinstance(saved.get(name), str) and len(saved[name]) < 50 for name in _DECISIVE
    )
    require(sound, f"versions {saved!r}", f"those of {_DECISIVE}")
    return Manifest(**data)


def _check_file(path: str | PathLike[str], file: BufferedReader, expected: str) -> None:
    if not (isinstance(expected, str) and re.fullmatch("[0-9a-fA-F]{64}", expected)):
        raise ValueError(
            f"expected_sha256 must be 64 hexadecimal digits. Got {expected!r} instead."
        )
    found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.lower():
        raise ModelSecurityError(
            f"{path} is not the file expected: expected the SHA-256 {expected.lower()}, found "
            f"{found}. Do not use it, and find out where it comes from."
        )
