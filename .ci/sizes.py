"""How large the library is where it is installed, and how long it takes to import."""

import statistics
import subprocess
import sys
import time
from importlib.metadata import Distribution, distributions
from pathlib import Path

TIMED = (
    "pass",
    "import sklearn.base",
    "import mnist_models",
    "from mnist_models import compare, make_model",
)
IMPORTS = 20
BULKY = "tensorflow"


def main() -> None:
    """Print both."""
    sizes = {package.name.lower(): _size(package) / 1e6 for package in distributions()}
    everything = sum(sizes.values())
    print(f"mnist_models: {sizes['mnist-models']:.1f} MB installed")
    print(
        f"and all it needs: {everything:.0f} MB, {everything - sizes[BULKY]:.0f} MB without {BULKY}"
    )
    for code in TIMED:
        print(f"python -c {code!r}: {_seconds(code):.2f} s (median of {IMPORTS})")


def _size(installed: Distribution) -> int:
    """The bytes of its files, without what Python compiles of them."""
    files = [file for file in installed.files or [] if file.suffix != ".pyc"]
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _seconds(code: str) -> float:
    def once() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    once()  # whatever is compiled or read the first time
    return statistics.median(once() for _ in range(IMPORTS))


if __name__ == "__main__":
    main()
