"""mnist-models inspect: what a file holds, in words that cannot harm a terminal."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from mnist_models import save_model
from mnist_models._model_files.inspection import inspect_model
from mnist_models.cli import main
from mnist_models.exceptions import ModelFormatError, ModelSecurityError

from .forging import read_file, write_file


@pytest.fixture
def path(fitted: Any, tmp_path: Path) -> Path:
    save_model(fitted, tmp_path / "digits.model")
    return tmp_path / "digits.model"


def test_tells_kinds_parameters_versions_and_arrays(
    path: Path, fitted: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    assert hashlib.sha256(path.read_bytes()).hexdigest() in told
    manifest, arrays = read_file(path)
    for name, version in manifest["versions"].items():
        assert f"saved with {name} {version}\n" in told
    for name, array in arrays.items():
        shape = " x ".join(f"{side:,}" for side in array.shape)
        assert f"  {name}: {array.dtype} {shape}, {array.nbytes:,} bytes\n" in told
    assert "\n  preprocess: standardize\n" in told
    assert f"\n  classify: {manifest['settings']['steps'][1]['kind']}\n" in told
    assert "    random_state = 0\n" in told


def test_nothing_is_built_and_no_word_reaches_the_terminal_raw(path: Path) -> None:
    manifest, arrays = read_file(path)
    hostile = "\x1b[2J\u202egniht\n" + "long" * 1000
    manifest["settings"]["steps"][0]["settings"]["params"] = {hostile: [hostile]}
    manifest["settings"]["steps"][1]["kind"] = hostile
    write_file(path, manifest, arrays | {hostile[:9]: arrays[min(arrays)]})
    for line in inspect_model(path):
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 300


@pytest.mark.parametrize("harm", ["steps", "a step", "settings", "nested"])
def test_what_is_no_description_is_an_error(path: Path, harm: str) -> None:
    manifest, arrays = read_file(path)
    settings = manifest["settings"]
    if harm == "steps":
        settings["steps"] = 7
    if harm == "a step":
        settings["steps"][0] = {"kind": "standardize"}
    if harm == "settings":
        manifest["settings"] = []
    if harm == "nested":
        for _ in range(200):
            settings = {"steps": [{"name": "a", "kind": "pipeline", "settings": settings}]}
        manifest["settings"] = settings
    write_file(path, manifest, arrays)
    if harm == "nested":
        assert len(list(inspect_model(path))) > 200
    else:
        with pytest.raises(ModelSecurityError, match="no description of a model"):
            list(inspect_model(path))


def test_other_files_are_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"\x89PNG")
    for path in (tmp_path / "file", tmp_path, tmp_path / "missing"):
        with pytest.raises(SystemExit) as ended:
            raise SystemExit(main(["inspect", str(path)]))
        assert ended.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(ModelFormatError):
        list(inspect_model(tmp_path / "file"))
