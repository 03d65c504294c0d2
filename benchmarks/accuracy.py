"""Recipe="accurate" on the official 10,000 test digits: a look, once the settings are chosen.

``python -m benchmarks.accuracy`` fits each model on the official 60,000 with three seeds and prints
accuracy, time and peak memory, each in a fresh process.
"""

import argparse

from benchmarks.measure import cost_of_call


def main() -> None:
    """Print a line a model and seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the embedded digits, one seed")
    parser.add_argument("--models", nargs="+", default=["logistic", "forest", "network"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="the network's, for fewer minutes")
    options = parser.parse_args()
    for name in options.models:
        for seed in options.seeds[:1] if options.quick else options.seeds:
            split = "load_sample_digits().split()"
            if not options.quick:
                split = "fetch_mnist(download_if_missing=False).split('official')"
            more = "n_jobs=2, " if name == "forest" else ""
            if name == "network" and (options.epochs or options.quick):
                more = f"epochs={options.epochs or 1}, "
            cost = cost_of_call(
                f"{name}, seed {seed}",
                f"from mnist_models import *\nX_train, X_test, y_train, y_test = {split}\n"
                f"model = make_model({name!r}, recipe='accurate', {more}random_state={seed})",
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
