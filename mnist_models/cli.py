"""The command line: ``mnist-models COMMAND``.

Only the standard library is imported at the top, so that ``--help`` and Ctrl-C are answered at
once. Each command imports what it needs.
"""

import argparse
import ast
import contextlib
import io
import json
import math
import os
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO

from mnist_models.exceptions import ScaleWarning, WorkerLostError

if TYPE_CHECKING:
    from mnist_models.comparison import Comparison
    from mnist_models.datasets import ImageDataset

_BAD_INPUT, _LOST, _INTERRUPTED, _CLOSED_PIPE = 2, 3, 130, 141

# As in mnist_models.models, preprocessing and _mnist, which take a second to import.
_MODELS = ("logistic", "forest", "network")
_RECIPES = ("classic", "accurate")
_PUBLISHED = ("mnist", "fashion-mnist", "kmnist")

# The command line's names for parameters that the library's messages name, at the start of a word.
_OPTIONS = {"memory=": "--memory ", "timeout=": "--timeout ", "n_jobs ": "--jobs "}
_PARAMETER = re.compile(f"(?<![^ ])({'|'.join(_OPTIONS)})")


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
        with _ctrl_c_obeyed(options), warnings.catch_warnings():
            # each in one line, without the code that it came from
            warnings.showwarning = lambda message, *_, **__: _print_message(f"warning: {message}")
            try:
                _make_parser().parse_args(arguments, options)
                return int(options.run(options))
            finally:  # after --help too
                _flush()
    except BrokenPipeError:
        return _CLOSED_PIPE
    except KeyboardInterrupt:
        _print_message(_interrupted(options))
        return _INTERRUPTED
    except (ValueError, TypeError, OSError, MemoryError, RuntimeError, ImportError) as error:
        _print_message(_error_message(error))
        return _LOST if isinstance(error, WorkerLostError) else _BAD_INPUT


# -- how a command ends ----------------------------------------------------------------------------


@contextlib.contextmanager
def _ctrl_c_obeyed(options: argparse.Namespace) -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, or end the process where that would be of no use.

    Native code that is being imported turns the exception into another one, and a destructor loses
    it. So the process ends at once during an import, and whenever Ctrl-C is pressed again. No file
    is left half written: files are replaced whole or not at all.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    pressed = False
    # a second way to standard error, which is held back while TensorFlow is imported
    terminal = os.dup(sys.__stderr__.fileno()) if sys.__stderr__ else os.open(os.devnull, os.O_RDWR)

    def obey(_signal: int, frame: FrameType | None) -> None:
        nonlocal pressed
        files = (outer.f_code.co_filename for outer, _ in traceback.walk_stack(frame))
        if pressed or "<frozen importlib._bootstrap>" in files:
            # not by print: the code that was interrupted may hold the lock of sys.stderr
            message = f"mnist-models: {_interrupted(options)}\n"
            os.write(terminal, message.encode(errors="backslashreplace"))
            os._exit(_INTERRUPTED)
        pressed = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, obey)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(terminal)


def _interrupted(options: argparse.Namespace) -> str:
    folder = getattr(options, "memory", None)
    return "interrupted" + (f"; the same command goes on from {folder}" if folder else "")


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
        _discard_output(sys.stdout)
        raise


def _discard_output(stream: TextIO) -> None:
    """Redirect a stream that cannot be written, which Python would otherwise flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _print_message(message: str) -> None:
    """Print one line on standard error; if nobody reads it, nothing happens."""
    try:
        print(f"mnist-models: {_as_line(message)}", file=sys.stderr, flush=True)
    except OSError:
        _discard_output(sys.stderr)


def _as_line(text: str) -> str:
    """Text from anywhere as one line of reasonable length that moves no cursor."""
    line = " ".join(text.split())
    if len(line) > 1000:  # the beginning says what is wrong, the end what to do
        line = f"{line[:700]} [...] {line[-300:]}"
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in line
    )


def _error_message(error: BaseException) -> str:
    """An error's message and notes, with the command line's names for parameters."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror is not None:
        named = "" if error.filename is None else f"{error.filename}: "
        message = f"{named}{error.strerror}."
    elif isinstance(error, MemoryError):
        message = f"Out of memory. {error} Free some, or give fewer images or --jobs."
    message = " ".join([message, *getattr(error, "__notes__", ())])
    return _PARAMETER.sub(lambda found: _OPTIONS[found[1]], message)


