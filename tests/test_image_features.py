"""Deskew and HogFeatures: known answers, others' answers, and the same for a row in any company."""

import tracemalloc
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from skimage import feature as skimage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mnist_models import Deskew, HogFeatures, load_sample_digits

# scikit-image's settings, for images that span 0 to 255: it adds 1e-5 to a block's length.
SkimageHog = partial(HogFeatures, signed=False, interpolate=False, epsilon=1e-5 / 255)
BOTH = [Deskew(), HogFeatures(), HogFeatures(block_size=2, block_norm="L2-Hys", dtype="uint8")]


@pytest.fixture(scope="module")
def digits() -> NDArray[np.uint8]:
    return load_sample_digits().data[:300]


@pytest.mark.parametrize(
    ("turns", "orientation"), [(0, 0), (1, 6), (2, 4), (3, 2)], ids=["right", "up", "left", "down"]
)
@pytest.mark.parametrize("interpolate", [True, False])
def test_the_direction_of_an_edge(turns: int, orientation: int, interpolate: bool) -> None:
    """Brighter to the right is direction 0 of 8, brighter below direction 2, and so on."""
    image = np.rot90(np.repeat([[0, 0, 0, 0, 9, 9, 9, 9]], 8, axis=0), turns)
    hog = HogFeatures(cell_size=8, stride=8, interpolate=interpolate)
    features = hog.transform(image.reshape(1, -1))
    assert np.flatnonzero(features[0]).tolist() == [orientation]
    unsigned = clone(hog).set_params(orientations=4, signed=False)
    features = unsigned.transform(image.reshape(1, -1))
    assert np.flatnonzero(features[0]).tolist() == [orientation % 4]


@pytest.mark.parametrize(("down", "nearest"), [(1, [0, 1]), (-1, [0, 7])])
def test_an_edge_between_two_directions_is_shared(down: int, nearest: list[int]) -> None:
    """A slope of one down, or up, to two across stands at 26.6 degrees, between 0 and 45."""
    slope = np.add.outer(down * np.arange(9), 2 * np.arange(9))
    hog = HogFeatures(cell_size=1, stride=1, block_norm="L2", epsilon=1e-12)
    middle = hog.transform(slope.reshape(1, 81)).reshape(9, 9, 8)[4, 4]
    share = np.degrees(np.arctan2(1, 2)) / 45
    expected = np.zeros(8)
    expected[nearest] = [1 - share, share]
    np.testing.assert_allclose(middle, expected / np.linalg.norm(expected), rtol=1e-6, atol=1e-12)


def test_windows_weigh_their_middle_most() -> None:
    """One edge two pixels wide, read through windows of 3 pixels (1/4, 1/2, 1/4) one by one."""
    image = np.zeros((3, 12))
    image[:, 6:] = 1
    hog = HogFeatures((3, 12), cell_size=3, stride=1, orientations=1, epsilon=1.0)
    shares = hog.transform(image.reshape(1, -1))[0] ** 2  # sum / (sum + 1), where sums are means
    np.testing.assert_allclose(
        shares / (1 - shares), [0, 0, 0, 0.25, 0.75, 0.75, 0.25, 0, 0, 0], atol=1e-6
    )


@pytest.mark.parametrize(
    ("shape", "orientations", "cell", "block", "block_norm"),
    [
        ((28, 28), 9, 4, 1, "L1-sqrt"),
        ((28, 28), 8, 4, 3, "L2"),
        ((32, 20), 12, 8, 2, "L2-Hys"),
        ((17, 31), 5, 2, 2, "L1-sqrt"),
    ],
)
def test_the_values_are_scikit_images(
    rng: np.random.Generator,
    shape: tuple[int, int],
    orientations: int,
    cell: int,
    block: int,
    block_norm: Any,
) -> None:
    images = rng.integers(0, 256, size=(6, *shape)) * (rng.random((6, *shape)) < 0.6)
    images[:, 0, :2] = [0, 255]  # each spans the same
    hog = SkimageHog(shape, orientations=orientations, cell_size=cell, stride=cell)
    ours = hog.set_params(block_size=block, block_norm=block_norm).transform(images.reshape(6, -1))
    theirs = [
        skimage.hog(image, orientations, (cell, cell), (block, block), block_norm=block_norm)
        for image in images
    ]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_moving_an_image_by_the_stride_moves_its_features(digits: NDArray[np.uint8]) -> None:
    framed = np.zeros((len(digits), 40, 40), dtype=np.uint8)
    framed[:, 6:34, 6:34] = digits.reshape(-1, 28, 28)
    moved = np.roll(framed, (3, -3), axis=(1, 2))
    hog = HogFeatures(cell_size=7, stride=3)
    there, here = (
        hog.transform(each.reshape(len(digits), -1)).reshape(-1, 12, 12, 8)
        for each in (moved, framed)
    )
    np.testing.assert_array_equal(there[:, 1:, :-1], here[:, :-1, 1:])


