"""Model files taken apart, and put together with a sum that is right."""

import json
from pathlib import Path
from typing import Any

import safetensors.numpy

from mnist_models._container import _fingerprint

Content = tuple[dict[str, Any], dict[str, Any]]


def write_file(path: Path, manifest: Any, arrays: dict[str, Any]) -> None:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    metadata = {"mnist_models": text, "sha256": _fingerprint(text, arrays)}
    path.write_bytes(safetensors.numpy.save(arrays, metadata))


def read_file(path: Path) -> Content:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["mnist_models"]), safetensors.numpy.load(content)
