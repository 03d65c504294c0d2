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

from mnist_models._messages import discard_output, error_message, print_message
from mnist_models.exceptions import WorkerLostError

_BAD_INPUT, _LOST, _INTERRUPTED, _CLOSED_PIPE = 2, 3, 130, 141
_SECONDS_TO_STOP = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        The words after ``mnist-models``; None takes them from ``sys.argv``.

    Returns
    -------
    int
        The exit code: 0 for success, 1 if ``reproduce`` misses a claim, 2 for bad input (one line
        on standard error says what), 3 if fits were lost with their workers (after the results of
        the models that lost none), 130 after Ctrl-C, 141 if the reader of the output is gone.
    """
    _replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # ? for a ± that cannot be encoded
        sys.stdout.reconfigure(errors="replace")
    options = argparse.Namespace()
    try:
        try:
            with _interrupts_handled(lambda *_: _stop_at_once(_interrupted(options))):
                from mnist_models._options import read_options  # loads libraries for a second
            read_options(arguments, options)
            with _interrupts_obeyed(_interrupted(options)), _warnings_in_a_line():
                return int(options.run(options))
        finally:  # after --help too
            _flush()
    except BrokenPipeError:
        return _CLOSED_PIPE
    except (ValueError, TypeError, OSError, MemoryError, RuntimeError, ImportError) as error:
        print_message(error_message(error))
        return _LOST if isinstance(error, WorkerLostError) else _BAD_INPUT
    except KeyboardInterrupt:
        print_message(_interrupted(options))
        return _INTERRUPTED


def _replace_closed_streams() -> None:
    """Open a null device for a stream that the shell closed (``>&-``), or print() would fail."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            sink = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, sink)


def _flush() -> None:
    """Flush now, to find out before exit that the reader is gone or the disk is full."""
    try:
        sys.stdout.flush()
    except OSError:
        discard_output(sys.stdout)
        raise


def _interrupted(options: argparse.Namespace) -> str:
    folder = getattr(options, "checkpoint", None)
    resume = "" if folder is None else f"; the same command goes on from {folder}"
    return f"interrupted{resume}"


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Print each warning as one line, without the code that it came from."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: print_message(f"warning: {message}")
        yield


@contextlib.contextmanager
def _interrupts_handled(handler: Callable[..., object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _interrupts_obeyed(message: str) -> Iterator[None]:
    """Make Ctrl-C end the command within seconds.

    A KeyboardInterrupt raised inside a destructor, or inside native code that cannot pass it on,
    is lost: in the middle of a fit about one time in fifty. So a timer ends the process if the
    exception does not. That loses nothing: files are replaced whole or not at all.
    """
    timer = threading.Timer(_SECONDS_TO_STOP, _stop_at_once, [message])
    timer.daemon = True

    def interrupt(*_: object) -> None:
        if timer.ident is None:  # not yet started
            timer.start()
        raise KeyboardInterrupt

    try:
        with _interrupts_handled(interrupt):
            yield
    finally:
        timer.cancel()


def _stop_at_once(message: str) -> None:
    # not by print: the code that is stuck may hold the lock of sys.stderr
    os.write(2, f"mnist-models: {message}\n".encode(errors="backslashreplace"))
    os._exit(_INTERRUPTED)
