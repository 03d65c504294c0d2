"""The command line: ``mnist-models COMMAND``."""

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mnist_models._last_words import drop, in_words, say
from mnist_models.exceptions import WorkerLostError

_BAD_INPUT, _LOST, _INTERRUPTED, _CLOSED_PIPE = 2, 3, 130, 141
_SECONDS_TO_STOP = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        What stands behind ``mnist-models``; None: what the shell gave.

    Returns
    -------
    int
        The exit code: 0, 1 where ``reproduce`` misses a claim, 2 for bad input (one line on
        standard error says what), 3 where fits were lost with their workers (the models that lost
        none are printed first), 130 after Ctrl-C, 141 where nobody reads the output.
    """
    _replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without ± shows ? and no error
        sys.stdout.reconfigure(errors="replace")
    options = argparse.Namespace()
    try:
        try:
            with _interrupts_handled(lambda *_: _stop_at_once(_interrupted(options))):
                from mnist_models._options import read_options  # a second of libraries
            read_options(arguments, options)
            with _interrupts_obeyed(_interrupted(options)), _warnings_in_a_line():
                return int(options.run(options))
        finally:  # of --help too
            _flush()
    except BrokenPipeError:
        return _CLOSED_PIPE
    except (ValueError, TypeError, OSError, MemoryError, RuntimeError, ImportError) as error:
        say(in_words(error))
        return _LOST if isinstance(error, WorkerLostError) else _BAD_INPUT
    except KeyboardInterrupt:
        say(_interrupted(options))
        return _INTERRUPTED


def _replace_closed_streams() -> None:
    """Where the shell closed one (``>&-``), print() would fail, or use the other."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            sink = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
            setattr(sys, name, sink)


def _flush() -> None:
    """Find out here, not at exit, that the reader has gone or the disk is full."""
    try:
        sys.stdout.flush()
    except OSError:
        drop(sys.stdout)
        raise


def _interrupted(options: argparse.Namespace) -> str:
    folder = getattr(options, "checkpoint", None)
    how = "" if folder is None else f"; the same command goes on from {folder}"
    return f"interrupted{how}"


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show warnings as the command's own, without the line of code that they came from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: say(f"warning: {message}")
        yield


@contextlib.contextmanager
def _interrupts_handled(handler: Callable[..., object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # where signals do not come
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _interrupts_obeyed(last_words: str) -> Iterator[None]:
    """Let Ctrl-C end the command within seconds.

    The exception it raises is lost where it meets a destructor or native code that cannot pass it
    on, about one time in fifty in the middle of a fit. So a second thread sees to the end. Files
    arrive whole or not at all, and nothing else is open.
    """
    end = threading.Timer(_SECONDS_TO_STOP, _stop_at_once, [last_words])
    end.daemon = True

    def obey(*_: object) -> None:
        if end.ident is None:  # not yet started
            end.start()
        raise KeyboardInterrupt

    try:
        with _interrupts_handled(obey):
            yield
    finally:
        end.cancel()


def _stop_at_once(last_words: str) -> None:
    # past Python's own file, which whatever is stuck may hold
    os.write(2, f"mnist-models: {last_words}\n".encode(errors="backslashreplace"))
    os._exit(_INTERRUPTED)
