"""The network's answers, against Keras's own predict."""

from collections.abc import Iterator

import numpy as np

from benchmarks.digits import training_digits
from benchmarks.measure import Row, alternate
from mnist_models import SequentialClassifier


def rows(quick: bool) -> Iterator[Row]:
    """Probabilities of one row and of many."""
    X = training_digits(quick)[0].astype(np.float32) / 255
    network = SequentialClassifier(epochs=1, random_state=0)
    network.fit(X[:1000], np.arange(len(X[:1000])) % 10)
    for n in (1, min(len(X), 14_000)):
        yield alternate(
            f"network, probabilities of {n:,} rows (v. keras predict)",
            lambda n=n: network.predict_proba(X[:n]),  # type: ignore[misc]
            lambda n=n: network.model_.predict(X[:n], verbose=0),  # type: ignore[misc]
            1 if quick else 7,
        )
