"""Files arrive whole or not at all."""

import os
from pathlib import Path
from typing import Any

import pytest

from mnist_models import load_idx, load_model
from mnist_models._files import atomic_writer


def test_the_file_is_there_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_writer(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def _fail_in_the_middle(path: Path, error: type[BaseException] | BaseException) -> None:
    with atomic_writer(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_old_file_survives_any_failure(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        _fail_in_the_middle(path, error)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_others_may_read_it_as_they_may_any_file(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    with atomic_writer(tmp_path / "file"):
        pass
    assert (tmp_path / "file").stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_only_ordinary_files_are_replaced(tmp_path: Path, kind: str, link: bool) -> None:
    """Root could replace /dev/null, and /dev/stdout that links to it."""
    path = tmp_path / kind
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    if link:
        (tmp_path / "link").symlink_to(path)
    before = {each.name: each.lstat().st_mode for each in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match="not an ordinary file"):
        _fail_in_the_middle(tmp_path / "link" if link else path, ValueError)
    assert {each.name: each.lstat().st_mode for each in tmp_path.iterdir()} == before


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    with atomic_writer(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


def test_an_error_without_a_name_gets_that_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"\[Errno 28\] No space left on device: '.*/file'"):
        _fail_in_the_middle(tmp_path / "file", OSError(28, "No space left on device"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("read", [load_model, lambda path: load_idx(path, path)])
def test_nobody_waits_for_the_writer_of_a_pipe(read: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "digits.model")
    with pytest.raises(OSError, match=r"digits\.model must be an ordinary file"):
        read(tmp_path / "digits.model")
