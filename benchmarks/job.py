"""The whole job, the report's: three models, five folds, the test rows; against a notebook.

``python -m benchmarks.job`` is our side of it, ``--jobs=2`` in two workers.
"""

import sys
from collections.abc import Iterator

from benchmarks.digits import report_split
from benchmarks.measure import Cost, cost_of_module
from mnist_models import MODEL_NAMES, compare, make_model


def costs(quick: bool) -> Iterator[Cost]:
    """Ours and theirs, each in processes of its own; test accuracies are printed beside."""
    words = ["--quick"] if quick else []
    if not quick:  # where it would say what the next says
        yield cost_of_module("the report's comparison, ours", "benchmarks.job")
    yield cost_of_module("the same, two fits at a time", "benchmarks.job", *words, "--jobs=2")
    yield cost_of_module("the same, a notebook's", "benchmarks.notebook", *words)


def main(quick: bool, n_jobs: int | None) -> None:
    """Compare the three models and print their test accuracies."""
    X, X_test, y, y_test = report_split(quick)
    models = {name: make_model(name, random_state=0) for name in MODEL_NAMES}
    models["forest"].set_params(classify__n_jobs=-1)
    cv = 2 if quick else 5
    comparison = compare(models, X, y, test=(X_test, y_test), cv=cv, n_jobs=n_jobs)
    print(comparison)
    print(*(comparison[name].accuracy for name in MODEL_NAMES))


if __name__ == "__main__":
    main("--quick" in sys.argv, 2 if "--jobs=2" in sys.argv else None)
