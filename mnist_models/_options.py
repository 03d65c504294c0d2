"""The parser of the command line: its commands and their options."""

import argparse
import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mnist_models import _commands
from mnist_models._messages import print_message
from mnist_models.models import MODEL_NAMES
from mnist_models.preprocessing import RECIPES


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        print_message(f"{message} (try {self.prog} --help)")
        self.exit(2)  # as argparse itself would


def read_options(arguments: Sequence[str] | None, options: argparse.Namespace) -> None:
    """Parse the command line.

    Parameters
    ----------
    arguments : sequence of str or None
        The words after ``mnist-models``; None takes them from ``sys.argv``.
    options : argparse.Namespace
        Filled with the options; ``run`` is the function of the command, which takes them.

    Raises
    ------
    SystemExit
        After ``--help``, or after a line on standard error that says what is wrong.
    """
    _parser().parse_args(arguments, options)


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

    command = commands.add_parser("reproduce", help="check the models against the report's figures")
    command.add_argument("--seed", type=_seed, default=0, help="seed (default: 0)")
    _add_output_options(command)
    command.set_defaults(run=_commands.run_reproduce)

    command = commands.add_parser("fetch", help="bring MNIST into the cache")
    command.add_argument(
        "--data-home", type=Path, help="where to look first, and where to put downloads"
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

    command = commands.add_parser("inspect", help="describe a model file; the model is not built")
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
        help="give up fits that take longer, and go on with the others (default: none)",
    )
    command.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FOLDER",
        help="keep finished fits there; the same command, run again, goes on from them",
    )
    _add_data_options(command)
    _add_output_options(command)
    command.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write one page there, with the digits of each cell of the matrix",
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
    command.add_argument("--seed", type=_seed, default=0, help="seed (default: 0)")


def _add_output_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    command.add_argument(
        "--plots",
        type=Path,
        metavar="FOLDER",
        help="write plots there: matrices, errors, curves",
    )


def _whole_number(word: str, least: int, expected: str) -> int:
    """A whole number below 2**32, which is also NumPy's limit for seeds."""
    is_number = word.isascii() and word.isdigit() and len(word) <= 10
    if not (is_number and least <= int(word) < 2**32):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {word!r}")
    return int(word)


def _seed(word: str) -> int:
    return _whole_number(word, 0, "a whole number from 0 to 2**32 - 1")


def _folds(word: str) -> int:
    return _whole_number(word, 2, "a whole number from 2 up")


def _jobs(word: str) -> int:
    return -1 if word == "-1" else _whole_number(word, 1, "a whole number from 1 up, or -1")


def _seconds(word: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(word) < math.inf:
            return float(word)
    raise argparse.ArgumentTypeError(f"expected seconds above 0, got {word!r}")
