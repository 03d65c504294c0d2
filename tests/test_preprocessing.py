"""Standardize: StandardScaler's numbers, without StandardScaler's copies."""

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from mnist_models import load_sample_digits, make_preprocessor
from mnist_models.preprocessing import Standardize


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, np.float64])
def test_the_numbers_are_standardscalers(dtype: Any) -> None:
    X = load_sample_digits().data.astype(dtype)
    ours, theirs = Standardize().fit(X), StandardScaler().fit(X.astype(np.float64))
    np.testing.assert_allclose(ours.mean_, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(ours.scale_, theirs.scale_, rtol=1e-12)
    np.testing.assert_allclose(
        ours.transform(X), theirs.transform(X.astype(np.float64)), rtol=1e-5, atol=1e-6
    )


def test_constant_pixels_become_zero_and_stay_finite() -> None:
    X = np.column_stack([np.full(100, 0.1), np.full(100, 1e8 / 3), np.arange(100)])
    standardized = Standardize().fit_transform(X)
    np.testing.assert_array_equal(standardized[:, :2], 0)
    np.testing.assert_allclose(standardized[:, 2].std(), 1, rtol=1e-6)


def test_small_differences_on_a_large_offset_survive() -> None:
    """Cast to float32 first, these columns would be constant."""
    X = 1e9 + np.random.default_rng(0).normal(size=(1000, 2))
    np.testing.assert_allclose(Standardize().fit_transform(X).std(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_no_float64_copy_is_ever_made(dtype: Any) -> None:
    X = np.random.default_rng(0).integers(0, 256, size=(20_000, 784)).astype(dtype)
    float32_bytes = 4 * X.size
    tracemalloc.start()
    Standardize().fit(X)
    assert tracemalloc.get_traced_memory()[1] < 0.25 * float32_bytes
    tracemalloc.reset_peak()
    Standardize().fit_transform(X)
    assert tracemalloc.get_traced_memory()[1] < 1.5 * float32_bytes
    tracemalloc.stop()


def test_dataframes_keep_their_names() -> None:
    frame = pd.DataFrame({"width": [1.0, 2.0], "height": [3, 5]})
    standardize = Standardize().set_output(transform="pandas")
    assert list(standardize.fit_transform(frame).columns) == ["width", "height"]
    assert list(standardize.get_feature_names_out()) == ["width", "height"]


@given(
    X=arrays(
        np.float64, st.tuples(st.integers(1, 20), st.integers(1, 5)), elements=st.floats(-1e6, 1e6)
    )
)
def test_any_table_comes_out_standardized(X: NDArray[np.float64]) -> None:
    standardized = Standardize().fit_transform(X)
    assert np.isfinite(standardized).all()
    # a column whose spread is all rounding is constant, and others have mean 0
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-3)


def test_what_float32_cannot_hold_is_an_error() -> None:
    standardize = Standardize().fit([[0.0], [1e-30]])
    with pytest.raises(ValueError, match="too large for float32"):
        standardize.transform([[1e30]])


def test_what_float64_cannot_square_is_an_error() -> None:
    with pytest.raises(ValueError, match="variance is too large"):
        Standardize().fit([[1e300], [0.0], [2e300]])


def test_a_recipe_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"one of 'classic'.*Did you mean 'classic'"):
        make_preprocessor("clasic")  # type: ignore[arg-type]
