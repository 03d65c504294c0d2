"""Whose file a model is, and which version's: checksums, warnings, formats that stay readable."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from mnist_models import (
    LogisticRegression,
    load_model,
    save_model,
)
from mnist_models.exceptions import (
    ModelFormatError,
    ModelSecurityError,
    ModelVersionWarning,
)
from mnist_models.preprocessing import Standardize

from .forging import read_file, write_file


def test_a_file_with_another_sum_is_refused_before_it_is_read(
    table: tuple[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    for same in (right, right.upper()):
        load_model(path=path, expected_sha256=same)
    with pytest.raises(ModelSecurityError, match=f"expected the SHA-256 {'0' * 64}, found {right}"):
        load_model(path, expected_sha256="0" * 64)
    path.write_bytes(b"anything")
    with pytest.raises(ModelSecurityError):
        load_model(path, expected_sha256=right)
    for no_sum in ("md5", "", right + "\n", right.encode()):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            load_model(path, expected_sha256=no_sum)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["logistic", "network", "pipeline"])
def test_other_versions_are_one_warning(
    name: str, request: pytest.FixtureRequest, table: tuple[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    if name == "logistic":
        model: Any = LogisticRegression().fit(*table)
    else:
        model = request.getfixturevalue("network")
    if name == "pipeline":
        frame = pd.DataFrame(table[0], columns=list("abcd"))
        model = make_pipeline(Standardize().fit(frame), Standardize().fit(frame), model)
    save_model(model, path)
    manifest, arrays = read_file(path)
    here = manifest["versions"]
    same_minor = here["scikit-learn"].rpartition(".")[0] + ".99"
    write_file(path, manifest | {"versions": here | {"scikit-learn": same_minor}}, arrays)
    load_model(path)
    others = here | {"scikit-learn": "1.2.3", "keras": "2.1.0", "numpy": "1.0"}
    write_file(path, manifest | {"versions": others}, arrays)
    with pytest.warns(ModelVersionWarning) as told:
        load_model(path)
    message = str(told[0].message)
    assert f"{path} was saved with scikit-learn 1.2.3 (here {here['scikit-learn']})" in message
    assert ("keras 2.1.0" in message) == (name != "logistic")
    assert "numpy" not in message
    assert len(told) == 1
    assert told[0].filename == __file__


def test_what_only_other_versions_know_is_not_called_forged(
    table: tuple[Any, Any], tmp_path: Path
) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    manifest, arrays = read_file(path)
    here = manifest["versions"]["scikit-learn"]
    manifest["versions"]["scikit-learn"] = "2.0.0"
    manifest["settings"]["params"]["invented"] = True
    write_file(path, manifest, arrays)
    with pytest.raises(
        ModelFormatError, match=r"invented.*saved with scikit-learn 2\.0\.0"
    ) as error:
        load_model(path)
    assert not isinstance(error.value, ModelSecurityError)
    manifest["versions"]["scikit-learn"] = here
    write_file(path, manifest, arrays)
    with pytest.raises(ModelSecurityError, match=r"checksum is right: .*invented"):
        load_model(path)


def test_what_a_description_lacks_is_named(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    manifest, arrays = read_file(path)
    del manifest["settings"]["classes"]
    write_file(path, manifest, arrays)
    with pytest.raises(ModelSecurityError, match="its checksum is right: missing 'classes'"):
        load_model(path)


def test_a_transformer_is_no_model(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(make_pipeline(Standardize(), LogisticRegression()).fit(*table), path)
    manifest, arrays = read_file(path)
    step = manifest["settings"]["steps"][0]
    forged = manifest | {"kind": step["kind"], "settings": step["settings"]}
    write_file(path, forged, {k[2:]: a for k, a in arrays.items() if k.startswith("0/")})
    with pytest.raises(ModelFormatError, match="expected a classifier, found Standardize"):
        load_model(path)


RELEASED = Path(__file__).parent / "models"


@pytest.mark.parametrize(
    "path", sorted(RELEASED.glob("*/*.model")), ids=lambda p: p.parent.name + "-" + p.stem
)
@pytest.mark.filterwarnings("ignore::mnist_models.exceptions.ModelVersionWarning")  # which is true
def test_files_of_every_format_stay_readable(path: Path) -> None:
    """Made by tests/models/make.py of the version that wrote that format first."""
    expected = json.loads(path.with_suffix(".json").read_text())
    loaded = load_model(path)
    answers = loaded.predict_proba(np.asarray(expected["X"], dtype=np.uint8))
    np.testing.assert_allclose(answers, expected["probabilities"], rtol=1e-4, atol=1e-6)


def test_there_are_files_of_this_format() -> None:
    names = {path.stem for path in RELEASED.glob("format-1/*.model")}
    assert {name.partition("-")[0] for name in names} == {"logistic", "forest", "network"}
