"""The page that the site's start page links to: three models on the embedded digits."""

from pathlib import Path

from mnist_models import MODEL_NAMES, compare, load_sample_digits, make_model


def make_page(path: Path) -> None:
    """Write what ``mnist-models compare --html`` writes.

    Parameters
    ----------
    path : pathlib.Path
        The file to write.
    """
    X_train, X_test, y_train, y_test = load_sample_digits().split("classic")
    models = {name: make_model(name, random_state=0) for name in MODEL_NAMES}
    comparison = compare(models, X_train, y_train, test=(X_test, y_test), progress=False)
    comparison.to_html(path, images=X_test)
