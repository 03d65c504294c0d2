"""Deskewing and oriented gradients, against scikit-image and OpenCV."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from benchmarks.digits import training_digits
from benchmarks.measure import COMPILING, Cost, Row, alternate, cost_of_call
from mnist_models import HogFeatures
from mnist_models.preprocessing import Standardize

# 4x4 windows every 2 pixels: 1,352 features, as in docs/benchmarks.md
_FINE: dict[str, Any] = {"cell_size": 4, "stride": 2, "interpolate": False, "block_norm": "L2"}


def rows(quick: bool) -> Iterator[Row]:
    """Ours against scikit-learn, scikit-image and, if it is installed, OpenCV."""
    X, _ = training_digits(quick)
    repeats = 1 if quick else 5
    X32 = X.astype(np.float32)
    yield alternate(
        f"standardize {len(X):,} images (v. StandardScaler on float32)",
        lambda: Standardize().fit_transform(X),
        lambda: StandardScaler().fit_transform(X32),
        repeats,
    )
    few = X[:500]
    HogFeatures().transform(few)  # load what was compiled
    settings: list[tuple[int, int, Any]] = [(4, 1, "L2"), (7, 2, "L2-Hys")]
    for cell, block, norm in settings:
        ours = HogFeatures(
            signed=False, interpolate=False, cell_size=cell, stride=cell,
            block_size=block, block_norm=norm, epsilon=1e-5 / 255,
        )  # fmt: skip
        yield alternate(
            f"gradients of {len(few)} images, {cell}x{cell} cells, {block}x{block} blocks, {norm} "
            "(v. scikit-image hog)",
            lambda ours=ours: ours.transform(few),  # type: ignore[misc]
            _skimage(few, cell, block, norm),
            repeats,
        )
    if not find_spec("cv2"):
        return
    many = X[:10_000]
    like = HogFeatures(signed=False, cell_size=4, stride=4, block_size=2, block_norm="L2-Hys")
    yield alternate(
        f"gradients of {len(many):,} images, 1,152 features (v. OpenCV HOGDescriptor, one thread)",
        lambda: like.transform(many),
        _opencv(many),
        repeats,
    )


def costs(quick: bool) -> Iterator[Cost]:
    """The whole of MNIST's 70,000, once compiled; and compiling."""
    n = 600 if quick else 70_000
    prepare = (
        "import numpy as np; from mnist_models import Deskew, HogFeatures\n"
        "from benchmarks.digits import training_digits\n"
        f"X = np.resize(training_digits({quick})[0], ({n}, 784))\n"
        f"hog = HogFeatures(**{_FINE}); compact = HogFeatures(cell_size=9)\n"
    )
    warm = prepare + "hog.transform(Deskew().transform(X[:1]))\n"
    for name in ("hog", "compact"):
        yield cost_of_call(
            f"Deskew and {'1,352' if name == 'hog' else '392'} gradient features of "
            f"{n:,} images, one thread",
            warm,
            f"{name}.transform(Deskew().transform(X))",
        )
    yield cost_of_call(
        "the very first Deskew and HogFeatures: compiling",
        COMPILING + prepare,
        "hog.transform(Deskew().transform(X[:1]))",
    )


def _skimage(images: np.ndarray, cell: int, block: int, norm: str) -> Callable[[], object]:
    from skimage.feature import hog

    return lambda: [
        hog(image.reshape(28, 28), 8, (cell, cell), (block, block), block_norm=norm)
        for image in images
    ]


def _opencv(images: np.ndarray) -> Callable[[], object]:
    import cv2

    cv2.setNumThreads(1)
    hog = cv2.HOGDescriptor((28, 28), (8, 8), (4, 4), (4, 4), 8)
    return lambda: [hog.compute(image.reshape(28, 28)) for image in images]
