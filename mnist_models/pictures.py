"""Pictures of handwritten digits, and files of images: read, and framed as MNIST's digits are.

:func:`read_images` goes the way that readers of documents go: the paper, with its shadows and
lines, is estimated and divided out; what is left is ink if it is connected, large enough and no
strip along an edge; the ink is drawn again with a pen of the usual width, and framed.
"""

import functools
import struct
import warnings
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Union, cast

import numpy as np
from numpy.typing import NDArray

from mnist_models._csv import read_csv
from mnist_models._files import open_file, open_npy
from mnist_models._idx import read_idx
from mnist_models._validation import some, warn_user
from mnist_models.exceptions import PictureWarning

if TYPE_CHECKING:
    from PIL import Image

Mark = NDArray[np.float32]  # (height, width): 0 is paper, 1 is as dark as can be
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]
Picture = Union[str, PathLike[str], IO[bytes], NDArray[Any], "Image.Image"]

# The pixels of a photograph. Without a limit, a small file could decompress to gigabytes.
_MOST_PIXELS = 25_000_000
_LONGEST_SIDE = 10_000
_SHORTEST_SIDE = 8
# Some 700,000 digits. A sparse file can be longer than the memory and take no space on disk.
_MOST_VALUES = 2**29

_FORMATS = ["PNG", "JPEG", "TIFF", "BMP", "WEBP"]
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
_OTHER_PICTURES = {".gif", ".heic", ".heif", ".avif", ".pdf", ".svg"}
# Every picture is brought to about so many pixels, in which the lengths below are measured.
_WORKING_PIXELS = 250_000
# Wider than any pen stroke, as a share of the shorter side: what is narrower may be ink.
_WIDEST_STROKE = 0.35
# Ink differs from paper by more than this share of the paper's light, and than so much noise.
_FAINTEST_INK = 0.02
_SIGMAS = 4
# A smaller spot at the working size is too small to be read.
_SMALLEST_DIGIT = 20
# The slopes that ruled lines have in a photograph, up to 6 degrees.
_SLOPES = np.linspace(-0.105, 0.105, 29)
_WIDEST_LINE = 15
# What covers so much of one edge of the picture is the table, or a shadow.
_WIDEST_CUT = 0.15
# What touches an edge counts for so much, as more often than a digit it is one of these.
_AT_EDGE = 0.3
# The least width of a stroke, in pixels of the 20 that a digit is high: MNIST's have 2 to 4.
_PEN = 2.2
_AGAIN = "Take it again from nearer or in better light, with paper on all sides of the digit."
_NO_DIGIT = f"no digit stands out from the paper. {_AGAIN}"


