"""The page that the start page links to: three models on the embedded digits, compared."""

import sys
from pathlib import Path

from mnist_models import MODEL_NAMES, compare, load_sample_digits, make_model


def make_report(path: Path) -> None:
    """Write the report of the main job, as ``mnist-models compare --html`` does.

    Parameters
    ----------
    path : pathlib.Path
        The file to write.
    """
    X_train, X_test, y_train, y_test = load_sample_digits().split("report")
    models = {name: make_model(name, random_state=0) for name in MODEL_NAMES}
    comparison = compare(models, X_train, y_train, test=(X_test, y_test), progress=False)
    comparison.to_html(path, images=X_test)


if __name__ == "__main__":
    make_report(Path(sys.argv[1]))
