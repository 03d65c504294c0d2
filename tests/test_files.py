"""Files arrive whole or not at all: models here, and pages and pictures in the same way.

A process killed while it saves and a disk that is full are in test_persistence.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from mnist_models import LogisticRegression, load_idx, load_model, save_model


@pytest.fixture(scope="module")
def model() -> Any:
    return LogisticRegression().fit([[-1], [1]], ["minus", "plus"])


def test_a_file_is_readable_as_any_is_whatever_its_name(model: Any, tmp_path: Path) -> None:
    path, ordinary = tmp_path / ("é" * 127), tmp_path / "ordinary"  # as long as a name may be
    ordinary.touch()
    save_model(model, path)
    load_model(path)
    assert path.stat().st_mode == ordinary.stat().st_mode
    assert set(tmp_path.iterdir()) == {path, ordinary}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_old_file_survives_any_failure(
    error: BaseException, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)) as raised:
        save_model(model, tmp_path / "file")
    assert not isinstance(error, OSError) or str(raised.value).endswith(f"'{tmp_path}/file'")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_only_ordinary_files_are_replaced(
    kind: str, link: bool, model: Any, tmp_path: Path
) -> None:
    """Root could replace /dev/null, and /dev/stdout that links to it."""
    path = tmp_path / kind
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    if link:
        (tmp_path / "link").symlink_to(path)
    before = {each.name: each.lstat().st_mode for each in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match="not an ordinary file"):
        save_model(model, tmp_path / "link" if link else path)
    assert {each.name: each.lstat().st_mode for each in tmp_path.iterdir()} == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("read", [load_model, lambda path: load_idx(path, path)])
def test_nobody_waits_for_the_writer_of_a_pipe(read: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "digits.model")
    with pytest.raises(OSError, match=r"digits\.model must be an ordinary file"):
        read(tmp_path / "digits.model")