def read_images(
    paths: Picture | Iterable[Picture],
    *,
    image_shape: tuple[int, int] = (28, 28),
    invert: bool | Literal["auto"] = "auto",
    split: bool = False,
) -> NDArray[np.uint8]:
    """Read pictures of handwritten digits into rows as MNIST has them.

    A photo or a scan may have shadows, ruled or squared or coloured paper, specks, the edge of the
    table, a faint pencil or a thick pen. A picture that has ``image_shape`` already and paper
    all around is taken for a framed digit, and no pixel of it is changed.

    Parameters
    ----------
    paths : path, file object, array, Pillow image, or iterable of these
        Pictures, or folders of pictures and of further folders, which are read in the order of
        their names; hidden files are left out. Files are PNG, JPEG, TIFF, BMP or WebP, of at most
        25 million pixels and 10,000 to a side. Arrays have shape (height, width), or (height,
        width, channels) with 1, 3 or 4 channels; their values are uint8, uint16, bool, or floats
        from 0 to 1.
    image_shape : tuple of (int, int), default=(28, 28)
        Height and width of the images that the model was fitted on. They must be equal.
    invert : bool or "auto", default="auto"
        True: the ink is darker than the paper. False: it is lighter, as chalk on a board is.
        "auto" finds out.
    split : bool, default=False
        False: one row for each picture. True: one row for each digit in it, line by line from left
        to right, so that the digits of a postcode become its rows; at most 100 of a picture.

    Returns
    -------
    ndarray of shape (n_digits, height · width), dtype uint8
        Ink is high, up to 255, and paper is 0. The rows of several pictures follow one another in
        the order given. With ``split=True``, read one picture at a time to know which row is whose.

    Raises
    ------
    ValueError
        If a file is no picture that can be read or is too large, an array is none of the above, a
        folder holds no picture, or ``image_shape`` is not square.
    OSError
        If a file cannot be opened.

    Warns
    -----
    PictureWarning
        If no digit stands out from the paper (its row is all 0; with ``split=True`` there is
        none), the edge cuts a digit, or a picture shows several and ``split`` is False (the
        largest whole one is read). The message names the file.

    Notes
    -----
    A picture is reduced (or enlarged) to about 250,000 pixels. The paper is its morphological
    closing, which keeps the edges of shadows sharp; ink is what is darker, in the colour in which
    the picture differs most from its paper. Lines are what the darkest three quarters of a whole
    row or column have in common, along the slope where this is strongest. The threshold is the one
    at which the most ink hangs together. Strokes thinner or wider than MNIST's are drawn again
    with its pen. Methods like these are described in [1]_; the framing is that of MNIST [2]_.

    References
    ----------
    .. [1] P. Soille, "Morphological Image Analysis", 2nd edition, Springer, 2004, chapters 4 and 8.
    .. [2] Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_models import load_sample_digits, read_images
    >>> digit = load_sample_digits().images[0]
    >>> photo = np.full((200, 160), 220, dtype=np.uint8)  # grey paper
    >>> photo[40:152, 20:132] -= np.kron(digit // 2, np.ones((4, 4), dtype=np.uint8))
    >>> row = read_images(photo)
    >>> row.shape, int(row.max()) > 250
    ((1, 784), True)
    """
    if np.shape(image_shape) != (2,) or image_shape[0] != image_shape[1] or image_shape[0] < 1:
        raise ValueError(
            "image_shape must be two equal numbers from 1 up, as digits are framed in a square. "
            f"Got {image_shape!r} instead."
        )
    if invert not in (True, False, "auto"):
        raise ValueError(f"invert must be True, False or 'auto'. Got {invert!r} instead.")
    several = isinstance(paths, Iterable) and not _is_one(paths)
    pictures = list(cast("Iterable[Picture]", paths)) if several else [cast("Picture", paths)]
    images: list[NDArray[np.uint8]] = []
    for name, picture in _each_picture(pictures):
        found = _read_picture(name, picture, image_shape[0], invert, split)
        if not found:
            warn_user(PictureWarning(f"{name}: {_NO_DIGIT}"))
            found = [] if split else [np.zeros(image_shape, dtype=np.uint8)]
        images += found
    return np.array(images, dtype=np.uint8).reshape(len(images), image_shape[0] * image_shape[1])


def picture_files(path: Path) -> list[Path]:
    """The pictures of a folder and of those in it, sorted by name, or the file itself."""
    if not path.is_dir():
        return [path]
    inside = [file for file in visible(path) if file.is_file()]
    files = [file for file in inside if is_picture(file)]
    if not files:
        known = ", ".join(sorted(_SUFFIXES))
        raise ValueError(f"{path} must be a folder of pictures ({known}). Got none of these in it.")
    if others := [str(file.relative_to(path)) for file in inside if not is_picture(file)]:
        what = f"{path}: what is no picture (PNG, JPEG, TIFF, BMP or WebP) is left out"
        warn_user(PictureWarning(f"{what}: {some(others)}."))
    return files


def visible(folder: Path) -> list[Path]:
    """All that is in a folder and in those within it, sorted, without what is hidden."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def is_picture(path: Path) -> bool:
    """Whether a file's name ends as those of pictures that can be read."""
    return path.suffix.lower() in _SUFFIXES


