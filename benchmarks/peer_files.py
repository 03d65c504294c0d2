"""A library's model file, and how a stranger changes one."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.attempt import Read

HUGE = 2**26  # numbers of 8 bytes: half a GB


class Peer(NamedTuple):
    """A library's file: how it is read, a sound one, a weight in it, and what was forged of it."""

    name: str
    read: Read
    sound: Path
    weight: bytes
    forged: dict[str, Path]


# Makes a library's files in a folder; what code there is in them makes another folder.
Maker = Callable[[Path, Path], Peer]


class MakesFolder:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """What the models are fitted to."""
    X, y = load_digits(return_X_y=True)
    return X.astype(np.float32) / 16, y


def asked() -> np.ndarray:
    """What they are asked about."""
    return digits()[0][-200:]


def weight_in(weights: np.ndarray) -> bytes:
    """Four of a first layer's weights as they stand in a file, the last of an inked pixel's."""
    return bytes(weights[20, 17:21].tobytes())


def with_huge_array(sound: Path, path: Path, name: str) -> Path:
    """A safetensors file whose header tells of a larger array than there is."""
    content = sound.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header[name]["shape"] = [HUGE]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])
    return path


def rezip(sound: Path, path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """A zip archive again, with members changed."""
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))


def npy_header() -> bytes:
    """That of an array that is not there."""
    header = io.BytesIO()
    told = {"descr": "<f8", "fortran_order": False, "shape": (HUGE,)}
    np.lib.format.write_array_header_1_0(header, told)
    return header.getvalue()
