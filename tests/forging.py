"""Model files taken apart, and put together again with a checksum that is right."""

import json
from pathlib import Path
from typing import Any

import safetensors.numpy

from mnist_models._model_files import _fingerprint, decisive_versions

Content = tuple[dict[str, Any], dict[str, Any]]

# Files of every format, small, with what they predict: see models/make.py.
MODELS = Path(__file__).parent / "models"


def newest(name: str) -> Path:
    """The file of that name in the latest format in which there is one."""
    return max(MODELS.glob(f"format-*/{name}.model"))


def read_file(path: Path) -> Content:
    """The description and the arrays of a file of the present format, as if written here."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    text = header["__metadata__"]["mnist_models"].partition(" ")[2]
    return json.loads(text) | {"versions": decisive_versions()}, safetensors.numpy.load(content)


def write_file(path: Path, description: Any, arrays: dict[str, Any], **metadata: str) -> None:
    """A file with this description (JSON may be given as text), arrays and further metadata."""
    text = description if isinstance(description, str) else json.dumps(description)
    entry = f"{_fingerprint(text, arrays)} {text}"
    path.write_bytes(safetensors.numpy.save(arrays, {"mnist_models": entry} | metadata))