def _each_picture(pictures: list[Picture]) -> Iterator[tuple[str, Picture]]:
    """Every picture with the name by which messages call it."""
    if not pictures:
        raise ValueError("paths must name at least one picture. Got an empty list.")
    for number, picture in enumerate(pictures):
        if isinstance(picture, str | PathLike):
            yield from ((str(file), file) for file in picture_files(Path(picture)))
        elif _is_one(picture) and not isinstance(picture, bytes):
            name = getattr(picture, "name", "") or getattr(picture, "filename", "")
            yield str(name or f"picture {number}"), picture
        else:
            raise TypeError(
                "paths must be a path, a file object (io.BytesIO for bytes), an array, a Pillow "
                f"image, or a list of these. Got {type(picture).__name__} as picture {number}."
            )


def _is_one(picture: object) -> bool:
    """Whether this is one picture, not several."""
    is_plain = isinstance(picture, str | bytes | PathLike | np.ndarray)
    return is_plain or hasattr(picture, "read") or hasattr(picture, "getexif")  # Pillow's have


def _read_picture(
    name: str, picture: Picture, frame: int, invert: bool | Literal["auto"], split: bool
) -> list[NDArray[np.uint8]]:
    """The framed digits of one picture, and warnings of what cannot be trusted."""
    image = _open_picture(name, picture)
    framed = _framed_already(image, frame, invert)
    if framed is not None:
        return [framed]
    marks = _find_marks(_working_copy(image), invert)
    digits: list[Mask] = []
    # a 1 from edge to edge looks like a line, or like the table beside the paper
    for ink, widest_cut in (
        (_without_lines(marks), _WIDEST_CUT),
        (marks, _WIDEST_CUT),
        (marks, 1.0),
    ):
        if digits := _find_digits(ink, widest_cut):
            break
    if len(digits) > 1 and not split:
        what = f"{name}: {len(digits)} digits are seen, and the largest whole one is read."
        warn_user(PictureWarning(f"{what} Read each of them with read_images(split=True)."))
        digits = [max(digits, key=lambda digit: (not _edge(digit).any(), np.count_nonzero(digit)))]
    if any(_edge(digit).any() for digit in digits):
        warn_user(PictureWarning(f"{name}: the picture's edge cuts a digit. {_AGAIN}"))
    return [lay_into_frame(_ink(ink, digit), frame) for digit in digits]


# -- files of images -------------------------------------------------------------------------------


def read_pixels(path: Path, n_features: int) -> NDArray[np.generic]:
    """The images of a file as rows of ``n_features`` pixels, ink high and paper 0.

    The file is an IDX file of images, or a CSV file of pixels, whose labels, if it has any, are
    left out, plain or gzip; a NumPy ``.npy`` file of shape (n, h, w), (n, h·w) or (h, w), on the
    scale the model was fitted on; or a picture of one digit, as :func:`read_images` takes them. If
    it holds something else, or no digit, ValueError says so.
    """
    kind = path.suffix.lower()
    if is_picture(path):
        return _read_one(path, n_features)
    if kind in _OTHER_PICTURES:
        raise ValueError(
            f"{path} must be an IDX, .csv or .npy file, or a picture. Save it as PNG or JPEG."
        )
    pixels: NDArray[Any]
    if kind == ".npy":
        pixels = _read_npy(path, n_features)
    elif path.name.lower().endswith((".csv", ".csv.gz")):
        pixels, _ = read_csv(path)
    else:
        pixels = read_idx(path, ndim=3)
    n_images, n_pixels = len(pixels), int(np.prod(pixels.shape[1:]))
    if n_pixels != n_features or n_images == 0:
        raise ValueError(
            f"{path} must hold images of {n_features} pixels, as the model was fitted on. "
            f"Got {n_images} images of {n_pixels} pixels instead."
        )
    return pixels.reshape(n_images, n_pixels)


