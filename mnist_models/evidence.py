"""What a fitted model looks at: pictures of its coefficients, importances and gradients."""

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length, gen_batches
from sklearn.utils.validation import check_is_fitted

from mnist_models._plots import BY_CLASS, IMPURITY, Panel, plot_panels
from mnist_models._text import percent
from mnist_models._validation import as_rows, some
from mnist_models.class_scores import ClassScores
from mnist_models.preprocessing import CleanPaper, Deskew, HogFeatures, Standardize, resolve_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Steps that turn images into images, a value for each pixel.
_SCALING, _IMAGING = (Standardize, StandardScaler), (CleanPaper, Deskew)
_BATCH_ROWS = 512  # whose gradients are found at once


def plot_evidence(
    model: Any,
    X: Any = None,
    y: ArrayLike | None = None,
    *,
    image_shape: tuple[int, int] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw what a fitted model looks at, or what in one digit speaks for and against each class.

    What is drawn depends on what the classifier is given. Pixels are those of the images, or as
    ``Standardize``, ``StandardScaler``, :class:`CleanPaper` and :class:`Deskew` leave them:

    =================== ======================== ======================= =======================
    classifier          without X                X of several digits     X of one digit
    =================== ======================== ======================= =======================
    linear, on pixels   coefficients per class   evidence per class      evidence for each class
    network, on pixels  ValueError               evidence per class      evidence for each class
    forest              importances              these, and patches      patches
    any other           ValueError               patches                 patches
    =================== ======================== ======================= =======================

    *Coefficients* are on the scale of the pixels: they are divided by the standard deviations that
    scaled the pixels before. Those of pixels that rarely have ink may be large by chance.

    *Evidence* is gradient times input: the gradient of a class's score (its log-probability, less
    the mean of all classes') in the classifier's input, times that input. Of standardized pixels,
    the input is the difference to the mean digit, so that missing ink counts, too. For linear
    models this is exact: the pixels' values add up to the score, less the intercept. For several
    digits it is averaged over those of each class.

    *Importances* are by impurity; those of oriented gradients are added up in each window, and
    those of class scores, which have no place in the image, are left out.

    *Patches* of several digits are exchanged at random between the digits: drawn is the share of
    right answers that is lost [1]_. In one digit, a patch is wiped: drawn is the probability that
    each class loses by that [2]_.

    Parameters
    ----------
    model : classifier
        Fitted; any classifier, Pipeline or search.
    X : array-like, shape (n_samples, n_features), default=None
        Digits, as ``predict`` takes them: rows, or images of shape (n_samples, height, width) or
        (n_samples, height, width, 1).
    y : array-like, shape (n_samples,), default=None
        Their labels. None: what the model reads them as.
    image_shape : tuple (height, width) of int, default=None
        Shape of the images; None for that of X if it holds images, and otherwise for square ones.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure, which is ``ax.figure`` of the result.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on; its ``child_axes`` are the pictures, in the order of ``classes_`` where
        there is one for each class.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    ValueError
        If the model shows something only with X, or patches of one digit only with
        ``predict_proba``, which it lacks; if X, y or ``image_shape`` do not fit together.

    References
    ----------
    .. [1] L. Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
    .. [2] M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks",
       ECCV 2014, section 4.2.

    A. Shrikumar, P. Greenside and A. Kundaje, "Learning Important Features Through Propagating
    Activation Differences", ICML 2017 (gradient times input).

    Examples
    --------
    >>> from mnist_models import load_sample_digits, make_model, plot_evidence
    >>> digits = load_sample_digits()
    >>> model = make_model("logistic").fit(digits.data, digits.target)
    >>> ax = plot_evidence(model)
    >>> len(ax.child_axes)
    10
    >>> ax = plot_evidence(model, digits.data[:1])
    >>> [panel.get_title() for panel in ax.child_axes][:2]
    ['read as 0', '0: >99 %']
    """
    looked_at = _Model(model, X, image_shape)
    with warnings.catch_warnings():  # of arrays in place of a DataFrame
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        if X is None:
            panels, what = looked_at.alone()
        else:
            read = np.asarray(looked_at.model.predict(as_rows(X)))
            rows, labels = as_rows(np.asarray(X)), read if y is None else np.asarray(y)
            check_consistent_length(rows, labels)
            if unknown := sorted(set(labels.tolist()).difference(looked_at.classes.tolist())):
                raise ValueError(f"y must hold labels of classes_ only. Got {some(unknown)} too.")
            if len(rows) > 1:
                panels, what = looked_at.at_digits(rows, labels)
            else:
                title = f"{'read as' if y is None else f'{labels[0]} →'} {read[0]}"
                panels, what = looked_at.at_digit(rows, title)
    return plot_panels(panels, f"{type(looked_at.classifier).__name__}: {what}", ax)


def evidence_of_fit(model: Any, X: Any, y: NDArray[Any]) -> dict[str, list[list[float]]] | None:
    """What takes no time to find: mean evidence in the digits of each class, or importances.

    Returns
    -------
    dict of str to list of list of float, or None
        The pictures by their titles, in three digits; None for a model that has neither.
    """
    try:
        looked_at = _Model(model, X)
        if looked_at.evidence() is None:
            panels = looked_at.importances()
            images = {IMPURITY: panels[0].values} if panels else {}
        else:
            panels, _ = looked_at.at_digits(as_rows(X), y)
            images = {panel.title: panel.values for panel in panels}
    except Exception:  # noqa: BLE001 - anybody's model, whose evaluation must not fail of this
        return None
    return {
        title: [[float(f"{value:.3g}") for value in row] for row in image]
        for title, image in images.items()
        if image is not None
    } or None


class _Model:
    """A fitted model, and what it looks at.

    Its images have the given shape, else that of X if it holds images, else they are square.
    """

    def __init__(self, model: Any, X: Any, image_shape: Any = None) -> None:
        self.model = getattr(model, "best_estimator_", model)
        check_is_fitted(self.model)
        self.classes = np.asarray(self.model.classes_)
        *self.before, self.classifier = _steps(self.model)
        if image_shape is None and np.ndim(X) > 2:
            image_shape = np.shape(X)[1:3]
        first = [*self.before, self.classifier][0]
        self.shape = resolve_shape(image_shape, first.n_features_in_)
        self.sees_pixels = all(isinstance(step, _SCALING + _IMAGING) for step in self.before)

    def alone(self) -> tuple[list[Panel], str]:
        """What it looks at, without digits."""
        weights = self._coefficients()
        if weights is not None:
            for step in self.before:
                if isinstance(step, _SCALING) and step.scale_ is not None:
                    weights = weights / step.scale_
            panels = [self._panel(*each) for each in zip(self.classes, weights, strict=True)]
            return panels, f"coefficients of pixels\n{BY_CLASS}"
        if panels := self.importances():
            return panels, "importances"
        raise ValueError(
            f"{type(self.classifier).__name__} has neither coefficients of pixels nor importances "
            "to draw: what it looks at shows only in digits. Pass X, and y."
        )

    def at_digits(self, rows: NDArray[Any], labels: NDArray[Any]) -> tuple[list[Panel], str]:
        """What it looks at in several digits, by class where that is known."""
        evidence = self.evidence()
        if evidence is None:
            return [*self.importances(), self._exchanged(rows, labels)], "importances"
        panels, inputs, ink = [], np.asarray(_through(self.before, rows)), self._ink(rows)
        for code in np.flatnonzero(np.isin(self.classes, labels)):
            of_class = np.flatnonzero(labels == self.classes[code])
            batches = [of_class[part] for part in gen_batches(len(of_class), _BATCH_ROWS)]
            sums = [evidence(inputs[b], np.full(len(b), code)).sum(axis=0) for b in batches]
            mean = np.sum(sums, axis=0) / len(of_class)
            panels.append(self._panel(self.classes[code], mean, ink[of_class].mean(axis=0)))
        return panels, f"mean evidence in each class's digits\n{BY_CLASS}"

    def at_digit(self, row: NDArray[Any], title: str) -> tuple[list[Panel], str]:
        """What in one digit, of shape (1, n_pixels), speaks for and against each class."""
        evidence, n = self.evidence(), len(self.classes)
        if evidence is None:
            values, what = self._wiped(row), "evidence of patches in one digit"
        else:
            inputs = np.repeat(_through(self.before, row), n, axis=0)
            values, what = evidence(inputs, np.arange(n)), "evidence in one digit"
        names = [str(label) for label in self.classes]
        if hasattr(self.model, "predict_proba"):
            shares = self.model.predict_proba(row)[0]
            names = [f"{n}: {percent(float(p), 0)}" for n, p in zip(names, shares, strict=True)]
        ink = self._ink(row)[0]
        panels = [self._panel(*each, ink) for each in zip(names, values, strict=True)]
        return [Panel(title, None, ink), *panels], f"{what}\n{BY_CLASS}"

    def _panel(self, title: Any, values: NDArray[Any], ink: Any = None) -> Panel:
        return Panel(str(title), values.reshape(self.shape), ink)

    def _ink(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The digits as the last step leaves them that makes images."""
        makes = [isinstance(step, _IMAGING) and self.sees_pixels for step in self.before]
        last = max(np.flatnonzero(makes), default=-1)
        return np.asarray(_through(self.before[: last + 1], rows)).reshape(-1, *self.shape)

    def _coefficients(self) -> NDArray[Any] | None:
        """The coefficients of each class's score, shape (n_classes, n_pixels), if it has them."""
        coef, n = getattr(self.classifier, "coef_", None), len(self.classes)
        if not (self.sees_pixels and isinstance(coef, np.ndarray) and coef.ndim == 2):
            return None
        if n > 2 and hasattr(self.classifier, "dual_coef_"):  # SVC's are of pairs of classes
            return None
        if n == 2 and len(coef) == 1:
            coef = np.vstack([np.zeros_like(coef), coef])
        return coef - coef.mean(axis=0) if len(coef) == n else None

    def evidence(self) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]] | None:
        """What finds gradient times input of rows, each for a class; None if there is none."""
        weights = self._coefficients()
        if weights is not None:
            return lambda rows, codes: weights[codes] * rows
        network = getattr(self.classifier, "model_", None)
        keras = sys.modules.get("keras")  # loaded, if it is a network
        if not (self.sees_pixels and keras and isinstance(network, keras.Model)):
            return None
        shapes = [(None, self.shape[0] * self.shape[1]), (None, len(self.classes))]
        if [network.input_shape, network.output_shape] != shapes:
            return None
        return lambda rows, codes: _gradient_times_input(network, rows, codes)

    def importances(self) -> list[Panel]:
        """By impurity, of pixels or of windows; nothing if it has none."""
        values = getattr(self.classifier, "feature_importances_", None)
        steps = list(self.before)
        if values is not None and steps and isinstance(steps[-1], ClassScores):
            values = values[: steps.pop().n_features_in_]  # a score looks at the whole image
        last = steps[-1] if steps else None
        if values is None or not (self.sees_pixels or isinstance(last, HogFeatures)):
            return []
        grid = self.shape
        if isinstance(last, HogFeatures):
            _, grid, _ = last._layout(last.n_features_in_)
            if last.block_size > 1:  # windows are in several blocks
                return []
        image = values.reshape(*grid, -1).sum(axis=2)
        title = f"{IMPURITY}\nat most {image.max():.2g}"
        return [Panel(title, image / (image.max() or 1.0))]  # 0 in all: a tree without splits

    def _exchanged(self, rows: NDArray[Any], labels: NDArray[Any]) -> Panel:
        """The share of right answers that is lost when a patch comes from another digit."""
        rng, images = np.random.default_rng(0), rows.reshape(-1, *self.shape)
        lost, right = np.zeros(self.shape), np.mean(self.model.predict(rows) == labels)
        for patch in _patches(self.shape, 1):
            changed = images.copy()
            changed[:, *patch] = rng.permutation(images[:, *patch])
            lost[patch] = right - np.mean(self.model.predict(changed.reshape(rows.shape)) == labels)
        title = f"patches exchanged\nat most {percent(max(0.0, float(lost.max())), 1)} lost"
        return Panel(title, lost / (np.abs(lost).max() or 1.0), images.mean(axis=0))

    def _wiped(self, row: NDArray[Any]) -> NDArray[Any]:
        """The probability that each class loses when a patch is wiped, shape (n_classes, …)."""
        if not hasattr(self.model, "predict_proba"):
            raise ValueError(
                "To show what in one digit speaks for a class, a model that is not linear in the "
                f"pixels needs predict_proba. Got {type(self.classifier).__name__}, which has "
                "none. Pass several digits as X, or put CalibratedClassifierCV around it."
            )
        image = row.reshape(self.shape)
        paper = np.median(np.concatenate([*image[[0, -1]], *image[:, [0, -1]].T]))
        total = np.zeros((len(self.classes), *self.shape))
        covered = np.zeros(self.shape)
        whole = self.model.predict_proba(row)[0]
        for patch in _patches(self.shape, 2):
            wiped = image.copy()
            wiped[patch] = paper
            lost = whole - self.model.predict_proba(wiped.reshape(row.shape))[0]
            total[:, *patch] += lost[:, None, None]
            covered[patch] += 1
        return total / covered


