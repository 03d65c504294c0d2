"""Recipe="accurate" on the official 10,000 test digits: a look, once the settings are chosen.

``python -m benchmarks.accuracy`` fits each model on the official 60,000 with three seeds and prints
accuracy, time and peak memory, each in a fresh process.
"""

import argparse

from benchmarks.measure import cost_of_call

_SEEDS = (0, 1, 2)


def main() -> None:
    """Print a line a model and seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the embedded digits, one seed")
    parser.add_argument("--models", nargs="+", default=["logistic", "forest"])
    options = parser.parse_args()
    for name in options.models:
        for seed in _SEEDS[:1] if options.quick else _SEEDS:
            split = "load_sample_digits().split()"
            if not options.quick:
                split = "fetch_mnist(download_if_missing=False).split('official')"
            jobs = "n_jobs=2, " if name == "forest" else ""
            cost = cost_of_call(
                f"{name}, seed {seed}",
                f"from mnist_models import *\nX_train, X_test, y_train, y_test = {split}\n"
                f"model = make_model({name!r}, recipe='accurate', {jobs}random_state={seed})",
                "model.fit(X_train, y_train)",
                "float(model.score(X_test, y_test))",
            )
            print(
                f"{cost.what}: {cost.result:.2%}, fit in {cost.seconds:.0f} s, "
                f"{cost.peak_mb:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