def _read_npy(path: Path, n_features: int) -> NDArray[Any]:
    pixels = open_npy(path)
    if pixels.dtype.kind not in "buif" or pixels.ndim == 0:
        raise ValueError(
            f"{path} must hold an array of numbers, one image or several. "
            f"Got {pixels.dtype.name} of shape {pixels.shape} instead."
        )
    if pixels.size > _MOST_VALUES:
        raise ValueError(
            f"{path} must hold at most {_MOST_VALUES:,} pixels. Got {pixels.size:,}: split it."
        )
    if not np.isfinite(pixels).all():
        raise ValueError(f"{path} must hold finite numbers. Got NaN or infinity among them.")
    return pixels.reshape(1, -1) if pixels.size == n_features else pixels


def _read_one(path: Path, n_features: int) -> NDArray[np.uint8]:
    side = round(n_features**0.5)
    if side * side != n_features:
        raise ValueError(
            f"{path} must be an IDX or .npy file: the model reads {n_features} pixels, which are "
            "no square in which a picture could be framed."
        )
    found = _read_picture(str(path), path, side, "auto", split=False)
    if not found:
        raise ValueError(f"{path}: {_NO_DIGIT}")
    return found[0].reshape(1, -1)


# -- what the model saw ----------------------------------------------------------------------------


