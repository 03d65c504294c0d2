"""What the site links to: the page of three models on the embedded digits, and the notebook."""

import json
import re
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


def make_notebook(page: str) -> str:
    """Turn a page of Markdown into a Jupyter notebook.

    Parameters
    ----------
    page : str
        Its text.

    Returns
    -------
    str
        The notebook: a cell for each block of Python, and one for what is between two.
    """
    cells = []
    for number, part in enumerate(re.split(r"^```python\n(.*?)^```$", page, flags=re.M | re.S)):
        cell = {"id": f"cell-{number}", "metadata": {}, "source": part.strip()}
        if number % 2:
            cells.append(cell | {"cell_type": "code", "execution_count": None, "outputs": []})
        else:
            cells.append(cell | {"cell_type": "markdown"})
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1)
