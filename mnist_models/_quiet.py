"""Silence the log output of native libraries and of named loggers."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

# A line of Google's C++ logging below "fatal": severity and date, then time, thread and source.
# The two sentences are what TensorFlow writes around such lines while it starts.
_CHATTER = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:|[IWE]0000 00:00:|20\d\d-\d\d-\d\d .*: [IWE] "
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions:"
)
_STDERR = 2


@contextmanager
def without_native_chatter() -> Iterator[None]:
    """Hold back the process's standard error, then pass on all but native log lines.

    While it loads, TensorFlow writes to file descriptor 2 (no GPU was found, faster builds exist),
    whatever the settings of Python's logging. Its only switch, an environment variable, would hide
    its errors for the rest of the process too. So its output is filtered here, once, during
    start-up. Output of other threads is delayed, not lost.
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
    """Drop the logger's records whose message contains ``words``, while the block runs."""

    def is_wanted(record: logging.LogRecord) -> bool:
        return words not in record.getMessage()

    logger = logging.getLogger(logger_name)
    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)


def _copy_of_stderr() -> int | None:
    try:
        return os.dup(_STDERR)
    except OSError:  # closed, as in some services: there is nothing to filter
        return None


def _pass_on(held: BinaryIO) -> None:
    held.seek(0)
    for line in held:
        if not _CHATTER.match(line):
            os.write(_STDERR, line)


def _flush_stderr() -> None:
    if sys.stderr is not None:  # None under pythonw
        sys.stderr.flush()
