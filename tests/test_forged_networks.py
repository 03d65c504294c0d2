"""Files of networks that somebody forged: well-formed, the sum right, the content theirs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models import SequentialClassifier, load_model, save_model
from mnist_models._model_files.checks import MOST_NUMBERS
from mnist_models.exceptions import ModelFormatError

from .forging import read_file, write_file


@pytest.mark.slow
def test_a_network_is_not_built_larger_than_its_arrays(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    X, y = rng.normal(size=(60, 4)), np.arange(60) % 3
    path = tmp_path / "model"
    save_model(SequentialClassifier((4,), epochs=1, random_state=0).fit(X, y), path)
    manifest, arrays = read_file(path)
    manifest["settings"]["network"]["hidden_units"] = [MOST_NUMBERS]
    write_file(path, manifest, arrays)
    with pytest.raises(ModelFormatError, match="weight0"):
        load_model(path)
    manifest["settings"]["params"]["build_fn"] = "os.system"
    write_file(path, manifest, arrays)
    with pytest.raises(ModelFormatError, match="build_fn"):
        load_model(path)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ({"kind": "Lambda"}, "a network of kind 'Lambda'"),
        ({"height": 4, "width": 9}, "a side at least 5"),
        ({"height": 12}, "36 pixels"),
        ({"height": 2**9}, "height 512"),
        ({"width": 6.0}, "width 6.0"),
        ({"dropout": 1.0}, "dropout in"),
        ({"l2": float("nan")}, "l2 of at least 0"),
        ({"l2": -1.0}, "l2 of at least 0"),
        ({"kind": "dense", "hidden_units": []}, "weight0"),
    ],
)
def test_a_convolutional_network_is_only_built_from_what_fits(
    harm: Any, words: str, conv_file: Path, tmp_path: Path
) -> None:
    manifest, arrays = read_file(conv_file)
    manifest["settings"]["network"] |= harm
    write_file(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError, match=words):
        load_model(tmp_path / "model")


@pytest.fixture(scope="module")
def conv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conv") / "model"
    X = np.random.default_rng(0).normal(size=(30, 36))
    params: Any = {"architecture": "conv", "epochs": 1, "random_state": 0}
    save_model(SequentialClassifier(**params).fit(X, np.arange(30) % 3), path)
    return path


def test_a_variance_is_not_negative(conv_file: Path, tmp_path: Path) -> None:
    manifest, arrays = read_file(conv_file)
    arrays["weight1"] = -np.ones_like(arrays["weight1"])
    write_file(tmp_path / "model", manifest, arrays)
    with pytest.raises(ModelFormatError, match="variance"):
        load_model(tmp_path / "model")