def beside(path: Path, row: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """A picture, and on its right what a model sees of it, as greys of a height."""
    from PIL import Image

    picture = _open_picture(str(path), path).convert("L")
    width = min(3 * height, max(1, round(height * picture.width / picture.height)))
    side = round(len(row) ** 0.5)
    seen = Image.fromarray(row.reshape(side, side))
    sides = picture.resize((width, height)), seen.resize((height, height), Image.Resampling.NEAREST)
    return np.hstack([np.asarray(image) for image in sides])


def as_blocks(greys: NDArray[np.uint8]) -> str:
    """Greys in a terminal: one character for two pixels, one above the other."""
    height, width = greys.shape
    shades = greys[: height // 2 * 2].reshape(-1, 2, width).mean(axis=1) // 51.2
    return "\n".join("".join(" ░▒▓█"[int(shade)] for shade in line) for line in shades)


# -- from a file to pixels -------------------------------------------------------------------------


def _open_picture(name: str, picture: Picture) -> "Image.Image":
    """A picture of any kind, upright, as 8-bit grey or colour; transparent pixels become white."""
    from PIL import Image, ImageOps

    if isinstance(picture, np.ndarray):
        return Image.fromarray(_as_bytes(name, picture)).convert("RGB")
    opened = open_file(picture) if isinstance(picture, str | PathLike) else None
    try:
        with warnings.catch_warnings():
            # given above a limit of Pillow's own, which is higher than ours
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image
            if isinstance(picture, Image.Image):
                image = picture
            else:
                image = Image.open(opened or cast("IO[bytes]", picture), formats=_FORMATS)
            width, height = image.size
            _check_size("it", width, height)
            if (n_pages := getattr(image, "n_frames", 1)) > 1:
                what = f"{name}: it has {n_pages} pages or frames, and the first is read."
                warn_user(PictureWarning(what))
            scale = (_WORKING_PIXELS / (width * height)) ** 0.5
            if scale < 1 and image is not picture:
                # a JPEG is decoded at a half, a quarter or an eighth of its size
                image.draft(image.mode, (round(width * scale), round(height * scale)))
            image.load()
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I") or image.mode == "F":  # convert() would clip at 255
                image = Image.fromarray(_as_bytes(name, np.asarray(image)))
            if image.has_transparency_data:
                paper = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(paper, image.convert("RGBA"))
            return image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    except (  # what Pillow raises for files that are damaged, or far too large
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        struct.error,
        LookupError,
        TypeError,
        OverflowError,
    ) as error:
        raise ValueError(
            f"{name} must be a picture (PNG, JPEG, TIFF, BMP or WebP) that can be read: {error}. "
            "Save it again as PNG or JPEG, or a smaller one."
        ) from error
    finally:
        if opened is not None:
            opened.close()


def _check_size(name: str, width: int, height: int) -> None:
    is_small = width * height <= _MOST_PIXELS and max(width, height) <= _LONGEST_SIDE
    if not is_small or min(width, height) < _SHORTEST_SIDE:
        raise ValueError(
            f"{name} must have at most {_MOST_PIXELS:,} pixels, and {_SHORTEST_SIDE} to "
            f"{_LONGEST_SIDE:,} to a side. Got {width:,} x {height:,}"
        )


def _as_bytes(name: str, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """An array of pixels as uint8; ValueError if it is none."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    is_colour = pixels.ndim == 3 and pixels.shape[2] in (3, 4)
    if not (pixels.ndim == 2 or is_colour):
        raise ValueError(
            f"{name} must have shape (height, width), or (height, width, 3 or 4) in colour. Got "
            f"{pixels.shape}; for several pictures in one array, give list(array)."
        )
    _check_size(name, pixels.shape[1], pixels.shape[0])
    if pixels.dtype == np.uint8:
        return pixels
    if (pixels.dtype == np.uint16 and pixels.max() > 255) or (
        pixels.dtype == np.int32 and pixels.min() >= 0
    ):
        return (np.minimum(pixels, 65_535) // 257).astype(np.uint8)
    if pixels.dtype.kind in "bf" and pixels.min() >= 0 and pixels.max() <= 1:  # no NaN
        return np.rint(pixels * np.float32(255)).astype(np.uint8)
    raise ValueError(
        f"{name} must hold uint8 (0 to 255), uint16, bool, or floats from 0 to 1. Got "
        f"{pixels.dtype} from {pixels.min()} to {pixels.max()}: convert it with astype or divide."
    )


def _framed_already(
    image: "Image.Image", frame: int, invert: bool | Literal["auto"]
) -> NDArray[np.uint8] | None:
    """The picture, ink high, if it has the frame's size and its border is white or black paper."""
    if image.size != (frame, frame):
        return None
    grey = np.asarray(image.convert("L"))
    paper = float(np.median(_edge(grey)))
    is_inverted = paper > 127 if invert == "auto" else invert
    ink = 255 - grey if is_inverted else grey
    return ink if min(paper, 255 - paper) < 10 and ink.max() > 127 and ink.min() < 10 else None


def _working_copy(image: "Image.Image") -> Mark:
    """The picture at its working size, as (height, width, channels) from 0 to 1."""
    from PIL import Image

    scale = (_WORKING_PIXELS / (image.width * image.height)) ** 0.5
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    size = (max(1, round(side * scale)) for side in image.size)
    pixels: Mark = np.asarray(image.resize(tuple(size), how), dtype=np.float32) / np.float32(255)
    return pixels.reshape(*pixels.shape[:2], -1)


# -- from pixels to ink ----------------------------------------------------------------------------


def _find_marks(photo: Mark, invert: bool | Literal["auto"]) -> Mark:
    """How much of the paper's light is missing at every pixel: 0 is paper, and 1 is black."""
    from scipy import ndimage

    if invert is False or (invert == "auto" and _is_light_on_dark(photo)):
        photo = 1 - photo
    smooth = ndimage.gaussian_filter(photo, (1, 1, 0))
    window = round(_WIDEST_STROKE * min(photo.shape[:2]))
    paper = ndimage.grey_closing(smooth, size=(window, window, 1))
    missing = 1 - smooth / np.maximum(paper, 0.02)
    # the closing follows the lightest grain; a quarter of the picture, at least, is paper
    missing -= np.percentile(missing, 25, axis=(0, 1)).astype(np.float32)
    # in the colour in which the picture differs most from its paper: the first component
    pixels = missing.reshape(-1, missing.shape[2])
    colour = np.linalg.eigh(pixels.T @ pixels)[1][:, -1]
    colour *= np.sign(colour.sum()) / max(np.abs(colour).sum(), 1e-6)
    mark: Mark = missing @ colour.astype(np.float32)
    return mark


def _is_light_on_dark(photo: Mark) -> bool:
    """Whether what stands out from the median around it is lighter, most of all in the middle."""
    from scipy import ndimage

    step = max(1, min(photo.shape[:2]) // 24)
    small = ndimage.uniform_filter(photo.mean(axis=2), step)[step // 2 :: step, step // 2 :: step]
    middle = np.outer(*(np.hanning(side + 2)[1:-1] for side in small.shape))
    lighter = darker = 0.0
    for share in (4, 2):  # thin strokes stand out from little, thick ones from half the picture
        mark = small - ndimage.median_filter(small, size=max(3, min(small.shape) // share))
        lighter += float(middle.ravel() @ mark.ravel().clip(min=0) ** 3)
        darker -= float(middle.ravel() @ mark.ravel().clip(max=0) ** 3)
    return lighter > 2 * darker  # in doubt, as most pictures are


def _without_lines(mark: Mark) -> Mark:
    """The marks without the lines that cross the whole picture, from left to right or downward."""
    return _without_rows(_without_rows(mark).T).T


def _without_rows(mark: Mark, block: int = 8) -> Mark:
    """The marks less what a row has from end to end; rows have the slope where this is most."""
    from scipy import ndimage

    height, width = mark.shape
    n_blocks = max(1, width // block)
    blocks = mark[:, : n_blocks * block].reshape(height, n_blocks, -1).mean(axis=2)
    x = np.linspace(-width / 2, width / 2, 2 * n_blocks + 1)[1::2]
    margin = max(1, n_blocks // 16)
    y = np.arange(height)[:, None]
    strongest, slope, lines = -1.0, 0.0, np.zeros(height)
    for candidate in _SLOPES:
        rows = np.clip(y + np.rint(candidate * x).astype(int), 0, height - 1)
        along = np.take_along_axis(blocks, rows, axis=0)
        # a quarter may be hidden, and one end: a bar of the digit is shorter
        shared = np.partition(along, n_blocks // 4, axis=1)[:, n_blocks // 4]
        ends = np.maximum(along[:, :margin].mean(axis=1), along[:, -margin:].mean(axis=1))
        shared = np.minimum(shared, ends).clip(min=0)
        if (strength := float(shared @ shared)) > strongest:
            strongest, slope, lines = strength, candidate, shared
    lines -= ndimage.grey_opening(lines, _WIDEST_LINE)  # what is wider is a table or a shadow
    rows = y - np.rint(slope * (np.arange(width) - width / 2)).astype(int)
    return mark - lines[rows.clip(0, height - 1)].astype(np.float32)


# -- from ink to digits ----------------------------------------------------------------------------


def _find_digits(mark: Mark, widest_cut: float) -> list[Mask]:
    """The ink of each digit in the picture, in reading order."""
    threshold = _find_threshold(mark, widest_cut)
    if threshold is None:
        return []
    labels, mass = _pieces(mark, threshold, widest_cut)
    from scipy import ndimage

    boxes = ndimage.find_objects(labels)
    for label, box in enumerate(boxes, start=1):
        if _side(box) < _SMALLEST_DIGIT // 4 or _is_frame(labels[box] == label):
            mass[label] = 0
    areas = np.bincount(labels.ravel())
    largest = _side(boxes[mass.argmax() - 1])
    if largest < _SMALLEST_DIGIT or not mass.any():
        return []
    groups: list[tuple[Box, list[int]]] = []
    for label in np.argsort(-mass):
        box = boxes[label - 1] if mass[label] > 0 else None
        if box is None or _side(box) < 0.1 * largest:
            continue
        if _is_at_edge(box, labels.shape) and not 0.5 < _side(box) / largest < 2:
            continue  # the corner of a shadow, or a thumb
        # a fragment of a stroke is long and thin, a speck of dust is not
        if _side(box) < 0.2 * largest and areas[label] > 0.5 * _side(box) ** 2:
            continue
        groups.append((box, [label]))
    groups = _joined(groups[:100])
    groups = [group for group in groups if not _is_lying(group[0])] or groups
    tallest = max(_side(box) for box, _ in groups)
    groups = [group for group in groups if _side(group[0]) > 0.5 * tallest]
    return [np.isin(labels, members) for _, members in _in_reading_order(groups)]


def _in_reading_order(groups: list[tuple[Box, list[int]]]) -> list[tuple[Box, list[int]]]:
    """From left to right, line by line: the middle of a digit is beside another of its line."""
    lines: list[list[tuple[Box, list[int]]]] = []
    for group in sorted(groups, key=lambda group: group[0][0].start):
        middle = (group[0][0].start + group[0][0].stop) / 2
        for line in lines:
            if any(box[0].start <= middle <= box[0].stop for box, _ in line):
                line.append(group)
                break
        else:
            lines.append([group])
    return [group for line in lines for group in sorted(line, key=lambda one: one[0][1].start)]


def _find_threshold(mark: Mark, widest_cut: float) -> float | None:
    """The threshold at which the most ink hangs together; a higher one if it loses little."""
    height, width = (side // 2 for side in mark.shape)
    half = mark[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))
    # of paper, to which the lightest quarter belongs; a normal distribution has this spread
    lightest, light = np.percentile(half, (5, 25))
    faintest = max(_FAINTEST_INK, _SIGMAS * float(light - lightest) / 0.97)
    best, most, threshold = None, 0.0, 0.5 * float(half.max())
    while threshold > faintest:
        ink = _pieces(half, threshold, widest_cut)[1].max() * threshold**0.4
        if ink > most:
            best, most = threshold, ink
        threshold *= 0.7
    return best


def _pieces(mark: Mark, threshold: float, widest_cut: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """The connected pieces of what is darker, and the ink in each: none in strips at an edge."""
    from scipy import ndimage

    labels, n_pieces = ndimage.label(mark > threshold, np.ones((3, 3)))
    mass: NDArray[Any] = np.bincount(labels.ravel(), mark.ravel(), n_pieces + 1)
    mass[0] = 0
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching = np.bincount(side, minlength=n_pieces + 1)
        mass[touching > 0] *= _AT_EDGE
        mass[touching > widest_cut * len(side)] = 0
    return labels, mass


def _is_frame(piece: Mask) -> bool:
    """Whether ink runs along all sides of its box, as around a field of a form; a 0 is rounder."""
    band = max(1, round(0.08 * min(piece.shape)))
    sides = (piece[:band], piece[-band:], piece[:, :band].T, piece[:, -band:].T)
    return piece.mean() < 0.5 and all(side.any(axis=0).mean() > 0.8 for side in sides)


def _joined(groups: list[tuple[Box, list[int]]]) -> list[tuple[Box, list[int]]]:
    """The pieces that belong to one digit, put together until no more do."""
    for i, (box, members) in enumerate(groups):
        for j, (other, others) in enumerate(groups[:i]):
            if _belong(box, other):
                both = tuple(
                    slice(min(a.start, b.start), max(a.stop, b.stop))
                    for a, b in zip(box, other, strict=True)
                )
                rest = [group for k, group in enumerate(groups) if k not in (i, j)]
                return _joined([*rest, (cast("Box", both), members + others)])
    return groups


def _belong(box: Box, other: Box) -> bool:
    """Whether two pieces are near, and one above the other or much smaller than it."""
    down, across = (
        max(a.start, b.start) - min(a.stop, b.stop) for a, b in zip(box, other, strict=True)
    )
    small, large = sorted((box, other), key=_side)
    near = 0.3 * _side(large)
    width = min(piece[1].stop - piece[1].start for piece in (box, other))
    is_above = -across > 0.3 * width
    return max(down, across) < near and (is_above or _side(small) < 0.6 * _side(large))


def _is_at_edge(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a piece with this box touches the edge of a picture of this shape."""
    return any(part.start == 0 or part.stop == side for part, side in zip(box, shape, strict=True))


def _is_lying(box: Box) -> bool:
    """Whether ink is so much wider than it is high that it is no digit."""
    down, across = (part.stop - part.start for part in box)
    return across > 2.5 * down


def _side(box: Box) -> int:
    return max(part.stop - part.start for part in box)


def _edge(pixels: NDArray[Any]) -> NDArray[Any]:
    """The pixels along the four sides."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _ink(mark: Mark, digit: Mask) -> NDArray[np.uint8]:
    """One digit alone, cropped; if its strokes are thinner than MNIST's, they are drawn again."""
    from scipy import ndimage

    box = ndimage.find_objects(digit.astype(np.int8))[0]
    pen = _PEN * _side(box) / 20
    margin = max(3, round(pen))
    mask = np.pad(digit[box], margin)
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    depth = np.where(mask, inside - 0.5, 0.5 - outside)  # of pixels' centres below the ink's edge
    width = 4 * float(depth[mask].mean())  # in a stroke, depths go from 0 to half its width
    if width < pen:
        ink = depth + (pen - width) / 2 + 0.5
    else:
        around = tuple(slice(part.start, part.stop + 2 * margin) for part in box)
        strength = np.pad(mark, margin)[around] / np.percentile(mark[digit], 90)
        ink = np.where(depth > -3, strength, 0)
    return np.rint(255 * np.clip(ink, 0, 1)).astype(np.uint8)


# -- the frame -------------------------------------------------------------------------------------


def lay_into_frame(ink: NDArray[np.uint8], frame: int = 28) -> NDArray[np.uint8]:
    """Crop one digit to its ink and place it in a square frame, as MNIST's digits were.

    Those were scaled to fit a 20×20 box, keeping their proportions, and centred by mass in 28×28:
    all 70,000 within half a pixel of row and column 14, counted from 0.

    ``ink`` has shape (height, width), 0 is paper; ``frame`` is the height and width of the result.
    """
    framed = np.zeros((frame, frame), dtype=np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) == 0:
        return framed
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 20 / 28 * frame / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    resized = _resampling(digit.shape[0], height) @ digit @ _resampling(digit.shape[1], width).T
    resized = np.rint(resized)
    mass = np.array([_centre(resized.sum(axis=1)), _centre(resized.sum(axis=0))])
    room = np.array([frame - height, frame - width])
    top, left = np.clip(np.rint(frame // 2 - mass).astype(int), 0, room)
    framed[top : top + height, left : left + width] = resized
    return framed


def _centre(profile: NDArray[np.float64]) -> float:
    """The centre of mass of a sequence of weights, counted from 0."""
    return float(profile @ np.arange(len(profile)) / max(profile.sum(), 1))


@functools.lru_cache(maxsize=64)
def _resampling(n_from: int, n_to: int) -> NDArray[np.float64]:
    """The (n_to, n_from) matrix that resamples a line of pixels; its rows sum to 1.

    Each new pixel is the weighted mean of the old ones under a triangle whose half-width is the
    larger of the two pixel sizes: enlarging interpolates linearly, shrinking averages.
    """
    width = max(1.0, n_from / n_to)
    position = (np.arange(n_to) + 0.5) * n_from / n_to - 0.5
    distance = np.abs(position[:, None] - np.arange(n_from)) / width
    weights = np.maximum(0.0, 1.0 - distance)
    normalized: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normalized
