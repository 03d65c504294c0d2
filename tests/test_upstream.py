"""Silent failures of the libraries underneath, shown: the reasons for what this library does.

A test here that fails is good news: something was mended, and a way round it may go.
"""

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about each other


def build(n_features: int = 4, n_classes: int = 3) -> Any:
    import keras

    return keras.Sequential(
        [keras.Input((n_features,)), keras.layers.Dense(n_classes, activation="softmax")]
    )


@pytest.fixture(scope="module")
def scikeras_classifier() -> Any:
    from mnist_models._keras.waking import load_keras

    load_keras()
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(build, loss="sparse_categorical_crossentropy", verbose=0, epochs=2)


def test_scikeras_is_no_classifier_so_its_folds_are_not_stratified(
    scikeras_classifier: Any,
) -> None:
    assert not is_classifier(scikeras_classifier)
    cv = check_cv(5, np.arange(30) % 3, classifier=is_classifier(scikeras_classifier))
    assert isinstance(cv, KFold)
    assert not isinstance(cv, StratifiedKFold)


def test_scikeras_gives_one_dimension_for_the_probabilities_of_one_row(
    scikeras_classifier: Any,
) -> None:
    X, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3
    assert clone(scikeras_classifier).fit(X, y).predict_proba(X[:1]).shape == (3,)


def test_scikeras_ignores_callbacks_given_to_fit(scikeras_classifier: Any) -> None:
    import keras

    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    X, y = np.eye(4), [0, 1, 2, 0]
    clone(scikeras_classifier).fit(X, y, callbacks=[callback])
    assert seen == []


@pytest.mark.slow
def test_scikeras_leaves_op_determinism_on_after_a_first_seeded_fit() -> None:
    code = """
import numpy as np, keras
from scikeras.wrappers import KerasClassifier
def build():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
KerasClassifier(build, loss="sparse_categorical_crossentropy", random_state=0, verbose=0).fit(
    np.eye(4), [0, 1, 0, 1])
from tensorflow.python.framework.config import is_op_determinism_enabled
assert is_op_determinism_enabled()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True)


def test_keras_own_wrapper_loses_its_epochs_when_cloned() -> None:
    from keras.wrappers import SKLearnClassifier

    wrapper = SKLearnClassifier(build(), fit_kwargs={"epochs": 12}, model_kwargs={"X": None})
    assert wrapper.fit_kwargs == {"epochs": 12}
    assert not hasattr(wrapper, "predict_proba")
    assert not clone(wrapper).fit_kwargs


def test_standardscaler_copies_float32_to_float64() -> None:
    X = np.zeros((20_000, 784), dtype=np.float32)
    tracemalloc.start()
    StandardScaler().fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > 1.9 * X.nbytes


_SEARCH_ON_DASK = """
import os
import dask, joblib
from distributed import Client, LocalCluster
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

class Deadly(GaussianNB):
    def fit(self, X, y):
        if self.var_smoothing == 0:
            os.kill(os.getpid(), 9)
        return super().fit(X, y)

if __name__ == "__main__":
    dask.config.set({"distributed.scheduler.allowed-failures": 0})  # else it tries three times
    X, y = make_classification()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        with Client(cluster), joblib.parallel_config("dask"):
            search = GridSearchCV(Deadly(), {"var_smoothing": [1e-9, 0.0]}, error_score=0.0)
            print("begun", flush=True)
            try:
                search.fit(X, y)
            finally:
                print("ended", flush=True)
"""


@pytest.mark.slow
def test_a_search_on_dask_waits_for_ever_or_fails_when_a_worker_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "search.py"
    script.write_text(_SEARCH_ON_DASK, encoding="utf-8")
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        try:  # by and large the first; the second where the rows were lost with the worker
            assert process.wait(timeout=40) != 0
        except subprocess.TimeoutExpired:  # ours tells of the loss within three seconds
            os.killpg(process.pid, signal.SIGKILL)
