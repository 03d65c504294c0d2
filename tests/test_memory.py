"""Memory of a fit, and the size of a model."""

import pickle
import sys

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

from mnist_models._running.memory import peak_memory, pickled_bytes

from .misbehaving import numbered_rows


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_peak_memory_is_what_the_work_took() -> None:
    with peak_memory() as peak:
        np.ones(25_000_000).sum()
    assert peak.rise is not None
    assert peak.rise > 150e6


def test_of_fits_that_share_a_process_it_cannot_be_told() -> None:
    with peak_memory() as first:
        with peak_memory() as second:
            pass
        assert second.rise is None
    assert first.rise is None  # nor after the other has ended


def test_the_size_of_a_model_is_that_of_its_pickle_and_not_of_n_jobs() -> None:
    X, y = numbered_rows()
    sizes = set()
    for n_jobs in (None, 1, -1, 1000):
        forest = RandomForestClassifier(3, n_jobs=n_jobs, random_state=0)
        fitted = GridSearchCV(forest, {"max_depth": [2]}, cv=2).fit(X, y).best_estimator_
        sizes.add(pickled_bytes(fitted))
        if n_jobs is None:
            assert sizes == {len(pickle.dumps(fitted, protocol=5))}
    assert len(sizes) == 1