# -- commands and their options --------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        _print_message(f"{message} (try {self.prog} --help)")
        self.exit(_BAD_INPUT)


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mnist-models",
        description="Three classifiers for handwritten digits, compared. Begin with: compare",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], what: str, *words: str) -> Any:
        command = commands.add_parser(name, help=what, description=what)
        command.set_defaults(run=run)
        for word in words:
            command.add_argument(*word.split(), **_ARGUMENTS[word])
        return command

    fits = ("--cv", "--jobs", "--timeout", "--memory")
    data, output = ("--data", "--recipe", "--seed"), ("--json", "--plots")
    what = "evaluate the three models on the same folds"
    add("compare", _evaluate, what, "--models", *fits, *data, *output, "--html")
    one = ("model", "--set")
    add("evaluate", _evaluate, "evaluate one model", *one, *fits, *data, *output, "--html")
    what = "check the models against the original report's numbers"
    add("reproduce", _reproduce, what, "--seed", *output)
    add("fetch", _fetch, "download MNIST or another set into the cache", "name", "--data-home")
    add("train", _train, "fit one model on all rows and save it", *one, "--output -o", *data)
    what = "read images with a saved model"
    add("predict", _predict, what, "file", "images", "--json", "--show")
    what = "draw digits on a page, and see how models read them"
    draw = add("draw", _draw, what, "files", *data, "--port", "--no-browser")
    draw.set_defaults(recipe="accurate")  # the other misreads half of what people draw
    add("inspect", _inspect, "describe a model file; the model is not built", "file")
    add("version", _version, "print the versions that results depend on")
    return parser


def _whole_number(least: int, expected: str, word: str, most: int = 2**32 - 1) -> int:
    """A whole number, at most 2**32 - 1 unless told: that is also NumPy's limit for seeds."""
    is_number = word.isascii() and word.isdigit() and len(word) <= 10
    if not (is_number and least <= int(word) <= most):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {word!r}")
    return int(word)


def _choice(known: tuple[str, ...], word: str) -> str:
    if word not in known:
        from mnist_models._validation import check_name

        try:
            check_name(word, known, "it")
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return word


def _jobs(word: str) -> int:
    return -1 if word == "-1" else _whole_number(1, "a whole number from 1 up, or -1", word)