def test_uint8_is_the_float_times_255(digits: NDArray[np.uint8]) -> None:
    exact, whole = HogFeatures().transform(digits), HogFeatures(dtype="uint8").transform(digits)
    assert whole.dtype == np.dtype(np.uint8)
    assert exact.dtype == np.dtype(np.float32)
    np.testing.assert_array_equal(whole, np.rint(exact * np.float32(255)))
    assert whole.max() > 200


@pytest.mark.parametrize(("factor", "offset"), [(1 / 255, 0), (2 / 255, -1), (1e30, 0), (1e-30, 0)])
def test_units_do_not_matter(digits: NDArray[np.uint8], factor: float, offset: float) -> None:
    images = digits.astype(np.float64)
    straight = Deskew().transform(images)
    np.testing.assert_allclose(
        Deskew().transform(factor * images + offset),
        (factor * straight.astype(np.float64) + offset).astype(np.float32),
        rtol=1e-5,
        atol=1e-4 * factor * 255,
    )
    np.testing.assert_allclose(
        HogFeatures().transform(factor * images + offset),
        HogFeatures().transform(images),
        atol=2e-3,  # a digit's blank paper is nearly 0 in float32, and roots of nearly 0 are not
    )


@pytest.mark.parametrize("transformer", BOTH)
def test_a_row_has_one_answer_in_any_company(transformer: Any, digits: NDArray[np.uint8]) -> None:
    together = transformer.transform(digits)
    for rows in ([0], [299, 17, 17], slice(250, 290), slice(None, None, -1)):
        np.testing.assert_array_equal(transformer.transform(digits[rows]), together[rows])


@pytest.mark.parametrize("transformer", BOTH)
@pytest.mark.parametrize("dtype", [np.int16, np.float16, np.float32, np.float64])
def test_dtype_and_layout_do_not_matter(
    transformer: Any, dtype: Any, digits: NDArray[np.uint8]
) -> None:
    images = digits.astype(dtype)
    answer = transformer.transform(images)
    readonly = images.copy()
    readonly.flags.writeable = False
    for same in (np.asfortranarray(images), np.repeat(images, 2, axis=0)[::2], readonly):
        np.testing.assert_array_equal(transformer.transform(same), answer)
    if not isinstance(transformer, Deskew):
        np.testing.assert_array_equal(transformer.transform(digits), answer)


@pytest.mark.parametrize("transformer", BOTH)
@pytest.mark.parametrize("value", [0, 7, -3.5, 1e30, 1e-45, -3.4e38])
def test_constant_images_come_out_unharmed(transformer: Any, value: float) -> None:
    images = np.full((3, 400), value, dtype=np.float32)
    answer = transformer.transform(images)
    expected = images if isinstance(transformer, Deskew) else np.zeros_like(answer)
    np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize("transformer", BOTH)
def test_images_of_one_pixel_of_ink(transformer: Any) -> None:
    answer = transformer.transform(np.eye(400, dtype=np.uint8) * 200)
    assert np.isfinite(answer).all()
    if isinstance(transformer, Deskew):  # spread over the four pixels about the middle
        np.testing.assert_array_equal(answer.sum(axis=1), 200)


_VALUES = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.just(0.0)


@settings(max_examples=60)
@given(
    images=arrays(np.float32, st.tuples(st.integers(1, 4), st.just(8 * 11)), elements=_VALUES),
    hog=st.builds(
        HogFeatures,
        st.sampled_from([(8, 11), (11, 8), (-1, 8)]),
        orientations=st.integers(1, 13),
        signed=st.booleans(),
        interpolate=st.booleans(),
        cell_size=st.integers(2, 4),
        stride=st.integers(1, 2),
        block_size=st.integers(1, 3),
        block_norm=st.sampled_from(["L1-sqrt", "L2", "L2-Hys"]),
        epsilon=st.sampled_from([1e-12, 1e-5, 0.01, 1e6]),
        dtype=st.sampled_from(["float32", "uint8"]),
    ),
)
def test_any_image_gives_finite_shares(images: NDArray[np.float32], hog: HogFeatures) -> None:
    features = hog.fit(images).transform(images)
    assert features.shape == (len(images), len(set(hog.get_feature_names_out())))
    assert np.isfinite(features).all()
    assert features.min() >= 0
    assert features.max() <= (255 if hog.dtype == "uint8" else 1)
    straight = Deskew(hog.image_shape).transform(images)
    assert (straight >= images.min(axis=1, keepdims=True)).all()
    assert (straight <= images.max(axis=1, keepdims=True)).all()


