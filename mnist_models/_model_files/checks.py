"""What a file of a model may say: the checks that every kind of part needs, and its labels.

Whatever is read was written by anyone. Each check raises ModelFormatError, which names what was
expected and what was found.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models.exceptions import ModelFormatError

Arrays = dict[str, NDArray[Any]]

# The most numbers that one row may become at any step: 128 MB of float64. No array of a file need
# bear out what a transformer makes of a row, so this is what keeps a forged one from taking all
# memory at the first prediction. An image of 4,096 by 4,096 pixels has as many.
MOST_NUMBERS = 2**24

# JSON's types for NumPy's kinds; objects are labels such as a DataFrame's column of strings
_LABEL_KINDS: dict[str, Any] = {
    "i": int,
    "u": int,
    "f": float,
    "b": bool,
    "U": str,
    "O": str | int | float,
}


def require(sound: bool, found: str, expected: str) -> None:
    """Raise ModelFormatError, with what was expected and found, unless all is sound."""
    if not sound:
        raise ModelFormatError(f"expected {expected}, found {found}")


class Told(dict[str, Any]):
    """What a file tells by name, and which of it nobody has read yet."""

    def __init__(self, told: Any) -> None:
        super().__init__(told)
        self.unread = set(self)

    def __getitem__(self, name: str) -> Any:
        self.unread.discard(name)
        return super().__getitem__(name)


def require_all_read(what: str, *told: Told) -> None:
    """Raise ModelFormatError if a file tells more than such a thing has."""
    surplus = sorted(set().union(*(each.unread for each in told)))
    require(not surplus, f"{surplus} in {what!r}", "nothing beside what it is made of")


def count(value: Any, name: str, most: int = MOST_NUMBERS) -> int:
    """A whole number from 1 to ``most``."""
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
    """An array of the file, if it is of that shape (None: any), type or kind, and finite."""
    require(name in arrays, f"no array {name!r}", f"one beside {sorted(arrays)}")
    array = arrays[name]
    # a dtype is compared as such: issubdtype tells C's "long" from "long long" of one size
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


def plain(name: str, value: Any) -> Any:
    """A parameter as JSON has it, or TypeError where JSON could not give it back."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple | list):
        return [plain(name, each) for each in value]
    if isinstance(value, dict):  # of labels, of which JSON would make strings
        return {"pairs": [plain(name, pair) for pair in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"A model is saved as plain data: {name} must be a number, a string, None, a sequence "
        f"or a dict of these. Got {value!r} instead. Pickle or joblib can keep it, for readers "
        "who trust you."
    )


def unplain(name: str, value: Any) -> Any:
    """A parameter as it was, of what :func:`plain` made of it."""
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
    if classes.dtype.kind == "O":  # strings from a DataFrame, say
        plain("classes_", classes.tolist())
    return {"classes": classes.tolist(), "classes_dtype": classes.dtype.str}


def decode_classes(settings: dict[str, Any]) -> NDArray[Any]:
    """The labels that :func:`encode_classes` described."""
    labels, name = settings["classes"], settings["classes_dtype"]
    require(isinstance(labels, list) and len(labels) >= 2, "fewer than two classes", "two or more")
    kind = _LABEL_KINDS.get(str(name)[1:2])
    require(
        kind is not None and all(isinstance(each, kind) for each in labels),
        f"labels {labels!r} of type {name!r}",
        "numbers, strings or booleans of their type",
    )
    return np.array(labels, dtype=str if kind is str else np.dtype(str(name)))
