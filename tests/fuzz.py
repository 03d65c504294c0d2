"""Random damage to files of strangers: ``python -m tests.fuzz models``, ``... idx`` or ``... csv``.

What a reader makes of a damaged file is the data it was made of, or the reader's own error, at
little cost. A failing input stays in a file ``crash-*`` where this was started; put it into a test.
"""

import argparse
import contextlib
import gzip
import io
import json
import random
import tempfile
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mnist_models import load_model
from mnist_models._csv import read_csv
from mnist_models._idx import idx_header, parse_idx
from mnist_models._model_files import inspect_model
from mnist_models.exceptions import DatasetFormatError, ModelFormatError

from .forging import MODELS, newest, read_file, write_file

_MOST_BYTES = 100 * 2**20
_MOST_SECONDS = 10

_WORDS: list[Any] = [None, True, -1, 0, 1, 2, 7, 2**24, 2**31, 2**63, 10**30, 10**4000]
_WORDS += [0.5, -0.5, 1e308, float("nan"), "", "a", "forest", "pipeline", "os.system", "\x1b[2J"]
_WORDS += ["<U9999999", "|O", "<f8", "i4" + ",i4" * 99, [], {}, [[]], [1, 1], [True, False, False]]


def _idx_seeds() -> Iterator[bytes]:
    for shape in ((4,), (2, 3, 4), (0,)):
        content = idx_header(shape) + bytes(range(int(np.prod(shape))))
        yield content
        yield gzip.compress(content)


def _read_idx(data: bytes) -> None:
    """As images and as labels: an array that says the same as the bytes, or an error."""
    for ndim in (1, 3):
        try:
            array = parse_idx(io.BytesIO(data), "any", ndim=ndim)
        except DatasetFormatError:
            continue
        is_gzip = data[:2] == b"\x1f\x8b"
        content = zlib.decompress(data, wbits=31) if is_gzip else data
        assert content == idx_header(array.shape) + array.tobytes()


_CSV_SEEDS = [
    b"label,a,b,c,d\n7,0,9,10,99\n1,100,255,0,7\n",
    b"7,0,9,10,99\n1,100,255,0,7",
    b'"a","b","c","d","class"\r\n0,9,10,99,seven\r\n100,255,0,7,one\r\n',
    b"0,9,10,99\n100,255,0,7\n",
]


def _read_csv(path: Path) -> None:
    """Pixels that say the same as the text, or an error."""
    try:
        pixels, labels = read_csv(path)
    except DatasetFormatError as error:
        if len(str(error)) > 1000:
            raise AssertionError("the error is no line") from error
        return
    data = path.read_bytes()
    text = (zlib.decompress(data, wbits=31) if data[:2] == b"\x1f\x8b" else data).decode()
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    assert len(lines) - len(pixels) in (0, 1), "a header at most"
    for number, line in enumerate(lines[-len(pixels) :]):
        cells = line.split(",")
        if labels is not None:  # whichever cell it is, the others are the pixels
            assert labels[number] in (cells[0].strip('" '), cells[-1].strip('" '))
            cells = cells[1:] if cells[0].strip('" ') == labels[number] else cells[:-1]
        assert len(cells) == pixels.shape[1]
        if labels is None or cells[0] != cells[-1]:
            assert pixels[number].tolist() == [int(cell) for cell in cells]


def _read_model(path: Path) -> None:
    """A model that predicts, or an error; never anything else, nor a line that is long."""
    with contextlib.suppress(ModelFormatError):
        assert all(line.isascii() and len(line) < 1000 for line in inspect_model(path))
    try:
        model = load_model(path)
    except ModelFormatError as error:
        if len(str(error)) > 2000 or not str(error).isprintable():
            raise AssertionError("the error is no line") from error
        return
    if "network" not in path.name:  # TensorFlow would trace each of them
        # a scale of 1e-300 may be a model's, and polars may be missing: clear errors
        with contextlib.suppress(ValueError, ImportError):
            model.predict_proba(np.zeros((1, model.n_features_in_), dtype=np.uint8))


