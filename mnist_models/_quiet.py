"""Start a chatty native library without its chatter."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

# A line of Google's C++ logging, below "fatal": severity and date, then time, thread and place.
# The two sentences are what TensorFlow's start-up writes around such lines.
_CHATTER = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:|[IWE]0000 00:00:|20\d\d-\d\d-\d\d .*: [IWE] "
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions:"
)
_STDERR = 2


@contextmanager
def without_native_chatter() -> Iterator[None]:
    """Hold the process's standard error back, and let through what is no native log line.

    TensorFlow writes to file descriptor 2 while it loads, whatever Python's logging says: that it
    found no GPU, that faster builds of it exist. The only switch it has, an environment variable,
    would hide its errors for the rest of the process too; so its words are filtered here, once,
    while it starts. Other threads' output is delayed by that, not lost.
    """
    saved = _copy_of_stderr()
    if saved is None:
        yield
        return
    with tempfile.TemporaryFile() as held:
        try:
            _flush_stderr()
            os.dup2(held.fileno(), _STDERR)
            yield
        finally:
            _flush_stderr()
            os.dup2(saved, _STDERR)
            os.close(saved)
            _pass_on(held)


@contextmanager
def without_log_messages(logger_name: str, words: str) -> Iterator[None]:
    """Drop a logger's records that hold these words, for as long as the block runs."""

    def says_something_else(record: logging.LogRecord) -> bool:
        return words not in record.getMessage()

    logger = logging.getLogger(logger_name)
    logger.addFilter(says_something_else)
    try:
        yield
    finally:
        logger.removeFilter(says_something_else)


def _copy_of_stderr() -> int | None:
    try:
        return os.dup(_STDERR)
    except OSError:  # closed, as under some services: nobody would hear the chatter
        return None


def _pass_on(held: BinaryIO) -> None:
    held.seek(0)
    for line in held:
        if not _CHATTER.match(line):
            os.write(_STDERR, line)


def _flush_stderr() -> None:
    if sys.stderr is not None:  # None under pythonw
        sys.stderr.flush()
