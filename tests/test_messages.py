"""An error as a line: with its remedy, in the words of the command line, and nothing but text."""

import errno
import os

import pytest

from mnist_models._messages import error_message, print_message


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOENT, "digits: No such file or directory. Check its name."),
        (errno.ENOSPC, "digits: No space left on device. Make room, or name another place."),
        (errno.EIO, "digits: Input/output error. "),  # of which there is no advice
    ],
)
def test_what_the_system_says(number: int, said: str) -> None:
    assert error_message(OSError(number, os.strerror(number), "digits")) == said


def test_parameters_are_called_what_they_are_on_the_command_line() -> None:
    error = RuntimeError("Give checkpoint=FOLDER; fewer n_jobs leave room. See /a/checkpoint=1/b.")
    error.add_note("It had timeout=3.")
    assert error_message(error) == (
        "Give --checkpoint FOLDER; fewer --jobs leave room. See /a/checkpoint=1/b. "
        "It had --timeout 3."
    )


def test_an_error_without_words_is_named() -> None:
    assert error_message(RuntimeError()) == "RuntimeError"
    assert error_message(MemoryError()).startswith("Out of memory. ")


def test_it_is_one_line_that_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_message("one\ntwo  three\x1b[2J\ud800 ±")
    assert capsys.readouterr().err == "mnist-models: one two three\\x1b[2J\\ud800 ±\n"
