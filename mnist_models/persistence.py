"""Save models to files that hold only data, and load them.

Nothing in a file is executed, imported or unpickled. Its checksum detects damage, not malice:
anyone can write a well-formed file that holds a bad model.
"""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from mnist_models._model_files import (
    decisive_versions,
    printable,
    read_model_file,
    write_model_file,
)
from mnist_models._model_parts import Part, decode, encode
from mnist_models._validation import warn_user
from mnist_models.exceptions import ModelFormatError, ModelSecurityError, ModelVersionWarning

# The libraries of which another minor version may round differently.
_MODELS = ("mnist_models", "scikit-learn")
_NETWORKS = (*_MODELS, "keras", "tensorflow")

# What decoding a description raises where keys are missing or values have a wrong type.
_NOT_AS_SAVED: tuple[type[Exception], ...] = (LookupError, TypeError, ValueError, AttributeError)
_NOT_AS_SAVED += (ArithmeticError, RecursionError, MemoryError)


def save_model(model: Any, path: str | PathLike[str]) -> None:
    """Write a fitted model to one file that holds data only.

    Parameters
    ----------
    model : classifier or Pipeline
        One of the three classifiers or a Pipeline of :func:`make_model`, fitted; or a fitted
        search over them, such as GridSearchCV, of which the best model is saved. The steps before
        the classifier may be those of :func:`make_preprocessor`, in Pipelines nested up to 8 deep.
        scikit-learn's own LogisticRegression and RandomForestClassifier are loaded as those of
        this package. Networks of the caller's (``build_fn``) are code and are refused. What
        predictions do not need is not saved: ``n_jobs``, ``verbose``, ``warm_start``,
        ``callbacks``, a Pipeline's ``memory`` and out-of-bag scores.
    path : str or path-like
        The file to write. An existing file is replaced in one step, or stays if anything fails.

    Raises
    ------
    TypeError
        If the model is of another kind, or has a parameter that is not plain data, such as a
        RandomState instance.
    NotFittedError
        If the model, or a step of it, is not fitted.
    ModelFormatError
        If it could not be loaded again: Pipelines are nested deeper, a step takes or makes more
        than 16,777,216 features, or parameters changed after ``fit`` contradict what was fitted.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from mnist_models import load_model, load_sample_digits, make_model, save_model
    >>> digits = load_sample_digits()
    >>> model = make_model("logistic").fit(digits.data, digits.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "digits.model")
    ...     save_model(model, path)
    ...     loaded = load_model(path)
    >>> (loaded.predict_proba(digits.data) == model.predict_proba(digits.data)).all()
    np.True_
    """
    check_is_fitted(model)
    model = getattr(model, "best_estimator_", model)  # where it is a search
    if not is_classifier(model):
        raise TypeError(
            f"model must be a classifier or a Pipeline that ends in one. Got {model!r} instead."
        )
    part = encode(model)
    try:
        decode(part)
    except _NOT_AS_SAVED as error:
        raise ModelFormatError(
            f"The model could not be loaded again: {_reason(error)}. Fit it again: attributes or "
            "parameters that were changed since contradict each other."
        ) from None
    write_model_file(path, part.kind, part.settings, part.arrays)


def load_model(path: str | PathLike[str], *, expected_sha256: str | None = None) -> Any:
    """Read a model that :func:`save_model` wrote. Nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
        The file.
    expected_sha256 : str, default=None
        The SHA-256 of the whole file, 64 hexadecimal digits, as ``mnist-models inspect`` and
        ``sha256sum`` print it. A file with another SHA-256 is refused before it is parsed. The
        checksum inside the file detects only damage; a SHA-256 that you got from somebody you
        trust shows that it is their file.

    Returns
    -------
    classifier or Pipeline
        Its predictions equal those of the saved model to the last bit.

    Raises
    ------
    ModelFormatError
        If the file is not a model file, is damaged, or has a later format.
    ModelSecurityError
        A ModelFormatError: if the file does not have the expected SHA-256, or was forged: it
        describes no model although its checksum is right.
    ValueError
        If ``expected_sha256`` is not 64 hexadecimal digits.
    OSError
        If the file cannot be read.

    Warns
    -----
    ModelVersionWarning
        If the file was saved with other minor versions of the libraries that compute predictions,
        whose last bits may then differ.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from mnist_models import LogisticRegression, load_model, save_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "signs.model")
    ...     save_model(LogisticRegression().fit([[-1], [1]], ["minus", "plus"]), path)
    ...     load_model(path).predict([[-3], [3]])
    array(['minus', 'plus'], dtype='<U5')
    """
    manifest, arrays = read_model_file(path, expected_sha256)
    try:
        classifier = model = decode(Part(manifest.kind, manifest.settings, arrays))
    except _NOT_AS_SAVED as error:
        raise _refused(path, _reason(error), manifest.versions) from None
    while isinstance(classifier, Pipeline):
        classifier = classifier[-1]
    libraries = _NETWORKS if hasattr(classifier, "history_") else _MODELS
    if others := _other_versions(manifest.versions, libraries):
        warn_user(
            ModelVersionWarning(
                f"{path} was saved with {others}: its answers may differ in the last digits. "
                "Save it again with these versions to end this warning."
            )
        )
    return model


def _reason(error: BaseException) -> str:
    reason = f"missing {error}" if isinstance(error, KeyError) else error
    return printable(reason, longest=500)


def _refused(path: str | PathLike[str], reason: str, saved: dict[str, str]) -> ModelFormatError:
    """The error for a file whose checksum is right: what is wrong in it was written that way."""
    if others := _other_versions(saved, _NETWORKS):
        return ModelFormatError(
            f"{path} is not a model that can be loaded here: {reason}. It was saved with {others}. "
            "Load it with those, or save the model again."
        )
    return ModelSecurityError(
        f"{path} is not a model that save_model wrote, though its checksum is right: {reason}. "
        "Do not use it, and find out where it comes from."
    )


def _other_versions(saved: dict[str, str], libraries: Sequence[str]) -> str:
    here = decisive_versions()
    return ", ".join(
        f"{name} {printable(saved[name])} (here {here[name]})"
        for name in libraries
        if saved[name].split(".")[:2] != here[name].split(".")[:2]
    )
