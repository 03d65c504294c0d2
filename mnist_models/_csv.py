"""Tables of pixels in CSV files, read strictly: one image a line, with or without its label.

Kaggle's files have a header (``label,pixel0,...``) and the label first, the common mnist_train.csv
has no header and the label first, OpenML's has the label last, under the name ``class``. Tables
that are to be predicted have no label.
"""

import codecs
import itertools
import math
import warnings
from collections.abc import Iterator
from contextlib import suppress
from os import PathLike
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from mnist_models._files import Content, kind_of, open_file
from mnist_models.exceptions import DatasetFormatError

_LABEL_NAMES = ("label", "class", "target")
_REMEDY = "Give a line for each image, with its values separated by commas, as Kaggle does."
_BLOCK_BYTES = 2**20
_LONGEST_LINE = 2**24
_LONGEST_LABEL = 100

_Path = str | PathLike[str]
_Place = Literal["first", "last"] | None


def read_csv(path: _Path) -> tuple[NDArray[np.uint8], list[str] | None]:
    """The pixels, of shape (n_images, n_pixels), and the labels, or None if the table has none.

    The file may be gzip-compressed; blank lines are left out. If it holds anything but whole
    numbers from 0 to 255 beside the labels, or lines of different lengths, DatasetFormatError names
    the line.
    """
    with open_file(path) as file:
        lines = _numbered_lines(Content(file, str(path), "CSV file", _REMEDY))
        number, line = next(lines, (1, b""))
        if not line:
            _fail(path, 1, "a header or an image", "nothing")
        n_pixels, place, has_header = _find_layout(path, line)
        numbered = lines if has_header else itertools.chain([(number, line)], lines)
        labels: list[str] = []

        def without_labels() -> Iterator[bytes]:
            nonlocal number, line
            for number, line in numbered:
                if place == "first":
                    label, _, line = line.partition(b",")
                elif place == "last":
                    line, _, label = line.rpartition(b",")
                if place is not None:
                    labels.append(_read_label(path, number, label))
                # loadtxt would take control characters for spaces, and skip a line of spaces
                if not line or line.translate(None, b"0123456789, "):
                    raise ValueError
                yield line

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # that there are no lines
                pixels = np.loadtxt(
                    without_labels(), np.uint8, comments=None, delimiter=",", ndmin=2
                )
        except DatasetFormatError:
            raise
        except (ValueError, Warning):
            if number == has_header:  # as no line came after it
                _fail(path, number, "an image after it", "the end of the file")
            _explain(path, number, line, n_pixels, n_before=int(place == "first"))
    if pixels.shape[1] != n_pixels:
        _fail(path, 1 + has_header, f"{n_pixels} pixels", str(pixels.shape[1]))
    if place == "first" and not has_header and len(set(labels)) == 1 < len(set(pixels[:, -1])):
        _fail(path, 1, "the labels in the first column", f"{labels[0]!r} there in every line")
    return pixels, None if place is None else labels


def _numbered_lines(content: Content) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, counted from 1, with commas between their cells."""
    separator = b","
    for number, line in enumerate(_split(content), start=1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
            # Excel saves semicolons where numbers have a decimal comma, or tabs
            separator = max((b",", b";", b"\t"), key=line.count)
        if line:
            yield number, line if separator == b"," else line.replace(separator, b",")


def _split(content: Content) -> Iterator[bytes]:
    """The lines, without their ends."""
    rest, most = b"", content.most_left()
    while taken := content.take(_BLOCK_BYTES):
        *lines, rest = (rest + taken).replace(b"\r\n", b"\n").split(b"\n")
        if content.offset > most:
            content.fail(most, "the end, for so few compressed bytes", "more")
        if len(rest) > _LONGEST_LINE:
            content.fail(content.offset, f"lines of at most {_LONGEST_LINE} bytes", "a longer one")
        yield from lines
    content.check_end()
    if rest:
        yield rest


def _find_layout(path: _Path, line: bytes) -> tuple[int, _Place, bool]:
    """From the first line: the number of pixels, where the label is, whether it is a header."""
    try:
        cells = [cell.strip('" ') for cell in line.decode().split(",")]
    except UnicodeDecodeError:
        _fail(path, 1, "text", f"{line[:20]!r}: the file is {kind_of(line)}")
    named = [number for number, cell in enumerate(cells) if cell.lower() in _LABEL_NAMES]
    is_counted = cells == [str(number) for number in range(len(cells))]  # pandas names columns so
    # a few odd cells are an image with mistakes, and not names
    has_text = sum(not _is_number(cell) for cell in cells[1:]) > len(cells[1:]) / 2
    if not (named or is_counted or has_text):
        is_square = math.isqrt(len(cells)) ** 2 == len(cells)
        return (len(cells), None, False) if is_square else (len(cells) - 1, "first", False)
    if not named:
        return len(cells), None, True
    if named not in ([0], [len(cells) - 1]):
        found = ", ".join(f"{cells[number]!r} in column {number + 1}" for number in named)
        expected = f"one of {', '.join(_LABEL_NAMES)} over the first or the last column only"
        _fail(path, 1, expected, f"{found} of {len(cells)}")
    return len(cells) - 1, "first" if named == [0] else "last", True


def _is_number(cell: str) -> bool:
    with suppress(ValueError):
        float(cell)
        return True
    return False


def _read_label(path: _Path, number: int, cell: bytes) -> str:
    try:
        label = cell[: 4 * _LONGEST_LABEL + 4].decode().strip('" ')
    except UnicodeDecodeError:
        label = ""
    if not 0 < len(label) <= _LONGEST_LABEL:
        expected = f"a label of 1 to {_LONGEST_LABEL} characters in UTF-8"
        _fail(path, number, expected, repr(cell[:20]) if cell else "nothing")
    return label


def _explain(path: _Path, number: int, line: bytes, n_pixels: int, n_before: int) -> NoReturn:
    """Raise DatasetFormatError for a line that could not be read, without its label."""
    cells = line.decode(errors="replace").split(",") if line else []
    if len(cells) != n_pixels:
        _fail(path, number, f"{n_pixels} pixels", str(len(cells)))
    for column, cell in enumerate(cells, start=1 + n_before):
        digits = cell.strip(" ")
        if not (digits.isascii() and digits.isdecimal() and int(digits[:10]) <= 255):
            expected = f"a whole number from 0 (paper) to 255 (ink) in column {column}"
            _fail(path, number, expected, repr(cell[:20]))
    _fail(path, number, "numbers", "others")


def _fail(path: _Path, number: int, expected: str, found: str) -> NoReturn:
    raise DatasetFormatError(
        f"{path} is no table of pixels: in line {number} expected {expected}, found {found}. "
        f"{_REMEDY}"
    )
