"""Any bytes as a model file, with their checksum put right: a model that answers, or an error.

A fuzzer does not guess a SHA-256. So what it makes of a file is sealed anew where it still has a
header and arrays, as somebody who forges a file would.
"""

import io
import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import atheris
import numpy as np

from mnist_models import load_model
from mnist_models._container import _DTYPES, _fingerprint, _read_header
from mnist_models.exceptions import ModelFormatError
from tests.fuzz.bounded import bounded_memory

# What a file that is none comes to where it is taken apart.
_BROKEN = (
    ValueError,
    OverflowError,
    LookupError,
    TypeError,
    AttributeError,
    MemoryError,
    RecursionError,
)

_WORDS: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2,
    7,
    2**24,
    2**31,
    2**63,
    10**30,
    0.5,
    -0.5,
    1e308,
    float("nan"),
]
_WORDS += ["", "a", "forest", "os.system", "<U9999999", "|O", "<f8", "none", [], {}, [[]], [1, 1]]

_FILES = Path(__file__).parent.parent / "models"
_folder = Path()


def seeds() -> Iterator[bytes]:
    """The kept files of every format, but for the one whose network takes long to build."""
    for path in sorted(_FILES.glob("*/*.model")):
        if path.stem != "network-accurate":
            yield path.read_bytes()


def prepare(folder: Path) -> None:
    """Files are written there; kernels and TensorFlow are loaded before the clock starts."""
    global _folder
    _folder = folder
    warnings.simplefilter("ignore")  # a version that the fuzzer changed is no finding
    for path in _FILES.glob("*/*.model"):
        model = load_model(path)
        model.predict_proba(np.zeros((1, model.n_features_in_)))


def run(data: bytes) -> None:
    """Load it, and ask the model."""
    path = _folder / "any.model"
    path.write_bytes(sealed(data))
    with bounded_memory():
        try:
            model = load_model(path)
        except ModelFormatError:
            return
        if "network" in str(data[:2000]):  # TensorFlow would be traced for every input
            return
        try:
            answers = model.predict_proba(np.zeros((1, model.n_features_in_)))
        except ValueError:  # a scale of 1e-300 may be a model's: its answers are refused clearly
            return
    assert np.isfinite(answers).all() or (answers != answers).all()


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Change a word of the description, or any byte."""
    chance = random.Random(seed)
    try:
        header, content = _apart(data)
        description = json.loads(header["__metadata__"]["mnist_models"])
        if chance.random() < 0.4:
            _change(description, chance)
        elif chance.random() < 0.6:
            at = chance.randrange(len(content))
            content = content[:at] + atheris.Mutate(content[at : at + 8], 8)[:8] + content[at + 8 :]
        else:
            _change(header, chance)
        header["__metadata__"]["mnist_models"] = json.dumps(description)
        return _together(header, content)[:most]
    except _BROKEN:
        return bytes(atheris.Mutate(data, most))


def _change(node: Any, chance: random.Random) -> None:
    """Replace, remove or repeat something, somewhere in what JSON held."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = chance.choice(keys)
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.8:
            node = node[key]
            continue
        if chance.random() < 0.1:
            del node[key]
        else:
            node[key] = chance.choice([*_WORDS, node[chance.choice(keys)]])
        return


def sealed(data: bytes) -> bytes:
    """The file with the checksum that its content has, if it has any; else as it came."""
    try:
        header, content = _apart(data)
        metadata = header["__metadata__"]
        arrays = {
            name: np.ndarray(
                tuple(told["shape"]), _DTYPES[told["dtype"]], content, told["data_offsets"][0]
            )
            for name, told in header.items()
            if name != "__metadata__"
        }
        metadata["sha256"] = _fingerprint(metadata["mnist_models"], arrays)
        return _together(header, content)
    except _BROKEN:
        return data


def _apart(data: bytes) -> tuple[dict[str, Any], bytes]:
    file = io.BytesIO(data)
    header, n_bytes = _read_header(file)
    return header, file.read(n_bytes)


def _together(header: dict[str, Any], content: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content
