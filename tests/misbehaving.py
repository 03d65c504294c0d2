"""A classifier that does in one fold what makes runs fail, and leaves a mark for every fit."""

import os
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB


class Misbehaving(ClassifierMixin, BaseEstimator):
    """Gaussian naive Bayes, but in the fold that tests row ``victim`` (it naps in every fold).

    The first column of X must be the number of the row. ``times`` is how often it misbehaves, for
    which it counts in ``folder``.
    """

    def __init__(self, what: str, folder: Path, victim: int = 0, times: int = 10**6) -> None:
        self.what = what
        self.folder = folder
        self.victim = victim
        self.times = times

    def fit(self, X: Any, y: Any) -> "Misbehaving":
        folder = Path(self.folder)
        (folder / f"fit-{uuid.uuid4().hex}").write_text(f"{os.getpid()}", encoding="ascii")
        if self.what == "nap":
            time.sleep(0.5)
        if self.victim not in X[:, 0]:
            (folder / f"victim-{uuid.uuid4().hex}").write_text(f"{os.getpid()}", encoding="ascii")
            if len(list(folder.glob("victim-*"))) <= self.times:
                self._misbehave()
        self.inner_ = GaussianNB().fit(X[:, 1:], y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X: Any) -> Any:
        return self.inner_.predict(X[:, 1:])

    def predict_proba(self, X: Any) -> Any:
        return self.inner_.predict_proba(X[:, 1:])

    def _misbehave(self) -> None:
        if self.what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.what == "exit":
            sys.exit(3)
        elif self.what == "run out of memory":
            raise MemoryError
        elif self.what == "hang":
            time.sleep(600)
        elif self.what == "raise":
            raise ZeroDivisionError("on purpose")
        else:
            assert self.what in ("nap", "nothing")


def fits_made(folder: Path) -> int:
    """How many fits have begun that were told of this folder."""
    return len(list(Path(folder).glob("fit-*")))


def numbered_rows(n: int = 120) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows whose first column is their number, of three classes not quite apart."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    X = np.c_[np.arange(n), rng.normal(size=(n, 4)) + y[:, np.newaxis]]
    return X, y