def _seconds(word: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(word) < math.inf:
            return float(word)
    raise argparse.ArgumentTypeError(f"expected seconds above 0, got {word!r}")


def _argument(
    kind: Any, text: str, default: Any = None, metavar: str | None = None, **more: Any
) -> dict[str, Any]:
    """What argparse is told: the type or the words to choose from, the help, the value's name."""
    if isinstance(kind, tuple):
        kind, metavar = partial(_choice, kind), metavar or "|".join(kind)
    return {"type": kind, "help": text, "default": default, "metavar": metavar, **more}


_FOLDS = partial(_whole_number, 2, "a whole number from 2 up")
_SEED = partial(_whole_number, 0, "a whole number from 0 to 2**32 - 1")
_PORT = partial(_whole_number, 1, "a whole number from 1 to 65535", most=65535)
_TIMEOUT = "give up fits that take longer, and go on with the others (default: none)"
_MEMORY = "keep finished fits there; the same command, run again, fits only the others"
_DATA = (
    "the embedded digits; all of MNIST, Fashion-MNIST or KMNIST; a folder of pictures for each "
    "class, or of IDX files under MNIST's names, whose t10k files are then the test set; a table "
    "of pixels with labels (default: sample)"
)
_RECIPE = "standardized pixels, or what reads digits best (default: classic; of draw: accurate)"
_SET = "change a parameter of the classifier, as in --set epochs=2; may be repeated"
_PAGE = "write one page there, with the digits behind each cell of the matrix"

_FILES = "files that train or save_model wrote (default: the three models, fitted at the start)"
_IMAGES = (
    "pictures of digits (PNG, JPEG, TIFF, BMP, WebP), folders of pictures, IDX files, tables "
    "(.csv), or .npy files (0 paper to 255 ink)"
)
_SHOW = "draw each picture beside what the model saw of it: here, or as PNG files in FOLDER"

_ARGUMENTS = {
    "model": _argument(_MODELS, "logistic, forest or network", metavar="model"),
    "file": _argument(Path, "a file that train or save_model wrote", metavar="model"),
    "files": _argument(Path, _FILES, nargs="*", metavar="model"),
    "images": _argument(Path, _IMAGES, nargs="+"),
    "name": _argument(
        _PUBLISHED, f"{', '.join(_PUBLISHED)} (default: mnist)", "mnist", "name", nargs="?"
    ),
    "--models": _argument(_MODELS, "which (default: all)", _MODELS, nargs="+"),
    "--cv": _argument(_FOLDS, "number of folds (default: 5)", 5),
    "--jobs": _argument(_jobs, "fits at a time, -1 for all cores (default: 1)", metavar="N"),
    "--timeout": _argument(_seconds, _TIMEOUT, metavar="SECONDS"),
    "--memory": _argument(Path, _MEMORY, metavar="FOLDER"),
    "--data": _argument(str, _DATA, "sample", f"sample|{'|'.join(_PUBLISHED)}|FOLDER|FILE.csv"),
    "--recipe": _argument(
        partial(_choice, (*_RECIPES, "report")), _RECIPE, "classic", "|".join(_RECIPES)
    ),
    "--set": _argument(str, _SET, [], "NAME=VALUE", action="append"),
    "--seed": _argument(_SEED, "seed (default: 0)", 0),
    "--port": _argument(_PORT, "where the page is served (default: a free port)", 0, "N"),
    "--no-browser": {
        "action": "store_true",
        "help": "print the address, but do not open it",
    },
    "--json": {"action": "store_true", "help": "print everything as JSON"},
    "--show": _argument(Path, _SHOW, nargs="?", const=True, metavar="FOLDER"),
    "--plots": _argument(Path, "write plots there: matrices, errors, curves", metavar="FOLDER"),
    "--html": _argument(Path, _PAGE, metavar="FILE"),
    "--data-home": _argument(Path, "where to look first, and where to put downloads"),
    "--output -o": _argument(Path, "the file to write", required=True),
}


# -- what each command does ------------------------------------------------------------------------


def _evaluate(options: argparse.Namespace) -> int:
    """``compare`` and ``evaluate``: fit; write plots and page; print."""
    from mnist_models import Comparison, compare

    dataset = _load_data(options.data)
    _check_place("--html", options.html)
    _check_place("--plots", options.plots, is_folder=True)
    _check_place("--memory", options.memory, is_folder=True)
    # a set's own test set is used; MNIST and the sample are split as in the original report
    has_own = options.data not in ("sample", "mnist") and dataset.n_official_train is not None
    X_train, X_test, y_train, y_test = dataset.split("official" if has_own else "classic")
    names = options.models if "models" in options else [options.model]
    lost = None
    try:
        comparison = compare(
            {name: _make_model(name, options) for name in names},
            X_train,
            y_train,
            test=(X_test, y_test),
            cv=options.cv,
            random_state=options.seed,
            n_jobs=options.jobs,
            timeout=options.timeout,
            memory=options.memory,
        )
    except WorkerLostError as error:
        if not error.finished:
            raise
        comparison, lost = Comparison(error.finished), error
    result = comparison if "models" in options else comparison[options.model]
    images = X_test.reshape(-1, *dataset.image_shape)
    try:  # files first: print ends the command if the reader of the output is gone
        _write_plots(comparison, images, options.plots)
        if options.html is not None:
            result.to_html(options.html, images)
    finally:
        print(result.to_json() if options.json else result)
    if lost is not None:
        raise lost
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from mnist_models import fetch_mnist
    from mnist_models.reproduction import reproduce

    data = fetch_mnist().split("classic")
    _check_place("--plots", options.plots, is_folder=True)
    _say("Loading TensorFlow")
    found = reproduce(data, random_state=options.seed)
    print(json.dumps(found.to_dict()) if options.json else found)
    _write_plots(found.comparison, data[1], options.plots)
    return 1 if found.missed else 0


def _fetch(options: argparse.Namespace) -> int:
    import numpy as np

    from mnist_models import datasets
    from mnist_models._mnist import user_cache

    dataset = datasets._fetch(options.name, options.data_home, download=True)
    is_kept = isinstance(dataset.data, np.memmap)  # or the cache could not be written
    print(f"{dataset!r}, {'' if is_kept else 'not '}kept uncompressed in {user_cache()}")
    return 0


def _train(options: argparse.Namespace) -> int:
    from mnist_models import save_model

    _check_place("--output", options.output)
    dataset = _load_data(options.data)
    model = _make_model(options.model, options)
    _say(f"Fitting {options.model}")
    if options.model == "network" and sys.stderr.isatty():
        model.set_params(classify__verbose=1)  # Keras's progress bar for each epoch
    save_model(model.fit(dataset.data, dataset.target), options.output)
    print(f"{options.output}: {options.model} fitted on {len(dataset)} images of {dataset.name}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    """Print the label of every image and its probability, or JSON with those of all classes."""
    from mnist_models import load_model
    from mnist_models._text import text_table
    from mnist_models.pictures import is_picture, picture_files, read_pixels

    if isinstance(options.show, Path):
        _check_place("--show", options.show, is_folder=True)
    warnings.simplefilter("error", ScaleWarning)
    model = load_model(options.file)
    names = [str(label) for label in model.classes_]
    predictions: list[dict[str, Any]] = []
    code = 0
    for given, path in ((each, file) for each in options.images for file in picture_files(each)):
        try:
            pixels = read_pixels(path, model.n_features_in_)
        except ValueError as error:
            if not given.is_dir():
                raise
            _print_message(f"warning: {error}")  # the others of a folder are read all the same
            code = _BAD_INPUT
            continue
        if options.show and is_picture(path):
            _show(path, pixels[0], options.show, len(predictions))
        try:
            probabilities = model.predict_proba(pixels)
        except ScaleWarning as warning:  # here, where nobody looks at numbers, an error
            raise ValueError(f"{path}: {warning}") from warning
        labels = model.classes_[probabilities.argmax(axis=1)].tolist()
        for number, (label, row) in enumerate(zip(labels, probabilities.tolist(), strict=True)):
            by_class = dict(zip(names, row, strict=True))
            predictions.append(
                {"file": str(path), "image": number, "label": label, "probabilities": by_class}
            )
    if options.json:
        print(json.dumps(predictions))
        return code
    several = {each["file"] for each in predictions if each["image"]}
    rows = []
    for each in predictions:
        name = f"{each['file']}, image {each['image']}" if each["file"] in several else each["file"]
        label = str(each["label"])
        rows.append([name, label, f"{100 * each['probabilities'][label]:.0f} %"])
    print(text_table(["image", "label", "probability"], rows))
    return code


def _show(path: Path, row: Any, place: Path | Literal[True], number: int) -> None:
    """Draw a picture beside what the model saw: on standard error, or as a PNG in a folder."""
    from PIL import Image

    from mnist_models._files import atomic_writer
    from mnist_models.pictures import as_blocks, beside

    if place is True:
        print(as_blocks(beside(path, row, height=28)), file=sys.stderr)
        return
    with atomic_writer(place / f"{number}-{path.name}.png") as file:
        Image.fromarray(beside(path, row, height=280)).save(file, "PNG")


def _draw(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    import webbrowser

    from mnist_models import load_model
    from mnist_models.drawing import DrawingServer

    if options.files and (options.data, options.recipe, options.seed) != ("sample", "accurate", 0):
        raise ValueError(
            "--data, --recipe and --seed are for models that are fitted at the start. Give model "
            "files, or those."
        )
    with DrawingServer(options.port) as server:
        models = {str(path): load_model(path) for path in options.files}
        if not models:
            dataset = _load_data(options.data)
            for name in _MODELS:
                model = _make_model(name, options)
                _say(f"Fitting {name}")
                models[name] = model.fit(dataset.data, dataset.target)
        server.use(models)
        print(f"Draw at {server.address} and end with Ctrl-C.", flush=True)
        if not options.no_browser:
            webbrowser.open(server.address)
        while True:  # a signal that another thread receives does not end a sleep
            time.sleep(0.2)


def _inspect(options: argparse.Namespace) -> int:
    from mnist_models._model_files import inspect_model

    print("\n".join(inspect_model(options.file)))
    return 0


def _version(options: argparse.Namespace) -> int:
    import platform
    from importlib.metadata import version

    for name in ("mnist-models", "numpy", "scikit-learn", "tensorflow", "keras", "scikeras"):
        print(f"{name} {version(name)}")
    print(f"python {platform.python_version()}")
    return 0


# -- what several commands need --------------------------------------------------------------------


def _make_model(name: str, options: argparse.Namespace) -> Any:
    """The model of a name; the forest uses all cores, as the others do by default."""
    from mnist_models import make_model

    if name == "network":
        _say("Loading TensorFlow")
    model = make_model(name, recipe=options.recipe, random_state=options.seed)
    if name == "forest":
        model.set_params(classify__n_jobs=-1)
    if "set" in options:
        _set_parameters(model[-1], options.set)
    return model


def _set_parameters(classifier: Any, words: Sequence[str]) -> None:
    """Set what ``--set NAME=VALUE`` names; a value is read as Python would, or else is text."""
    from mnist_models._validation import check_name

    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"--set must be NAME=VALUE, as in --set epochs=2. Got {word!r}.")
        check_name(name, classifier.get_params(deep=False), "the parameter of --set")
        value: Any = text
        with contextlib.suppress(ValueError, SyntaxError):
            value = ast.literal_eval(text)
        classifier.set_params(**{name: value})


def _say(what: str) -> None:
    """On a terminal, say what takes a while."""
    if sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr)


def _load_data(name: str) -> "ImageDataset":
    """The data set that ``--data`` names: ``sample``, a published set, a folder or a CSV file."""
    from mnist_models import datasets, load_sample_digits
    from mnist_models._validation import check_name

    if name == "sample":
        return load_sample_digits()
    if name in _PUBLISHED:
        return datasets._fetch(name, None, download=True)
    if not (Path(name).is_dir() or Path(name).is_file()):
        check_name(name, ("sample", *_PUBLISHED), "--data, if it is no folder or CSV file,")
    return datasets._load_path(Path(name))


def _check_place(option: str, path: Path | None, *, is_folder: bool = False) -> None:
    """Raise ValueError, before the work, where nothing can be written; make the folder."""
    if path is None:
        return
    kind = "a folder" if is_folder else "an ordinary file, or a new one, in a folder"
    try:
        if is_folder:
            path.mkdir(parents=True, exist_ok=True)
        elif path.exists() and not path.is_file():
            raise OSError(None, "it is no ordinary file")
        # on a disk that is mounted read-only, permissions tell nothing
        with tempfile.NamedTemporaryFile(dir=path if is_folder else path.parent):
            pass
    except OSError as error:
        raise ValueError(
            f"{option} must be {kind} where files can be made. Got {path}: {error.strerror}."
        ) from error


def _write_plots(comparison: "Comparison", images: Any, folder: Path | None) -> None:
    """Write a PNG of every plot there is; ``images`` are those of the test set."""
    if folder is None:
        return
    from mnist_models._files import atomic_writer

    def write(axes: Any, name: str) -> None:
        with atomic_writer(folder / f"{name}.png") as file:
            axes.figure.savefig(file, format="png", dpi=150)

    for name, evaluation in comparison.items():
        write(evaluation.plot_errors(images), f"{name}-errors")
        plots = ["confusion_matrix", "calibration", "roc", "precision_recall"]
        if evaluation.test is not None and evaluation.test.history is not None:
            plots.append("learning_curve")
        for plot in plots:
            write(getattr(evaluation, f"plot_{plot}")(), f"{name}-{plot.replace('_', '-')}")
    if len(comparison) > 1:
        write(comparison.plot_cv_scores(), "cv-scores")
        write(comparison.plot_cost()[0], "cost")
