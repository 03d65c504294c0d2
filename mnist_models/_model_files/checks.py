"""Checks of a model file's content that all kinds of estimators share; parameters and labels.

Anyone may have written the file. Each check raises ModelFormatError, which says what was expected
and what was found.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models.exceptions import ModelFormatError

Arrays = dict[str, NDArray[Any]]

# The most features that a row may have at any step: 128 MB of float64, an image of 4,096 by 4,096
# pixels. A few numbers can describe a transformer that makes more; without a limit a forged one
# would take all memory at the first prediction.
MOST_NUMBERS = 2**24

# JSON's types of labels by NumPy's kinds; "O" is for labels such as a DataFrame's strings
_LABEL_KINDS: dict[str, Any] = {
    "i": int,
    "u": int,
    "f": float,
    "b": bool,
    "U": str,
    "O": str | int | float,
}


def require(sound: bool, found: str, expected: str) -> None:
    """Raise ModelFormatError, with what was expected and found, unless ``sound``."""
    if not sound:
        raise ModelFormatError(f"expected {expected}, found {found}")


class TrackedDict(dict[str, Any]):
    """A dict that knows which of its keys have not been read yet."""

    def __init__(self, items: Any) -> None:
        super().__init__(items)
        self.unread = set(self)

    def __getitem__(self, name: str) -> Any:
        self.unread.discard(name)
        return super().__getitem__(name)


def require_all_read(what: str, *dicts: TrackedDict) -> None:
    """Raise ModelFormatError if there are keys that decoding did not read."""
    surplus = sorted(set().union(*(each.unread for each in dicts)))
    require(not surplus, f"{surplus} in {what!r}", "nothing beside what it is made of")


def count(value: Any, name: str, most: int = MOST_NUMBERS) -> int:
    """The value, if it is a whole number from 1 to ``most``."""
    sound = type(value) is int and 0 < value <= most
    require(sound, f"{name} {value!r}", f"a whole number from 1 to {most}")
    return int(value)


def take(
    arrays: Arrays,
    name: str,
    shape: tuple[int, ...] | None,
    dtype: np.dtype[Any] | type,
    finite: bool = True,
) -> NDArray[Any]:
    """An array of the file, if it has that shape (None: any) and type or kind, and is finite."""
    require(name in arrays, f"no array {name!r}", f"one beside {sorted(arrays)}")
    array = arrays[name]
    # a dtype is compared by ==: issubdtype distinguishes C's "long" and "long long" of one size
    exact = isinstance(dtype, np.dtype)
    right_type = array.dtype == dtype if exact else np.issubdtype(array.dtype, dtype)
    require(
        right_type and array.shape == (array.shape if shape is None else shape),
        f"array {name!r} of {array.dtype} and shape {array.shape}",
        f"{dtype} of shape {shape}",
    )
    sound = not finite or bool(np.isfinite(array).all())
    require(sound, f"values in {name!r} that are not finite", "finite ones")
    return array


def encode_parameter(name: str, value: Any) -> Any:
    """A parameter as data for JSON, or TypeError where it could not be decoded again."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple | list):
        return [encode_parameter(name, each) for each in value]
    if isinstance(value, dict):  # its keys are labels, of which JSON would make strings
        return {"pairs": [encode_parameter(name, pair) for pair in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"A model is saved as plain data: {name} must be a number, a string, None, a sequence "
        f"or a dict of these. Got {value!r} instead. Pickle or joblib can keep it, for readers "
        "who trust you."
    )


def decode_parameter(name: str, value: Any) -> Any:
    """The parameter of which :func:`encode_parameter` made ``value``."""
    if isinstance(value, dict):
        require(value.keys() == {"pairs"}, f"{name} {value!r}", "pairs of labels and numbers")
        return dict(value["pairs"])
    return tuple(value) if isinstance(value, list) else value


def encode_classes(model: Any) -> dict[str, Any]:
    """The labels of a classifier and their dtype, as settings."""
    classes = model.classes_
    if not isinstance(classes, np.ndarray):
        raise TypeError(
            f"model must have one output, a label for each row. Got {len(classes)} outputs instead."
        )
    labels = encode_parameter("classes_", classes.tolist())
    if classes.dtype.kind not in _LABEL_KINDS:  # such as dates
        raise TypeError(
            "A model is saved as plain data: its labels must be numbers, strings or booleans. Got "
            f"{classes.dtype} instead. Fit it on y.astype(str)."
        )
    return {"classes": labels, "classes_dtype": classes.dtype.str}


def decode_classes(settings: dict[str, Any]) -> NDArray[Any]:
    """The labels that :func:`encode_classes` encoded."""
    labels, name = settings["classes"], settings["classes_dtype"]
    require(isinstance(labels, list) and len(labels) >= 2, "fewer than two classes", "two or more")
    kind = _LABEL_KINDS.get(str(name)[1:2])
    require(
        kind is not None and all(isinstance(each, kind) for each in labels),
        f"labels {labels!r} of type {name!r}",
        "numbers, strings or booleans of their type",
    )
    return np.array(labels, dtype=str if kind is str else np.dtype(str(name)))
