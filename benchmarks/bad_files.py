"""The same bad files given to each library: ``python -m benchmarks.bad_files``.

Each file is read in a process of its own, with a limit of time and of memory, far from a network;
``--quick`` is a smoke run. Libraries that are not installed are left out.
"""

import argparse
import datetime
import os
import tempfile
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks import bad_idx, bad_mnist
from benchmarks.attempt import ADDRESS_SPACE, Found, Reader, same
from benchmarks.bad_forests import FORESTS
from benchmarks.bad_networks import NETWORKS
from benchmarks.peer_files import Maker, Peer
from mnist_models import fetch_mnist
from mnist_models.exceptions import DatasetUnavailableError

_DISTRIBUTIONS = (
    *("numpy", "scikit-learn", "joblib", "skops", "tensorflow", "keras", "torch", "safetensors"),
    *("torchvision", "idx2numpy", "python-mnist"),
)
_WEB_PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n" * 20
_FORGED = {
    "code": "code to run",
    "huge": "0.5 GB in words alone",
    "child": "a tree's child out of range",
    "cycle": "a tree in a circle",
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bad_files", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no networks, few seconds a file")
    quick = parser.parse_args().quick
    n_flips, seconds = (3, 1) if quick else (100, 10)
    with tempfile.TemporaryDirectory() as name:
        nowhere = "http://127.0.0.1:9"
        os.environ |= {"https_proxy": nowhere, "http_proxy": nowhere}
        os.environ |= {"KERAS_HOME": f"{name}/keras", "XDG_CACHE_HOME": f"{name}/cache"}
        print(_versions(seconds), end="\n\n")
        reader = Reader(seconds, Path(name, "canary"))
        for makers in (FORESTS,) if quick else (FORESTS, NETWORKS):
            _print_table("model file", _models(makers, reader, Path(name), n_flips))
        _print_table("images and labels", _pairs(reader, Path(name, "pairs")))
        if not quick:
            _print_table("MNIST, kept", _mnist(reader, Path(name, "kept")))


def _versions(seconds: int) -> str:
    here = []
    for name in _DISTRIBUTIONS:
        try:
            here.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    limits = f"{seconds} s of processor time and {ADDRESS_SPACE // 2**30} GB a file"
    return f"{datetime.date.today():%d %B %Y}, {limits}; {', '.join(here)}"


Column = tuple[str, dict[str, str]]


def _print_table(what: str, columns: Iterable[Column]) -> None:
    """A row for every bad file, a column for every library."""
    cells = dict(columns)
    if not cells:
        return
    print(f"| {what} | {' | '.join(cells)} |\n| :--- |{' :--- |' * len(cells)}")
    for row in dict.fromkeys(row for column in cells.values() for row in column):
        print(f"| {row} | {' | '.join(column.get(row, '') for column in cells.values())} |")
    print(flush=True)


# -- models ----------------------------------------------------------------------------------------


def _models(makers: list[Maker], reader: Reader, folder: Path, n_flips: int) -> Iterable[Column]:
    for maker in makers:
        place = folder / maker.__name__
        place.mkdir()
        peer = maker(place, reader.canary)
        yield peer.name, _model_column(peer, reader, n_flips)


def _model_column(peer: Peer, reader: Reader, n_flips: int) -> dict[str, str]:
    """What a library does with each bad model file, by what is bad about it."""
    sound = reader.attempt(peer.read, peer.sound)
    content = peer.sound.read_bytes()
    bad = peer.sound.with_stem("bad")

    def read(changed: bytes) -> Found:
        bad.write_bytes(changed)
        return reader.attempt(peer.read, bad)

    sign = 8 * (content.index(peer.weight) + len(peer.weight)) - 1  # of its last number
    column = {
        "sound": f"{_in_a_word(sound, sound)}, {len(content) / 1000:.0f} kB, {sound.seconds:.2f} s",
        "cut at half": read(content[: len(content) // 2]).in_words(sound.answers),
        "a web page": read(_WEB_PAGE).in_words(sound.answers),
        "a weight's sign flipped": read(_flipped(content, sign)).in_words(sound.answers),
    }
    for what, words in _FORGED.items():
        if what in peer.forged:
            column[words] = reader.attempt(peer.read, peer.forged[what]).in_words(sound.answers)
    bits = np.random.default_rng(0).integers(8 * len(content), size=n_flips)
    ends = Counter(_in_a_word(read(_flipped(content, int(bit))), sound) for bit in bits)
    counts = (f"{n} {end}" for end, n in ends.most_common())
    return column | {f"any bit flipped, {n_flips} files": ", ".join(counts)}


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _in_a_word(found: Found, sound: Found) -> str:
    if found.answers is not None:
        return "right" if same(found.answers, sound.answers) else "**wrong**"
    return "refused" if found.end.startswith("`") else found.end


# -- data ------------------------------------------------------------------------------------------


def _pairs(reader: Reader, folder: Path) -> Iterable[Column]:
    for peer in bad_idx.peers():
        place = folder / peer.name

        def read(
            pair: bad_idx.Pair, harm: bad_idx.Harm, place: Path = place, peer: bad_idx.Peer = peer
        ) -> Found:
            bad_idx.write_pair(place, pair, peer, harm)
            return reader.attempt(peer.read, place)

        pair = bad_idx.sound_pair()
        right = read(pair, bytes).answers
        column = {"sound": "right" if right else "refused"}
        for what, content_harm in bad_idx.CONTENT.items():
            column[what] = read(content_harm(pair), bytes).in_words(right, "other data")
        for what, harm in bad_idx.PACKED.items() if peer.unpacks else ():
            column[what] = read(pair, harm).in_words(right, "other data")
        yield peer.name, column


def _mnist(reader: Reader, folder: Path) -> Iterable[Column]:
    """What becomes of MNIST where it is kept, if it is at hand."""
    try:
        mnist = fetch_mnist(download_if_missing=False)
    except DatasetUnavailableError:
        return
    # all are written before one is changed: ours is a map of a file
    for name, read, path in list(bad_mnist.kept(mnist, folder)):
        content, right, column = path.read_bytes(), None, {}
        for what, harm in bad_mnist.HARMS.items():
            path.write_bytes(harm(content))
            found = reader.attempt(read, folder)
            right = right or found.answers
            column[what] = found.in_words(right, "other data")
        yield name, column


if __name__ == "__main__":
    main()
