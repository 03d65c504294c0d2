"""Write a small model file of each kind in the present format, with the answers it must give.

Run as ``python -m tests.models.make NAME ...`` once, when a format is new, with the names of what
it changed; its files are kept for ever.
"""

import json
import sys
from pathlib import Path
from typing import Any, cast

from mnist_models import load_sample_digits, make_model, save_model
from mnist_models._model_files import _FORMATS

_SMALL: dict[str, dict[str, Any]] = {
    "logistic-report": {},
    "logistic-accurate": {"preprocess__pca__n_components": 8},
    "forest-report": {"classify__n_estimators": 5, "classify__max_depth": 5},
    "forest-accurate": {
        "classify__n_estimators": 5,
        "classify__max_depth": 5,
        "preprocess__scores__explained": 0.4,
    },
    "network-report": {"classify__epochs": 2, "classify__hidden_units": (16,)},
    "network-accurate": {"classify__epochs": 1},
}


def main() -> None:
    """Write them."""
    folder = Path(__file__).parent / f"format-{_FORMATS[-1]}"
    folder.mkdir(exist_ok=True)
    digits = load_sample_digits().sample(300, random_state=0)
    rows = digits.data[:5]
    for name in sys.argv[1:] or _SMALL:
        kind, recipe = name.split("-")
        model: Any = make_model(kind, recipe=cast("Any", recipe), random_state=0)
        model.set_params(**_SMALL[name]).fit(digits.data, digits.target)
        save_model(model, folder / f"{name}.model")
        told = {"X": rows.tolist(), "probabilities": model.predict_proba(rows).tolist()}
        (folder / f"{name}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
