"""How time and memory of a fit grow with the rows."""

from collections.abc import Iterator

from benchmarks.measure import Cost, cost_of_call

_SIZES = (7_000, 14_000, 28_000, 56_000, 224_000, 896_000)
_MODELS = {
    "logistic": "LogisticRegression()",
    "10 trees": "RandomForestClassifier(10, n_jobs=2, random_state=0)",
    "network, 10 epochs": "SequentialClassifier(epochs=10, patience=10, random_state=0)",
}


def costs(quick: bool) -> Iterator[Cost]:
    """Ours, each in a fresh process; beyond 56,000 rows digits are moved by a pixel or two."""
    for n in (600,) if quick else _SIZES:
        for name, model in _MODELS.items():
            prepare = (
                "from benchmarks.digits import shifted, training_digits\n"
                f"from mnist_models import {model.partition('(')[0]}\n"
                "from mnist_models.preprocessing import Standardize\n"
                f"X, y = shifted(*training_digits({quick}), {n})\n"
            )
            if name == "10 trees":
                prepare += "RandomForestClassifier(1).fit(X[:500], y[:500])\n"
            else:
                prepare += "X = Standardize().fit_transform(X)\n"
            yield cost_of_call(f"fit {name} on {n:,} digits", prepare, f"{model}.fit(X, y)")
