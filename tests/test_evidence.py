"""What a model looks at: what is drawn is what the model computes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from mnist_models import LogisticRegression, evaluate, make_model, plot_evidence

from .conftest import SMALL_NETWORK, Split, quick_model


def _drawn(axes: Any) -> list[NDArray[Any]]:
    """The values of each picture."""
    return [np.asarray(panel.images[0].get_array()) for panel in axes.child_axes]


def _titles(axes: Any) -> list[str]:
    return [panel.get_title() for panel in axes.child_axes]


def test_each_model_shows_what_it_looks_at_and_what_speaks_for_each_class(
    fitted: Any, digits: Split
) -> None:
    _, X, _, y = digits
    several = plot_evidence(fitted, X, y)
    by_class = len(several.child_axes) == 10
    assert _titles(several) == [*map(str, range(10))] if by_class else ["by impurity"]
    one = plot_evidence(fitted, X[:1], y[:1])
    title, *classes = _titles(one)
    assert title == f"{y[0]} → {fitted.predict(X[:1])[0]}"
    assert [name.split(":")[0] for name in classes] == [*map(str, range(10))]
    np.testing.assert_array_equal(_drawn(one)[0], X[0].reshape(28, 28))
    # images, a DataFrame, or the search that fitted it: the same picture
    for same in (X.reshape(-1, 28, 28), pd.DataFrame(X)):
        for before, after in zip(
            _drawn(several), _drawn(plot_evidence(fitted, same, y)), strict=True
        ):
            np.testing.assert_array_equal(before, after)


def test_evidence_of_logistic_regression_adds_up_to_its_scores(digits: Split) -> None:
    X_train, X, y_train, _ = digits
    model = quick_model("logistic").fit(X_train, y_train)
    scores = model.decision_function(X[:1])[0] - model[-1].intercept_
    sums = [values.sum() for values in _drawn(plot_evidence(model, X[:1]))[1:]]
    np.testing.assert_allclose(sums, scores - scores.mean(), atol=1e-4)


def test_a_coefficient_is_what_one_step_of_a_pixel_adds_to_the_score(digits: Split) -> None:
    X_train, X, y_train, _ = digits
    model = quick_model("logistic").fit(X_train, y_train)
    brighter = X[:1].astype(np.float64)
    brighter[0, 28 * 14 + 9] += 10
    rise = (model.decision_function(brighter) - model.decision_function(X[:1]))[0]
    found = [values[14, 9] for values in _drawn(plot_evidence(model))]
    np.testing.assert_allclose(found, (rise - rise.mean()) / 10, atol=1e-5)
    two = LogisticRegression().fit(X_train[y_train < 2] / 255, y_train[y_train < 2])
    zero, one = _drawn(plot_evidence(two))
    np.testing.assert_allclose(one - zero, two.coef_.reshape(28, 28), atol=1e-6)


def test_evidence_of_a_network_is_its_gradient_times_the_pixels(digits: Split) -> None:
    from mnist_models import SequentialClassifier

    X, _, y, _ = digits
    X = (X / 255).astype(np.float32)
    network = SequentialClassifier(**SMALL_NETWORK, random_state=0).fit(X, y)

    def scores(rows: Any) -> NDArray[np.float64]:
        logs = np.log(network.predict_proba(rows).astype(np.float64))
        return logs - logs.mean(axis=1, keepdims=True)

    pixel, step = int(np.argmax(X[0])), 1e-2
    up, down = (X[:1].copy() for _ in range(2))
    up[0, pixel] += step
    down[0, pixel] -= step
    slope = (scores(up) - scores(down))[0] / (2 * step)
    found = [values.ravel()[pixel] for values in _drawn(plot_evidence(network, X[:1]))[1:]]
    np.testing.assert_allclose(found, slope * X[0, pixel], atol=2e-3)
    threes = np.flatnonzero(y == 3)[:2]
    (mean,) = _drawn(plot_evidence(network, X[threes], y[threes]))
    each = [_drawn(plot_evidence(network, X[[row]]))[1 + 3] for row in threes]
    np.testing.assert_allclose(mean, np.mean(each, axis=0), atol=1e-5)


def test_importances_are_those_of_pixels_or_of_the_windows_of_gradients(digits: Split) -> None:
    X, _, y, _ = digits
    forest = quick_model("forest").fit(X, y)
    (image,) = _drawn(plot_evidence(GridSearchCV(forest, {}, cv=2).fit(X, y)))
    importances = forest[-1].feature_importances_.reshape(28, 28)
    np.testing.assert_allclose(image, importances / importances.max())
    strokes = make_model("forest", recipe="accurate", n_estimators=10, random_state=0).fit(X, y)
    axes = plot_evidence(strokes)
    names = strokes[0].get_feature_names_out()
    of_corner = np.char.startswith(names.astype(str), "cell0_0_")
    most = float(_titles(axes)[0].split()[-1])
    wanted = strokes[-1].feature_importances_[of_corner].sum()
    np.testing.assert_allclose(_drawn(axes)[0][0, 0] * most, wanted, rtol=0.05)


def _bright_corner(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], Any]:
    """Images of 14 by 14 noise whose class is whether one patch is bright; and a model of that."""
    images, y = rng.integers(100, size=(80, 14, 14)), np.arange(80) % 2
    images[:, 4:6, 6:8] += 150 * y[:, None, None]
    return images, y, DecisionTreeClassifier(random_state=0).fit(images.reshape(80, -1), y)


def test_only_the_patch_that_matters_loses_right_answers(rng: np.random.Generator) -> None:
    images, y, tree = _bright_corner(rng)
    importances, exchanged = _drawn(plot_evidence(tree, images, y))
    there = np.zeros((14, 14), dtype=bool)
    there[4:6, 6:8] = True
    assert (exchanged[there] == 1).all()
    assert not exchanged[~there].any()
    assert not importances[~there].any()
    lost = float(_titles(plot_evidence(tree, images, y))[1].split()[-3])
    assert 35 < lost < 65  # half of the patches come from the same class


def test_a_wiped_patch_takes_its_probability_from_the_class_it_spoke_for(
    rng: np.random.Generator,
) -> None:
    images, y, tree = _bright_corner(rng)
    _, dark, bright = _drawn(plot_evidence(tree, images[y == 1][:1]))
    seen = bright > 0
    assert seen[4:6, 6:8].any()
    assert not seen[:3].any()
    np.testing.assert_allclose(dark, -bright)
    with pytest.raises(ValueError, match=r"needs predict_proba\. Got SVC.*CalibratedClassifierCV"):
        plot_evidence(SVC().fit(images.reshape(80, -1), y), images[:1])
    assert (
        len(plot_evidence(LinearSVC().fit(images.reshape(80, -1), y), images[:1]).child_axes) == 3
    )


def test_features_that_are_no_pixels_show_by_patches_and_say_so(digits: Split) -> None:
    X, _, y, _ = digits
    model = make_model("logistic", recipe="accurate").fit(X, y)
    with pytest.raises(ValueError, match=r"LogisticRegression has neither .* Pass X, and y"):
        plot_evidence(model)
    (title,) = _titles(plot_evidence(model, X[:40], y[:40]))
    assert title.startswith("patches exchanged")


def test_what_does_not_fit_together_is_refused(digits: Split) -> None:
    X, _, y, _ = digits
    model = quick_model("logistic")
    with pytest.raises(NotFittedError):
        plot_evidence(model)
    model.fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        plot_evidence(model, X, y[:3])
    with pytest.raises(ValueError, match=r"y must hold labels of classes_ only\. Got 11 too"):
        plot_evidence(model, X[:2], [1, 11])
    with pytest.raises(ValueError, match="height·width"):
        plot_evidence(model, image_shape=(10, 10))


def test_pairs_of_classes_are_not_taken_for_classes(digits: Split) -> None:
    X, _, y, _ = digits
    some = y < 3
    model = SVC(kernel="linear").fit(X[some], y[some])  # 3 classes, 3 pairs
    with pytest.raises(ValueError, match="shows only in digits"):
        plot_evidence(model)


def test_a_class_with_a_long_name_is_kept_as_the_others(digits: Split) -> None:
    X, X_test, y, y_test = digits
    names = np.array([f"a class with a very long name, no {label}" for label in range(10)])
    order = np.argsort(y_test)  # as of folders
    found = evaluate(
        quick_model("logistic"), X, names[y], test=(X_test[order], names[y_test[order]])
    )
    assert found.test is not None
    assert [*(found.test.evidence or {})] == names.tolist()