def _damage(data: bytes, chance: random.Random) -> bytes:
    """Change, remove, repeat or insert some bytes."""
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(data) + 1)
        end = at + chance.choice([0, 1, 1, 4, 50])
        put = chance.choice([b"", chance.randbytes(end - at), b"\xff" * 8, bytes(8), data[:at]])
        data = data[:at] + put + data[end:]
    return data


def _forge(path: Path, seed: Path, chance: random.Random) -> None:
    """Another value somewhere in the description or the arrays, and a checksum that is right."""
    description, arrays = read_file(seed)
    for _ in range(chance.choice([1, 1, 2])):
        if chance.random() < 0.6:
            _change(description, chance)
            continue
        name = chance.choice(sorted(arrays))
        array = arrays[name].copy()
        if chance.random() < 0.7:
            raw = array.reshape(-1).view(np.uint8)
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        else:
            array = chance.choice(
                [array[:0], array[None], array * 0, array[::-1].copy(), array > 0]
            )
        arrays[chance.choice([name, name, "more"])] = array
    write_file(path, description, arrays)


def _change(node: Any, chance: random.Random) -> None:
    """Replace, remove, add or repeat something, somewhere in what JSON held."""
    while True:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = chance.choice(keys)
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.8:
            node = node[key]
            continue
        value = chance.choice([*_WORDS, node[chance.choice(keys)]])
        how = chance.random()
        if how < 0.1:
            del node[key]
        elif how < 0.2 and isinstance(node, dict):
            node["more"] = value
        else:
            node[key] = json.loads(json.dumps(value)) if value != 10**4000 else value
        return


def _rounds(target: str, folder: Path, chance: random.Random) -> Iterator[tuple[bytes, Any]]:
    """Damaged content, and what reads it, for ever."""
    if target == "idx":
        idx_files = list(_idx_seeds())
        while True:
            data = _damage(chance.choice(idx_files), chance)
            yield data, lambda data=data: _read_idx(data)
    if target == "csv":
        while True:
            data = chance.choice(_CSV_SEEDS)
            data = gzip.compress(data) if chance.random() < 0.2 else data
            (folder / "csv").write_bytes(data := _damage(data, chance))
            yield data, lambda: _read_csv(folder / "csv")
    # the convolutional network takes long to build
    names = {path.stem for path in MODELS.glob("*/*.model")} - {"network-accurate"}
    seeds = [newest(name) for name in sorted(names)]
    for path in seeds:  # kernels and TensorFlow are loaded before the clock starts
        _read_model(path)
    while True:
        seed = chance.choice(seeds)
        path = folder / seed.name
        if chance.random() < 0.3:
            path.write_bytes(_damage(seed.read_bytes(), chance))
        else:
            _forge(path, seed, chance)
        yield path.read_bytes(), lambda path=path: _read_model(path)


def main() -> None:
    """Damage files for so many seconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=["csv", "idx", "models"])
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeats a run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # a version that was changed is no finding
    with tempfile.TemporaryDirectory() as folder:
        rounds = _rounds(options.target, Path(folder), random.Random(options.seed))
        next(rounds)  # loads all that is needed
        tracemalloc.start()
        begin = time.monotonic()
        for number, (data, read) in enumerate(rounds):
            tracemalloc.reset_peak()
            before, started = tracemalloc.get_traced_memory()[0], time.monotonic()
            try:
                read()
                assert tracemalloc.get_traced_memory()[1] - before < _MOST_BYTES
                assert time.monotonic() - started < _MOST_SECONDS
            except Exception:
                Path(f"crash-{options.target}-{options.seed}-{number}").write_bytes(data)
                raise
            if time.monotonic() - begin > options.seconds:
                break
    print(f"{number + 1:,} damaged files, seed {options.seed}: no findings")


if __name__ == "__main__":
    main()
