"""Run every comparison and print one table; ``--quick`` is a smoke run, ``--json`` for machines."""

import argparse
import gzip
import json
import platform
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
import psutil
from sklearn.preprocessing import StandardScaler

from benchmarks.measure import Row, alternate, cost_of_command, in_a_fresh_process
from mnist_models import SequentialClassifier, _mnist, fetch_mnist, load_sample_digits
from mnist_models.exceptions import DatasetUnavailableError
from mnist_models.preprocessing import Standardize


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each, on few rows")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = list(compare_rows(options.quick))
    commands = [("version",)] if options.quick else [("compare",)]
    costs = [cost_of_command(*words) for words in commands]
    if options.json:
        found = {"rows": [row._asdict() for row in rows], "commands": [c._asdict() for c in costs]}
        print(json.dumps(found, indent=2))
        return
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    print(f"{cores} cores of {platform.machine()}, {memory:.0f} GiB, ", end="")
    libraries = ("scikit-learn", "tensorflow", "numpy")
    versions = [f"Python {platform.python_version()}", *(f"{n} {version(n)}" for n in libraries)]
    print(", ".join(versions), end="\n\n")
    print("| what | ours, s | theirs, s | theirs / ours |\n| :--- | ---: | ---: | ---: |")
    for row in rows:
        print(f"| {row.what} | {row.ours:.4g} | {row.theirs:.4g} | {row.ratio:.2f} |")
    print("\n| command | seconds | peak memory, MB |\n| :--- | ---: | ---: |")
    for cost in costs:
        print(f"| {cost.command} | {cost.seconds:.1f} | {cost.peak_mb:.0f} |")


def compare_rows(quick: bool) -> Iterator[Row]:
    """Each comparison, ours and the obvious other way."""
    repeats = 1 if quick else 7
    yield alternate(
        "import (v. import sklearn)",
        in_a_fresh_process("import mnist_models"),
        in_a_fresh_process("import sklearn"),
        repeats,
    )
    X = load_sample_digits().data if quick else _many_digits()
    X32 = X.astype(np.float32)
    yield alternate(
        f"standardize {len(X)} images (v. StandardScaler on float32)",
        lambda: Standardize().fit_transform(X),
        lambda: StandardScaler().fit_transform(X32),
        repeats,
    )
    yield from _mnist_rows(repeats)
    yield from _network_rows(X32 / 255, repeats)


def _mnist_rows(repeats: int) -> Iterator[Row]:
    try:
        fetch_mnist(download_if_missing=False)
    except DatasetUnavailableError:
        return
    folder = _mnist.user_cache()
    packed = gzip.compress((folder / "mnist-images.npy").read_bytes(), compresslevel=6)
    yield alternate(
        "open MNIST again (v. unpacking its images from gzip)",
        lambda: fetch_mnist(download_if_missing=False),
        lambda: gzip.decompress(packed),
        repeats,
    )


def _network_rows(X: np.ndarray, repeats: int) -> Iterator[Row]:
    network = SequentialClassifier(epochs=1, random_state=0)
    network.fit(X[:1000], np.arange(1000) % 10)
    for n in (1, min(len(X), 14_000)):
        yield alternate(
            f"network, probabilities of {n} rows (v. keras predict)",
            lambda n=n: network.predict_proba(X[:n]),  # type: ignore[misc]
            lambda n=n: network.model_.predict(X[:n], verbose=0),  # type: ignore[misc]
            repeats,
        )


def _many_digits() -> np.ndarray:
    """MNIST's training digits of the report's split, or the embedded ones many times over."""
    try:
        return fetch_mnist(download_if_missing=False).split("report")[0]
    except DatasetUnavailableError:
        return np.tile(load_sample_digits().data, (31, 1))


if __name__ == "__main__":
    main()
