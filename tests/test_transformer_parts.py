"""How many features a transformer makes: counted before it makes any."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import PolynomialFeatures

from mnist_models import HogFeatures
from mnist_models._model_files.checks import MOST_NUMBERS
from mnist_models._model_files.transformers import decode_hog, decode_products
from mnist_models.exceptions import ModelFormatError


def test_windows_on_endless_images_are_refused_before_they_are_laid_out() -> None:
    hog = HogFeatures((1, MOST_NUMBERS), orientations=1, cell_size=1, stride=1)
    hog.n_features_in_ = MOST_NUMBERS
    with pytest.raises(ModelFormatError, match="weights of pixels"):
        decode_hog(hog, {}, {})


@given(
    side=st.integers(8, 20),
    numbers=st.tuples(*[st.integers(1, 6)] * 4),
    dtype=st.sampled_from(["uint8", "float32"]),
)
def test_widths_of_image_features_are_those_that_come_out(
    side: int, numbers: tuple[int, ...], dtype: Any
) -> None:
    orientations, cell_size, stride, block_size = numbers
    hog = HogFeatures(
        (side, 17),
        orientations=orientations,
        cell_size=cell_size,
        stride=min(stride, cell_size),
        block_size=block_size,
        dtype=dtype,
    )
    X = np.zeros((1, side * 17))
    try:
        width = hog.fit_transform(X).shape[1]
    except ValueError:
        hog.n_features_in_ = X.shape[1]
        with pytest.raises(ModelFormatError, match="hold a block"):
            decode_hog(hog, {}, {})
    else:
        assert decode_hog(hog, {}, {}) == width


@given(
    degree=st.integers(0, 4) | st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted),
    n_features=st.integers(1, 5),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_widths_of_products_are_those_that_come_out(
    degree: Any, n_features: int, flags: tuple[bool, bool]
) -> None:
    degree = tuple(degree) if isinstance(degree, list) else degree
    products = PolynomialFeatures(degree, interaction_only=flags[0], include_bias=flags[1])
    X = np.ones((2, n_features))
    try:
        width = products.fit_transform(X).shape[1]
    except ValueError:
        products.n_features_in_ = n_features
        with pytest.raises(ValueError, match="empty output"):
            decode_products(products, {}, {})
    else:
        assert decode_products(products, {}, {}) == width