@pytest.mark.parametrize("transformer", BOTH)
def test_names_are_one_each_and_make_columns(transformer: Any, digits: NDArray[np.uint8]) -> None:
    named = clone(transformer).set_output(transform="pandas")
    frame = named.fit_transform(digits)
    names = named.get_feature_names_out().tolist()
    assert frame.columns.tolist() == names
    assert len(set(names)) == len(names)
    np.testing.assert_array_equal(frame.to_numpy(), transformer.transform(digits))


def test_names_say_where(digits: NDArray[np.uint8]) -> None:
    assert Deskew((14, 56)).fit(digits).get_feature_names_out()[57] == "pixel1_1"
    names = HogFeatures().fit(digits).get_feature_names_out()
    assert (names[8], names[-1]) == ("cell0_1_orientation0", "cell7_7_orientation7")
    names = HogFeatures(block_size=2).fit(digits).get_feature_names_out()
    assert (names[8], names[-1]) == (
        "block0_0_cell0_1_orientation0",
        "block6_6_cell7_7_orientation7",
    )
    with pytest.raises(NotFittedError):
        HogFeatures().get_feature_names_out()


@pytest.mark.parametrize("transformer", BOTH[:2])
@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_is_the_answers_and_a_blocks(transformer: Any, order: Any) -> None:
    X = np.zeros((20_000, 400), dtype=np.float64, order=order)
    transformer.transform(X[:1])  # compiled
    tracemalloc.start()
    answer = transformer.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < answer.nbytes + 4_000_000


def test_memory_is_bounded_for_large_images_too() -> None:
    X = np.zeros((40, 1000 * 1000), dtype=np.uint8)
    X[:, 123_456] = 1
    hog = HogFeatures(cell_size=50, stride=50)
    hog.transform(X[:1])  # compiled
    tracemalloc.start()
    hog.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes


_SQUARE, _SHAPE = "square number of features.*Pass image_shape", "height·width features"


@pytest.mark.parametrize("transformer", [Deskew, HogFeatures])
@pytest.mark.parametrize(
    ("image_shape", "error", "message"),
    [
        (None, ValueError, _SQUARE),
        ((10, 10), ValueError, _SHAPE),
        ((-1, 7), ValueError, _SHAPE),
        ((-1, -1), ValueError, _SHAPE),
        ((0, -1), ValueError, _SHAPE),
        ((-1, -100), ValueError, "each of image_shape == -100"),
        (100, ValueError, r"must be \(height, width\) or None. Got 100"),
        ("ab", ValueError, r"must be \(height, width\) or None. Got 'ab'"),
        ((10.0, 20), TypeError, "each of image_shape must be an instance of int"),
    ],
)
def test_shapes_that_do_not_fit(
    transformer: Any, image_shape: Any, error: type[Exception], message: str
) -> None:
    for method in ("fit", "transform"):
        with pytest.raises(error, match=message):
            getattr(transformer(image_shape), method)(np.zeros((2, 200)))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"orientations": 0}, ValueError, "orientations == 0, must be >= 1"),
        ({"orientations": 8.0}, TypeError, "orientations must be an instance of int"),
        ({"cell_size": 29, "stride": 1}, ValueError, "at least 29x29 pixels.*Got 28x28"),
        ({"block_size": 9}, ValueError, "at least 31x31 pixels.*smaller"),
        ({"stride": 8}, ValueError, "stride == 8, must be <= 7"),
        ({"signed": 1}, TypeError, "signed must be an instance of"),
        ({"interpolate": "no"}, TypeError, "interpolate must be an instance of"),
        ({"block_norm": "L2-hys"}, ValueError, "Did you mean 'L2-Hys'"),
        ({"epsilon": 0.0}, ValueError, "epsilon == 0.0, must be >= 1e-12"),
        ({"epsilon": np.nan}, ValueError, "epsilon must be finite"),
        ({"dtype": "uint16"}, ValueError, "Did you mean 'uint8'"),
    ],
)
def test_parameters_that_are_not_as_documented(
    parameters: dict[str, Any], error: type[Exception], message: str
) -> None:
    for method in ("fit", "transform"):
        with pytest.raises(error, match=message):
            getattr(HogFeatures(**parameters), method)(np.zeros((2, 784)))
