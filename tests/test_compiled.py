"""Kernels are compiled, and kept where there is a place to keep them."""

from pathlib import Path

import numpy as np

from mnist_models import HogFeatures, load_sample_digits
from mnist_models._compiled import kernel


def test_a_kernel_without_a_folder_to_be_kept_in_works() -> None:
    namespace: dict[str, object] = {}
    exec(compile("def add(x):\n    return x + 1\n", "<nowhere>", "exec"), namespace)
    add = kernel(namespace["add"])  # type: ignore[arg-type]
    assert add(1) == 2
    assert add.stats.cache_path is None


def test_kernels_are_kept() -> None:
    from mnist_models._image_kernels import hog_images

    HogFeatures().transform(load_sample_digits().data[:2])
    assert list(Path(hog_images.stats.cache_path).glob("_image_kernels.hog_images-*.nbi"))


def test_a_division_by_zero_is_as_in_numpy() -> None:
    namespace: dict[str, object] = {}
    exec(compile("def divide(x, y):\n    return x / y\n", "<nowhere>", "exec"), namespace)
    divide = kernel(namespace["divide"])  # type: ignore[arg-type]
    assert divide(1.0, 0.0) == np.inf
