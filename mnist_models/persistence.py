"""Models as files that hold data and nothing else.

Nothing in a file is executed, imported or unpickled. Its checksum tells damage, not malice: anyone
can write a well-formed file that holds a bad model.
"""

from os import PathLike
from pathlib import Path
from typing import Any

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from mnist_models._container import pack, unpack
from mnist_models._files import atomic_writer
from mnist_models._model_parts import Part, decode, encode
from mnist_models.exceptions import ModelFormatError

_FORMAT = 1

# What reading a description can come to, where keys are missing and values of any type.
_NOT_AS_SAVED = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)


def save_model(model: Any, path: str | PathLike[str]) -> None:
    """Write a fitted model to one file that holds data only.

    Parameters
    ----------
    model : classifier or Pipeline
        One of the three classifiers, or a Pipeline of :func:`make_model`, fitted. Before the
        classifier may stand what :func:`make_preprocessor` is made of, in Pipelines nested up to 8
        deep. scikit-learn's own LogisticRegression and RandomForestClassifier are saved too, and
        come back as those of this package. Networks of one's own (``build_fn``) are code and are
        refused. Not kept is what predictions do not need: ``n_jobs``, ``verbose``,
        ``warm_start``, a Pipeline's ``memory``, out-of-bag scores.
    path : str or path-like
        The file. It is replaced in one step; if anything fails, an old one stays as it was.

    Raises
    ------
    TypeError
        If the model, or a parameter of it, is none that plain data can give back (as a
        RandomState instance is not).
    NotFittedError
        If the model, or a step of it, is not fitted.
    ModelFormatError
        If it is beyond what a file may describe: Pipelines nested deeper, or a step that takes or
        makes more than 16,777,216 features.
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
    if not is_classifier(model):
        raise TypeError(
            f"model must be a classifier or a Pipeline that ends in one. Got {model!r}."
        )
    part = encode(model)
    manifest = {"format": _FORMAT, "kind": part.kind, "settings": part.settings}
    content = pack(manifest, part.arrays)
    with atomic_writer(path) as file:
        file.write(content)


def load_model(path: str | PathLike[str]) -> Any:
    """Read a model that :func:`save_model` wrote. Nothing in the file is executed.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    classifier or Pipeline
        Its predictions are those of the model saved, to the last bit.

    Raises
    ------
    ModelFormatError
        If the file is no such file, or was damaged.
    OSError
        If it cannot be read.

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
    content = Path(path).read_bytes()
    try:
        manifest, arrays = unpack(content)
        if manifest["format"] != _FORMAT:
            raise ModelFormatError(f"expected format {_FORMAT}, found {manifest['format']!r}")
        model, width = decode(Part(manifest["kind"], manifest["settings"], arrays))
        if width is not None:
            raise ModelFormatError(f"expected a classifier, found {type(model).__name__}")
        return model
    except _NOT_AS_SAVED as error:
        # the checksum held, so whatever is missing or of a wrong type was written that way
        reason = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise ModelFormatError(
            f"{path} is not a model that this version of mnist_models can load: {reason}. "
            "Save the model again with save_model."
        ) from error
