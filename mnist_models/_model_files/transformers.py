"""Transformers as plain data, and back. Each ``decode`` returns the transformer's width.

The width is the number of features that it makes, for which the next step must be fitted. It is
computed before anything of that size is made.
"""

from math import prod
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures

from mnist_models._features.images import resolve_shape
from mnist_models._model_files.checks import MOST_NUMBERS, Arrays, count, require, take
from mnist_models.image_features import Deskew, HogFeatures
from mnist_models.preprocessing import Standardize

# Products of a higher degree take long to count, and are few enough only of one or two features.
_HIGHEST_DEGREE = 100


def encode_nothing(_: Any) -> tuple[dict[str, Any], Arrays]:
    """Nothing: the transformer learns nothing, and its parameters are saved anyway."""
    return {}, {}


def decode_identity(identity: FunctionTransformer, _: dict[str, Any], __: Arrays) -> int:
    """As many features as come in: it has no function, which would be code."""
    return int(identity.n_features_in_)


def decode_deskew(deskew: Deskew, _: dict[str, Any], __: Arrays) -> int:
    """As many pixels as come in, which must be those of its image shape."""
    return prod(resolve_shape(deskew.image_shape, deskew.n_features_in_))


def decode_hog(hog: HogFeatures, _: dict[str, Any], __: Arrays) -> int:
    """The number of features that the checked parameters make of an image."""
    hog._check_parameters()
    shape = resolve_shape(hog.image_shape, hog.n_features_in_)
    # in Python's int, which does not overflow
    windows = [(side - hog.cell_size) // hog.stride + 1 for side in shape]
    blocks = [number - hog.block_size + 1 for number in windows]
    require(min(blocks) > 0, f"images of shape {shape}", f"images that hold a block of {hog}")
    weights = sum(side * number for side, number in zip(shape, windows, strict=True))
    count(weights, f"the number of weights of pixels in windows of {hog},")
    width = prod(blocks) * hog.block_size**2 * hog.orientations
    return count(width, f"the number of features made by {hog},")


def encode_pca(pca: PCA) -> tuple[dict[str, Any], Arrays]:
    """Components, mean and variances."""
    arrays = {
        "components": pca.components_,
        "mean": pca.mean_,
        "explained_variance": pca.explained_variance_,
        "explained_variance_ratio": pca.explained_variance_ratio_,
        "singular_values": pca.singular_values_,
        "noise_variance": np.atleast_1d(pca.noise_variance_),
    }
    return {"n_components": int(pca.n_components_), "n_samples": int(pca.n_samples_)}, arrays


def decode_pca(pca: PCA, settings: dict[str, Any], arrays: Arrays) -> int:
    """The number of components: as the parameter says, and at most that of rows and columns."""
    n_features = pca.n_features_in_
    pca.n_samples_ = count(settings["n_samples"], "n_samples", most=2**63 - 1)
    n = count(settings["n_components"], "n_components", most=min(pca.n_samples_, n_features))
    parameter = pca.n_components  # or a share of the variance, "mle" or None
    is_equal = not isinstance(parameter, int) or parameter == n
    require(is_equal, f"{n} components where n_components={parameter}", "as many")
    pca.n_components_ = n
    pca.components_ = take(arrays, "components", (n, n_features), np.floating)
    dtype = pca.components_.dtype  # these two are combined with it in place
    pca.mean_ = take(arrays, "mean", (n_features,), dtype)
    pca.explained_variance_ = take(arrays, "explained_variance", (n,), dtype)
    pca.singular_values_ = take(arrays, "singular_values", (n,), np.floating)
    # the share of a variance of 0 is 0 / 0
    ratio = take(arrays, "explained_variance_ratio", (n,), np.floating, finite=False)
    pca.explained_variance_ratio_ = ratio
    pca.noise_variance_ = take(arrays, "noise_variance", (1,), np.floating)[0]
    sound = bool((pca.explained_variance_ >= 0).all())
    require(sound, "a negative variance", "variances of 0 or more")
    return n


def decode_products(products: PolynomialFeatures, _: dict[str, Any], __: Arrays) -> int:
    """The number of products of that degree, as scikit-learn counts them."""
    degree = products.degree
    highest = degree[-1] if isinstance(degree, tuple) else degree
    sound = isinstance(highest, int) and highest <= _HIGHEST_DEGREE
    require(sound, f"degree {degree!r}", f"one of at most {_HIGHEST_DEGREE}")
    products.fit(np.zeros((1, products.n_features_in_)))
    # scikit-learn makes products of lower degrees first, and then drops them
    made = products._n_out_full
    require(made <= MOST_NUMBERS, f"{made} products of {products}", f"at most {MOST_NUMBERS}")
    return int(products.n_output_features_)


def encode_standardize(scaler: Standardize) -> tuple[dict[str, Any], Arrays]:
    """Means and scales."""
    return {}, {"mean": scaler.mean_, "scale": scaler.scale_}


def decode_standardize(scaler: Standardize, _: dict[str, Any], arrays: Arrays) -> int:
    """The number of features, each with a mean and a scale above 0."""
    shape = (scaler.n_features_in_,)
    scaler.mean_ = take(arrays, "mean", shape, np.float64)
    scaler.scale_ = take(arrays, "scale", shape, np.float64)
    require(bool((scaler.scale_ > 0).all()), "a scale of 0 or less", "scales above 0")
    return scaler.n_features_in_
