"""Files that are no models, or no longer: refused, and nothing in them executed."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_models import (
    LogisticRegression,
    RandomForestClassifier,
    load_model,
    make_model,
    save_model,
)
from mnist_models.exceptions import (
    ModelFormatError,
)


class _Canary:
    def __reduce__(self) -> Any:
        return os.mkdir, ("canary",)


def _by_joblib() -> bytes:
    file = io.BytesIO()
    joblib.dump([_Canary(), np.zeros(9)], file, compress=3)
    return file.getvalue()


def _zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, coef=np.array([_Canary()], dtype=object))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        b"<html>not found</html>",
        pickle.dumps(_Canary()),
        _by_joblib(),
        _npz(),
        _zip(**{"schema.json": b'{"__class__": "mkdir", "__module__": "os"}'}),
        b"\x89HDF\r\n\x1a\n" + bytes(2040),
        safetensors.numpy.save({"coef": np.zeros(9)}, {"format": "np"}),
        (2).to_bytes(8, "little") + b"{}",
        (10**12).to_bytes(8, "little") + b"{}",
        (100_000).to_bytes(8, "little") + b'{"a":' + b"[" * 99_995,
    ],
    ids=[
        "empty",
        "zeros",
        "ones",
        "html",
        "pickle",
        "joblib",
        "npz",
        "skops",
        "hdf5",
        "safetensors",
        "no model",
        "huge header",
        "deep",
    ],
)
def test_other_files_are_refused_and_not_run(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model").write_bytes(content)
    with pytest.raises(ModelFormatError, match="model is not a model"):
        load_model("model")
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's
def test_a_file_of_keras_is_refused(network: Any, tmp_path: Path) -> None:
    network.model_.save(tmp_path / "model.keras")
    with pytest.raises(ModelFormatError, match="expected a safetensors header"):
        load_model(tmp_path / "model.keras")


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "model")


def test_no_flipped_bit_goes_unnoticed(table: tuple[Any, Any], tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(*table), path)
    sound = path.read_bytes()
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        with pytest.raises(ModelFormatError, match="model is not a model"):
            load_model(path)


@pytest.fixture(scope="module")
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


def test_no_cut_of_any_kind_goes_unnoticed(
    each_kind: list[tuple[Any, Path]], tmp_path: Path
) -> None:
    """At every hundredth of the file; what lies in arrays is told to be cut."""
    for _, path in each_kind:
        content, cut = path.read_bytes(), tmp_path / "cut.model"
        told = []
        for percent in range(100):
            cut.write_bytes(content[: len(content) * percent // 100])
            with pytest.raises(ModelFormatError, match=r"cut\.model is not a model") as error:
                load_model(cut)
            told.append(str(error.value))
        assert "the file was cut" in told[-1]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_bytes_change_it_is_refused_or_the_same_model(
    data: st.DataObject, each_kind: list[tuple[Any, Path]]
) -> None:
    """The same where only white space was changed, say."""
    model, path = data.draw(st.sampled_from(each_kind))
    content = path.read_bytes()
    begin = data.draw(st.integers(0, len(content)))
    end = begin + data.draw(st.sampled_from([0, 1, 1, 1, 8, 300]))
    put = data.draw(st.binary(max_size=9) | st.sampled_from([content[:end], content[begin:]]))
    changed = path.with_name("changed.model")
    changed.write_bytes(content[:begin] + put + content[end:])
    try:
        loaded = load_model(changed)
    except ModelFormatError as error:
        assert "changed.model is not a model" in str(error)  # noqa: PT017
    else:
        rows = np.linspace(-3, 3, 4 * 9).reshape(9, 4)
        if hasattr(model, "feature_names_in_"):
            rows = pd.DataFrame(rows, columns=list("abcd"))
        np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
