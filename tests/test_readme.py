"""The README says what works."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import mnist_models
from mnist_models.cli import _parser

README = Path(mnist_models.__file__).parents[1] / "README.md"


def _blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = _blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 12
    exec(compile(code, "README.md", "exec"), {})
    assert "Confusion matrix" in capsys.readouterr().out
    assert (tmp_path / "confusion-matrix.png").stat().st_size > 10_000


def test_there_are_two_commands_to_set_up() -> None:
    first, second = _blocks("bash")
    assert first.strip().endswith("mnist-models compare")
    assert second.strip().endswith("pytest")


@pytest.mark.parametrize("line", _blocks("text")[0].splitlines())
def test_every_command_it_lists_exists(line: str) -> None:
    words = shlex.split(line.split("  ")[0])
    assert words[0] == "mnist-models"
    assert callable(_parser().parse_args(words[1:]).run)


def test_the_files_it_links_to_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (README.parent / link).is_file(), link
