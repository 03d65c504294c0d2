"""A model file as data: what it says of itself, and its arrays; no estimator is known here."""

import hashlib
import re
from importlib.metadata import version
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from mnist_models._container import pack, unpack
from mnist_models._files import atomic_writer
from mnist_models._model_files.checks import Arrays, require
from mnist_models.exceptions import ModelFormatError, ModelSecurityError

_FORMAT = 1

# The libraries whose arithmetic decides an answer's last bits.
_DECISIVE = ("mnist_models", "numpy", "scikit-learn", "keras", "tensorflow")


class Manifest(NamedTuple):
    """What a model file says of itself beside its arrays."""

    format: int
    versions: dict[str, str]
    kind: str
    settings: dict[str, Any]


def versions() -> dict[str, str]:
    """The versions, here and now, of the libraries that a model's answers depend on."""
    return {name: version(name) for name in _DECISIVE}


def write_model_file(
    path: str | PathLike[str], kind: str, settings: dict[str, Any], arrays: Arrays
) -> None:
    """Write a model that has become data, whole or not at all."""
    content = pack(Manifest(_FORMAT, versions(), kind, settings)._asdict(), arrays)
    with atomic_writer(path) as file:
        file.write(content)


def read_model_file(
    path: str | PathLike[str], expected_sha256: str | None = None
) -> tuple[Manifest, Arrays]:
    """What a model file holds, as data; errors as of :func:`load_model`."""
    with Path(path).open("rb") as file:
        if expected_sha256 is not None:
            _check_file(path, file, expected_sha256)
        try:
            told, arrays = unpack(file)
            manifest = _manifest(told)
        except ValueError as error:
            raise ModelFormatError(
                f"{path} is not a model that this version of mnist_models can load: {error}. "
                "Save the model again with save_model."
            ) from error
    return manifest, arrays


def _manifest(told: Any) -> Manifest:
    described = isinstance(told, dict) and type(told.get("format")) is int
    require(described, "none", "the description of a model")
    if told["format"] != _FORMAT:  # of which nothing else is known
        versions = told.get("versions")
        writer = versions.get("mnist_models") if isinstance(versions, dict) else None
        raise ModelFormatError(
            f"expected format {_FORMAT}, found {told['format']}: "
            f"load it with mnist_models {writer!r}"
        )
    require(told.keys() == set(Manifest._fields), f"{sorted(told)}", f"{Manifest._fields}")
    saved = told["versions"]
    sound = isinstance(saved, dict) and all(
        isinstance(saved.get(name), str) and len(saved[name]) < 50 for name in _DECISIVE
    )
    require(sound, f"versions {saved!r}", f"those of {_DECISIVE}")
    return Manifest(**told)


def _check_file(path: str | PathLike[str], file: BufferedReader, expected: str) -> None:
    if re.fullmatch("[0-9a-fA-F]{64}", expected) is None:
        raise ValueError(f"expected_sha256 must be 64 hexadecimal digits. Got {expected!r}.")
    found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.lower():
        raise ModelSecurityError(
            f"{path} is not the file expected: expected the SHA-256 {expected.lower()}, found "
            f"{found}. Do not use it, and find out where it comes from."
        )
