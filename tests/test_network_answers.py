"""A network's answers by its compiled forward pass, against Keras's own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_models import SequentialClassifier, load_sample_digits
from mnist_models._keras import answers

from .conftest import SMALL_NETWORK, Split

SMALL = SMALL_NETWORK | {"random_state": 0}


@pytest.fixture(scope="module", params=["dense", "conv"])
def trained(request: pytest.FixtureRequest, digits: Split) -> SequentialClassifier:
    network = SequentialClassifier(**SMALL | {"epochs": 1}, architecture=request.param)
    return network.fit(digits[0] / 255, digits[2])


@pytest.mark.parametrize("n", [1, 31, 32, 33, 500, 2048, 2100, 5000])
def test_compiled_answers_are_keras_own(n: int, trained: SequentialClassifier) -> None:
    X = np.resize(load_sample_digits().data, (n, 784)) / np.float32(255)
    np.testing.assert_allclose(
        trained.predict_proba(X), np.asarray(trained.model_(X, training=False)), atol=1e-6
    )


def test_a_row_has_one_answer_to_the_last_bit(
    trained: SequentialClassifier, rng: np.random.Generator
) -> None:
    X = np.tile(load_sample_digits().data, (2, 1))
    expected = trained.predict_proba(X)
    for _ in range(20):
        rows = rng.choice(len(X), rng.integers(1, 2500))
        np.testing.assert_array_equal(trained.predict_proba(X[rows]), expected[rows])


def test_nothing_is_traced_again_as_sizes_vary(trained: SequentialClassifier) -> None:
    X = np.tile(load_sample_digits().data, (2, 1))
    trained.predict_proba(X)
    forward: Any = answers._forwards[trained.model_].function
    before = forward.experimental_get_tracing_count()
    for n in (1, 2, 40, 300, 2048, 3000):
        trained.predict_proba(X[:n])
        trained.predict_proba(X[:n].astype(float))
    assert forward.experimental_get_tracing_count() == before <= 2


def test_threads_may_ask_at_once(trained: SequentialClassifier) -> None:
    X = load_sample_digits().data
    expected = trained.predict_proba(X)
    start = threading.Barrier(4)

    def ask(first: int) -> NDArray[np.float32]:
        start.wait()
        return np.concatenate([trained.predict_proba(X[i : i + 7]) for i in range(first, 700, 7)])

    with ThreadPoolExecutor(4) as threads:
        for each in threads.map(ask, [0] * 4):
            np.testing.assert_array_equal(each, expected[:700])


def test_weights_changed_by_hand_are_heeded(digits: Split) -> None:
    X, _, y, _ = digits
    network = SequentialClassifier(**SMALL).fit(X, y)
    before = network.predict_proba(X)
    network.model_.set_weights([np.zeros_like(w) for w in network.model_.get_weights()])
    np.testing.assert_allclose(network.predict_proba(X), 0.1)
    assert not np.allclose(before, 0.1)
