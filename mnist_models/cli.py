"""The command line: ``mnist-models COMMAND``."""

import argparse
import contextlib
import io
import math
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from mnist_models import _commands
from mnist_models._last_words import drop, in_words, say
from mnist_models.exceptions import WorkerLostError
from mnist_models.models import MODEL_NAMES
from mnist_models.preprocessing import RECIPES

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
            _parser().parse_args(arguments, options)
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

    if threading.current_thread() is not threading.main_thread():
        yield  # where signals do not come
        return
    before = signal.signal(signal.SIGINT, obey)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        end.cancel()


def _stop_at_once(last_words: str) -> None:
    # past Python's own file, which whatever is stuck may hold
    os.write(2, f"mnist-models: {last_words}\n".encode(errors="backslashreplace"))
    os._exit(_INTERRUPTED)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        say(f"{message} (try {self.prog} --help)")
        sys.exit(_BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mnist-models",
        description="Three classifiers for handwritten digits, compared. Begin with: compare",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("compare", help="evaluate the three models on the same folds")
    command.add_argument(
        "--models", nargs="+", choices=MODEL_NAMES, default=MODEL_NAMES, help="which (default: all)"
    )
    _add_evaluation_options(command)
    command.set_defaults(run=_commands.run_compare)

    command = commands.add_parser("evaluate", help="evaluate one model")
    command.add_argument("model", choices=MODEL_NAMES)
    _add_evaluation_options(command)
    command.set_defaults(run=_commands.run_evaluate)

    command = commands.add_parser("reproduce", help="hold the models against the report's figures")
    command.add_argument("--seed", type=_count, default=0, help="seed (default: 0)")
    _add_output_options(command)
    command.set_defaults(run=_commands.run_reproduce)

    command = commands.add_parser("fetch", help="bring MNIST into the cache")
    command.add_argument(
        "--data-home", type=Path, help="where to look first, and to put what is downloaded"
    )
    command.set_defaults(run=_commands.run_fetch)

    command = commands.add_parser("train", help="fit one model on all rows and save it")
    command.add_argument("model", choices=MODEL_NAMES)
    command.add_argument("--output", "-o", type=Path, required=True, help="the file to write")
    _add_data_options(command)
    command.set_defaults(run=_commands.run_train)

    command = commands.add_parser("predict", help="read images with a saved model")
    command.add_argument("model", type=Path, help="a file that train wrote")
    command.add_argument(
        "images", type=Path, nargs="+", help="IDX, .npy (0 paper to 255 ink) or .png files"
    )
    command.add_argument("--json", action="store_true", help="print JSON, with probabilities")
    command.set_defaults(run=_commands.run_predict)

    command = commands.add_parser("inspect", help="tell what a model file holds; build nothing")
    command.add_argument("model", type=Path, help="a file that train or save_model wrote")
    command.set_defaults(run=_commands.run_inspect)

    command = commands.add_parser("version", help="print the versions that matter")
    command.set_defaults(run=_commands.run_version)
    return parser


def _add_evaluation_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--cv", type=_folds, default=5, help="number of folds (default: 5)")
    command.add_argument(
        "--jobs", type=_jobs, metavar="N", help="fits at a time, -1 for all cores (default: 1)"
    )
    command.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="give a fit up that takes longer, and go on with the others (default: none)",
    )
    command.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FOLDER",
        help="keep what is finished there; the same command, run again, goes on from it",
    )
    _add_data_options(command)
    _add_output_options(command)
    command.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write one page there, with the digits of each cell",
    )


def _add_data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        default="sample",
        metavar="sample|mnist|FOLDER",
        help="the embedded digits, all of MNIST, or a folder of IDX files under MNIST's names, "
        "whose t10k files are then the test set (default: sample)",
    )
    command.add_argument(
        "--recipe",
        choices=RECIPES,
        default="report",
        help="standardized pixels, or what reads digits best (default: report)",
    )
    command.add_argument("--seed", type=_count, default=0, help="seed (default: 0)")


def _add_output_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    command.add_argument(
        "--plots",
        type=Path,
        metavar="FOLDER",
        help="write pictures there: matrices, errors, curves",
    )


def _count(word: str) -> int:
    """A whole number from 0 to the largest seed NumPy takes."""
    if not (word.isascii() and word.isdigit() and len(word) <= 10 and int(word) < 2**32):
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 2**32 - 1, got {word!r}"
        )
    return int(word)


def _folds(word: str) -> int:
    """A whole number from 2 up."""
    folds = _count(word)
    if folds < 2:
        raise argparse.ArgumentTypeError(f"expected a whole number from 2 up, got {word!r}")
    return folds


def _jobs(word: str) -> int:
    """-1, or a number of processes."""
    if word == "-1":
        return -1
    jobs = _count(word)
    if jobs == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, or -1, got {word!r}")
    return jobs


def _seconds(word: str) -> float:
    """A number above 0."""
    with contextlib.suppress(ValueError):
        if 0 < float(word) < math.inf:
            return float(word)
    raise argparse.ArgumentTypeError(f"expected seconds above 0, got {word!r}")
