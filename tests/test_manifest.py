"""A model file tells what it is and who wrote it, or it is refused in words that say why."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models._container import pack
from mnist_models._model_files.manifest import decisive_versions, read_model_file, write_model_file
from mnist_models.exceptions import ModelFormatError, ModelSecurityError

_ARRAYS = {"x": np.arange(3.0)}
_SOUND = {"format": 1, "versions": decisive_versions(), "kind": "any", "settings": {"a": [1]}}


def _versions(**changes: Any) -> dict[str, Any]:
    return _SOUND | {"versions": decisive_versions() | changes}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "digits.model"


def test_what_was_written_is_read(path: Path) -> None:
    write_model_file(path, "any", {"a": [1]}, _ARRAYS)
    manifest, arrays = read_model_file(path)
    assert manifest._asdict() == _SOUND
    assert arrays.keys() == {"x"}
    np.testing.assert_array_equal(arrays["x"], _ARRAYS["x"])


_OTHERS = {
    "a list": ([1], "expected the description of a model, found none"),
    "no format": ({"kind": "any"}, "expected the description of a model, found none"),
    "a format that is true": (_SOUND | {"format": True}, "expected the description of a model"),
    "a format before the first": (_SOUND | {"format": 0}, "expected format 1, found 0: load it"),
    "a later format": (
        {"format": 7, "versions": {"mnist_models": "9.4"}, "more": 1},
        "expected format 1, found 7: load it with mnist_models '9.4'",
    ),
    "a later format of nobody": (
        {"format": 2, "versions": 7},
        "expected format 1, found 2: load it with mnist_models None",
    ),
    "no kind": (
        {key: value for key, value in _SOUND.items() if key != "kind"},
        "found ['format', 'settings', 'versions']",
    ),
    "more": (_SOUND | {"more": 1}, "found ['format', 'kind', 'more', 'settings', 'versions']"),
    "versions in words": (_SOUND | {"versions": "all"}, "found versions 'all'"),
    "no version of NumPy": (
        _SOUND | {"versions": {k: v for k, v in decisive_versions().items() if k != "numpy"}},
        "found versions {",
    ),
    "a version that is a number": (_versions(keras=3), "'keras': 3"),
    "a version of 50 letters": (_versions(keras="3" * 50), "'keras': '3333333333"),
    "a version of 51 letters": (_versions(keras="3" * 51), "'keras': '3333333333"),
}


@pytest.mark.parametrize(("described", "told"), _OTHERS.values(), ids=_OTHERS.keys())
def test_other_descriptions_are_refused(described: Any, told: str, path: Path) -> None:
    path.write_bytes(pack(described, _ARRAYS))
    with pytest.raises(ModelFormatError, match=re.escape(told)) as error:
        read_model_file(path)
    assert str(error.value).startswith(f"{path} is not a model that this version")
    assert not isinstance(error.value, ModelSecurityError)


def test_a_version_may_have_49_letters_and_a_library_may_be_new(path: Path) -> None:
    described = _versions(keras="3" * 49, jax=None)
    path.write_bytes(pack(described, _ARRAYS))
    assert read_model_file(path)[0].versions == described["versions"]


def test_a_sum_is_64_hexadecimal_digits(path: Path) -> None:
    write_model_file(path, "any", {}, _ARRAYS)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    for same in (right, right.upper()):
        read_model_file(path, same)
    for none in (right[1:], right + "0", "0x" + right[2:], "", right + "\n"):
        with pytest.raises(ValueError, match="64 hexadecimal digits") as error:
            read_model_file(path, none)
        assert not isinstance(error.value, ModelFormatError)


@pytest.mark.parametrize("other", ["0" * 64, "f" * 64])
def test_a_file_with_another_sum_is_not_read(other: str, path: Path) -> None:
    path.write_bytes(b"anything")
    found = hashlib.sha256(b"anything").hexdigest()
    told = f"{path} is not the file expected: expected the SHA-256 {other}, found {found}."
    with pytest.raises(ModelSecurityError, match=re.escape(told)):
        read_model_file(path, other.upper())
