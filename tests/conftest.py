"""What the tests share: the real digits, the models fitted once, the switch for slow tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from mnist_models import (
    MODEL_NAMES,
    RandomForestClassifier,
    load_sample_digits,
    make_model,
    save_model,
)
from mnist_models.cli import main

from .commands import write_idx

Split = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]

# Small enough to train in a second or two, and everything the real one is.
QUICK: dict[str, dict[str, Any]] = {
    "logistic": {},
    "forest": {"n_estimators": 20},
    "network": {"hidden_units": (32,), "epochs": 8, "batch_size": 32, "l2": 1e-4},
}

# A network that trains in a moment.
SMALL_NETWORK: dict[str, Any] = {"hidden_units": (16,), "epochs": 4, "batch_size": 32}


# Machines are shared: how long an example takes says nothing of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def quick_model(name: str, **params: Any) -> Any:
    """One of the three models, small and seeded."""
    return make_model(name, random_state=0, **(QUICK[name] | params))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes: run with --slow"))


@pytest.fixture(scope="session")
def digits() -> Split:
    """600 of the embedded digits: X_train, X_test, y_train, y_test."""
    return load_sample_digits().sample(600, random_state=0).split()


@pytest.fixture(scope="session", params=MODEL_NAMES)
def fitted(request: pytest.FixtureRequest, digits: Split) -> Any:
    """Each of the three models, fitted once for the whole session. Do not refit it."""
    X_train, _, y_train, _ = digits
    return quick_model(request.param).fit(X_train, y_train)


@pytest.fixture(scope="session")
def table() -> tuple[Any, Any]:
    """60 rows of four columns, and labels of three classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


@pytest.fixture(scope="session")
def network(table: tuple[Any, Any]) -> Any:
    """Of two classes, fitted on a DataFrame. Do not refit it."""
    from mnist_models import (
        SequentialClassifier,
    )  # TensorFlow, which joblib's workers need not load

    X, y = table
    params: Any = {"hidden_units": (8, 4), "epochs": 2, "dropout": 0.1, "random_state": 0}
    return SequentialClassifier(**params).fit(pd.DataFrame(X, columns=list("abcd")), y > 0)


@pytest.fixture(scope="session")
def each_kind(
    table: tuple[Any, Any], network: Any, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Any, Path]]:
    """A small model of each of the three kinds, and its file."""
    folder = tmp_path_factory.mktemp("kinds")
    X, y = table
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    models = [make_model("logistic").fit(X, y), forest, network]
    for number, model in enumerate(models):
        save_model(model, folder / f"{number}.model")
    return [(model, folder / f"{number}.model") for number, model in enumerate(models)]


@pytest.fixture(scope="session")
def idx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Fashion-MNIST has it: four IDX files, here with 300 of the embedded digits."""
    folder = tmp_path_factory.mktemp("some-digits")
    digits = load_sample_digits().sample(300, random_state=0)
    for part, rows in (("train", slice(0, 240)), ("t10k", slice(240, 300))):
        write_idx(folder, part, digits.images[rows], digits.target[rows])
    return folder


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest, as ``mnist-models train`` saves it."""
    path = tmp_path_factory.mktemp("model") / "digits.model"
    assert main(["train", "forest", "--output", str(path)]) == 0
    return path


@pytest.fixture
def empty_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache with nothing in it, and no other folder named."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    for name in ("MNIST_MODELS_DATA", "MNIST_MODELS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return home / "mnist_models"


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder with MNIST's real files."""
    folder = os.environ.get("MNIST_MODELS_DATA")
    if not folder:
        pytest.skip("needs the real MNIST: set MNIST_MODELS_DATA to the folder with its four files")
    return Path(folder).resolve()


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests of a file."""
    from .chromium import started  # loads selenium

    with started(tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium
