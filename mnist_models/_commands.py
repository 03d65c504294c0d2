"""The commands. Each takes the parsed options and returns the exit code."""

import importlib.metadata
import json
import platform
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from mnist_models._data import mnist, mnist_cache
from mnist_models._data.mnist_pins import FILES
from mnist_models._data.pixels import read_pixels
from mnist_models._files import atomic_writer
from mnist_models._keras.networks import Conv
from mnist_models._keras.waking import load_keras
from mnist_models._model_files.inspection import inspect_model
from mnist_models.comparison import Comparison
from mnist_models.datasets import ImageDataset, fetch_mnist, load_idx, load_sample_digits
from mnist_models.evaluation import compare
from mnist_models.exceptions import WorkerLostError
from mnist_models.models import make_model
from mnist_models.network import SequentialClassifier
from mnist_models.persistence import load_model, save_model
from mnist_models.preprocessing import Standardize
from mnist_models.reproduction import reproduce


def run_compare(options: Namespace) -> int:
    """Evaluate several models; print the table and the best one's report."""
    return _evaluate(options, options.models, lambda comparison: comparison)


def run_evaluate(options: Namespace) -> int:
    """Evaluate one model; print its report."""
    return _evaluate(options, [options.model], lambda comparison: comparison[options.model])


def run_reproduce(options: Namespace) -> int:
    """Compare the three models with the claims of the report; 1 if one is missed."""
    data = fetch_mnist().split("report")
    _make_folder("--plots", options.plots)
    _load_tensorflow()
    found = reproduce(data, random_state=options.seed)
    print(json.dumps(found.to_dict()) if options.json else found)
    _write_plots(found.comparison, data[1], options.plots)
    return 1 if found.missed else 0


def run_fetch(options: Namespace) -> int:
    """Fetch MNIST into the cache."""
    dataset = fetch_mnist(data_home=options.data_home)
    cache = mnist_cache.user_cache()
    kept = "kept" if isinstance(dataset.data, np.memmap) else "not kept, for it cannot be written,"
    print(f"{dataset!r}, {kept} in {cache}")
    return 0


def run_train(options: Namespace) -> int:
    """Fit one model on every row and save it."""
    _check_file("--output", options.output)
    dataset = load_data(options.data)
    if options.model == "network":
        _load_tensorflow()
    model = make_model(options.model, recipe=options.recipe, random_state=options.seed)
    save_model(model.fit(dataset.data, dataset.target), options.output)
    print(f"{options.output}: {options.model} fitted on {len(dataset)} images of {dataset.name}")
    return 0


def run_predict(options: Namespace) -> int:
    """Print the predicted label of every image, one a line, or JSON with the probabilities."""
    model = load_model(options.model)
    answers = []
    for path in options.images:
        pixels = read_pixels(path, model.n_features_in_)
        _check_scale(path, pixels, model)
        probabilities = model.predict_proba(pixels)
        labels = model.classes_[probabilities.argmax(axis=1)].tolist()
        for row, (label, chances) in enumerate(zip(labels, probabilities.tolist(), strict=True)):
            classes = (str(name) for name in model.classes_)
            by_class = dict(zip(classes, chances, strict=True))
            answers.append(
                {"file": str(path), "image": row, "label": label, "probabilities": by_class}
            )
    if options.json:
        print(json.dumps(answers))
    else:
        print("\n".join(str(answer["label"]) for answer in answers))
    return 0


def run_inspect(options: Namespace) -> int:
    """Print what a model file holds."""
    print("\n".join(inspect_model(options.model)))  # joined: nothing is printed if it raises
    return 0


def run_version(options: Namespace) -> int:
    """Print the versions that a result depends on."""
    names = ["mnist-models", "numpy", "scikit-learn", "tensorflow", "keras"]
    for name in names:
        print(f"{name} {importlib.metadata.version(name)}")
    print(f"python {platform.python_version()}")
    return 0


def load_data(name: str) -> ImageDataset:
    """The data set that ``--data`` names: ``sample``, ``mnist``, or a folder of IDX files.

    A folder has files with MNIST's names, which Fashion-MNIST and KMNIST use too, gzip-compressed
    or plain; the two ``t10k`` files may be missing.

    Raises
    ------
    ValueError
        If it is none of these, or if training and test images differ in shape.
    """
    if name == "sample":
        return load_sample_digits()
    if name == "mnist":
        return fetch_mnist()
    folder = Path(name)
    train_images, train_labels, test_images, test_labels = (
        mnist.find_file(folder, pinned.name) for pinned in FILES
    )
    if not (train_images.is_file() and train_labels.is_file()):
        raise ValueError(
            f"--data must be 'sample', 'mnist' or a folder that holds {FILES[0].name} and "
            f"{FILES[1].name}, plain or .gz. Got {name!r} instead."
        )
    train = load_idx(train_images, train_labels)
    if not test_images.is_file():
        return train
    test = load_idx(test_images, test_labels)
    if test.image_shape != train.image_shape:
        raise ValueError(
            f"{test_images} must hold images of {train.image_shape} pixels, as {train_images} "
            f"does. Got {test.image_shape} instead."
        )
    data, target = (
        np.concatenate([getattr(train, part), getattr(test, part)]) for part in ("data", "target")
    )
    return ImageDataset(data, target, train.image_shape, folder.resolve().name, len(train))


