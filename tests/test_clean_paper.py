"""CleanPaper: the same digit from any paper, place and unit, and models that read it there."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_models import CleanPaper, load_sample_digits, make_model

_CHANGES: dict[str, Any] = {
    "as it is": lambda ink: ink,
    "dark on light": lambda ink: 255 - ink,
    "from 0 to 1": lambda ink: ink / 255,
    "standardized": lambda ink: (ink / 255 - 0.13) / 0.31,
    "faint, on grey": lambda ink: 150 - ink // 5,
    "elsewhere": lambda ink: np.roll(ink, (1, -2), axis=(1, 2)),
}


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return load_sample_digits().images[:200]


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_paper_place_and_unit_make_no_difference(images: NDArray[np.uint8], change: Any) -> None:
    cleaned = CleanPaper().transform(change(images.astype(np.int64)).reshape(200, -1))
    assert cleaned.dtype == np.uint8
    stretched = np.rint(images * (255 / images.max(axis=(1, 2), keepdims=True)))
    difference = np.abs(cleaned.reshape(images.shape) - stretched).max(axis=(1, 2))
    # faint ink has fewer levels; and a centre half-way between two pixels may go either way
    assert np.mean(difference <= (5 if change is _CHANGES["faint, on grey"] else 1)) >= 0.97


def test_noise_is_cut_off(images: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(images + rng.normal(0, 40, images.shape), 0, 255).reshape(200, -1)
    cleaned = CleanPaper().transform(noisy)
    clean = images.reshape(200, -1)
    assert np.mean(cleaned[clean == 0] == 0) > 0.75
    likeness = [np.corrcoef(pair)[0, 1] for pair in zip(cleaned, clean, strict=True)]
    assert np.median(likeness) > 0.9


def test_an_image_without_ink_is_paper() -> None:
    flat = np.full((2, 9), 7.0)
    flat[1] = -1e30
    assert not CleanPaper().fit_transform(flat).any()


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_accurate_models_read_digits_on_any_paper(name: str) -> None:
    digits = load_sample_digits()
    X_train, X_test, y_train, y_test = digits.split()
    model = make_model(name, recipe="accurate", random_state=0).fit(X_train, y_train)
    rng = np.random.default_rng(0)
    clean = model.score(X_test, y_test)
    images = X_test.reshape(-1, 28, 28).astype(np.int64)
    for what, change in _CHANGES.items():
        changed = change(images).reshape(len(images), -1)
        assert model.score(changed, y_test) >= clean - 0.01, what
    noisy = images + rng.normal(0, 25, images.shape)
    assert model.score(noisy.clip(0, 255), y_test) >= 0.95 * clean