def _steps(model: Any) -> list[Any]:
    """The steps of a Pipeline, and of those in it, without those that do nothing."""
    if isinstance(model, Pipeline):
        return [step for _, part in model.steps for step in _steps(part)]
    return [] if model is None or isinstance(model, str) else [model]


def _through(steps: list[Any], rows: Any) -> Any:
    for step in steps:
        rows = step.transform(rows)
    return rows


def _patches(shape: tuple[int, int], overlap: int) -> Iterator[tuple[slice, slice]]:
    """Squares of a seventh of the side; along each axis, ``overlap`` of them cover a pixel."""
    side = max(1, round(max(shape) / 7))
    step = max(1, side // overlap)
    for top in range(0, shape[0], step):
        for left in range(0, shape[1], step):
            yield slice(top, top + side), slice(left, left + side)


def _gradient_times_input(
    network: Any, rows: NDArray[Any], codes: NDArray[Any]
) -> NDArray[np.float32]:
    """The gradient of each row's score for its class, times the row."""
    from mnist_models._keras_start import start_keras

    start_keras()
    import tensorflow as tf

    inputs = tf.convert_to_tensor(rows, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        shares = tf.cast(network(inputs, training=False), tf.float32)
        scores = tf.math.log(tf.maximum(shares, 1e-37))  # as those of 0 are not finite
        scores -= tf.reduce_mean(scores, axis=1, keepdims=True)
        chosen = tf.reduce_sum(scores * tf.one_hot(codes, scores.shape[1]))
    return np.asarray(tape.gradient(chosen, inputs) * inputs)