def _evaluate(options: Namespace, names: list[str], shown: Callable[[Comparison], Any]) -> int:
    """Evaluate models on the data of ``--data``; write plots and page, and print the result."""
    dataset = load_data(options.data)
    _check_file("--html", options.html)
    _make_folder("--plots", options.plots)
    _make_folder("--checkpoint", options.checkpoint)
    # a folder's own test set is used; MNIST and the sample are split as the report does
    own = options.data not in ("sample", "mnist") and dataset.n_official_train is not None
    split = dataset.split("official" if own else "report")
    lost = None
    try:
        comparison = _compare(options, names, split)
    except WorkerLostError as error:
        if not error.finished:
            raise
        comparison, lost = Comparison(error.finished), error
    images = split[1].reshape(-1, *dataset.image_shape)
    result = shown(comparison)
    try:  # files first: print ends the command if the reader of the output is gone
        _write_plots(comparison, images, options.plots)
        if options.html is not None:
            result.to_html(options.html, images)
    finally:
        print(result.to_json() if options.json else result)
    if lost is not None:
        raise lost
    return 0


def _compare(options: Namespace, names: list[str], split: Any) -> Comparison:
    X_train, X_test, y_train, y_test = split
    if "network" in names and options.jobs in (None, 1) and options.timeout is None:
        _load_tensorflow()
    models = {
        name: make_model(name, recipe=options.recipe, random_state=options.seed) for name in names
    }
    if "forest" in models:
        models["forest"].set_params(classify__n_jobs=-1)  # the others do so by default
    return compare(
        models,
        X_train,
        y_train,
        test=(X_test, y_test),
        cv=options.cv,
        random_state=options.seed,
        n_jobs=options.jobs,
        timeout=options.timeout,
        checkpoint=options.checkpoint,
    )


def _check_scale(path: Path, pixels: NDArray[Any], model: Any) -> None:
    """Refuse pixels from 0 to 1 if the model was fitted on 0 to 255: its answers would be wrong."""
    first, last = (model[0], model[-1]) if isinstance(model, Pipeline) else (model, model)
    mean = 0.0
    if isinstance(first, Standardize):
        mean = first.mean_.max()
    elif isinstance(last, SequentialClassifier) and isinstance(last._network, Conv):
        mean = last.model_.get_weights()[0].item()  # of its first layer, the normalization
    if 0 < pixels.max() <= 1 < mean:
        raise ValueError(
            f"{path} must hold pixels from 0 (paper) to 255 (ink), as the model was fitted on. "
            f"Got values up to {pixels.max():g}: multiply them by 255."
        )


def _make_folder(option: str, folder: Path | None) -> None:
    """Make a folder for results before the work, or raise ValueError."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{option} must be a folder. Got {folder}: {error.strerror}.") from error
    _check_writable(option, folder)


def _check_file(option: str, path: Path | None) -> None:
    """Raise ValueError, before the work, if a file cannot be written there."""
    if path is None:
        return
    if (path.exists() and not path.is_file()) or not path.parent.is_dir():
        raise ValueError(
            f"{option} must be an ordinary file, or a new one, in a folder that exists. "
            f"Got {path} instead."
        )
    _check_writable(option, path.parent)


def _check_writable(option: str, folder: Path) -> None:
    """Try to write: on a disk that is mounted read-only, permissions tell nothing."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"{option} must be in a folder where files can be made. Got {folder}: {error.strerror}."
        ) from error


def _write_plots(comparison: Comparison, images: NDArray[Any], folder: Path | None) -> None:
    """Write a PNG of every plot there is; ``images`` are those of the test set."""
    if folder is None:
        return
    for name, evaluation in comparison.items():
        _write_png(evaluation.plot_confusion_matrix(), folder / f"{name}-confusion-matrix.png")
        _write_png(evaluation.plot_errors(images), folder / f"{name}-errors.png")
        _write_png(evaluation.plot_calibration(), folder / f"{name}-calibration.png")
        _write_png(evaluation.plot_roc(), folder / f"{name}-roc.png")
        _write_png(evaluation.plot_precision_recall(), folder / f"{name}-precision-recall.png")
        if evaluation.test and evaluation.test.history:
            _write_png(evaluation.plot_learning_curve(), folder / f"{name}-learning-curve.png")
    if len(comparison) > 1:
        _write_png(comparison.plot_cv_scores(), folder / "cv-scores.png")


def _write_png(axes: Any, path: Path) -> None:
    with atomic_writer(path) as file:
        axes.figure.savefig(file, format="png", dpi=150)


def _load_tensorflow() -> None:
    """Load it before anything is timed, and say so on a terminal."""
    if sys.stderr.isatty():
        print("Loading TensorFlow ...", file=sys.stderr)
    load_keras()
