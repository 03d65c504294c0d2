"""Photographs of one digit, drawn for the tests: what people bring, under the light they have.

A digit comes as ink on a transparent sheet: printed in a font, drawn with a pen, or one of MNIST's
enlarged. ``photo`` turns it by up to 10 degrees, puts it anywhere on paper of any size, and takes
its picture under one of ``CONDITIONS``.
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Ink = NDArray[Any]  # (height, width), from 0 to 1
Photo = NDArray[np.uint8]  # (height, width, 3)

_GLYPH = 256  # pixels that a digit is high before it is put on paper
_FONTS = ["DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "STIXGeneral", "DejaVuSerif"]

# Red, green and blue, of paper and of ink; how much the ink of printed lines takes from each.
_PAPERS = [(1, 0.95, 0.6), (1, 0.8, 0.85), (0.7, 0.85, 1), (0.75, 1, 0.75)]
_PENS = [(0.1, 0.15, 0.55), (0.6, 0.1, 0.1), (0.1, 0.1, 0.1)]
_PRINTS = [(1, 0.7, 0.4), (0.5, 1, 1), (1, 1, 1)]

# Pen strokes through points (x, y) in a box of height 1; a curve runs smoothly through its points.
_STROKES: dict[int, list[list[tuple[float, float]]]] = {
    0: [[(0.3, 0.0), (0.08, 0.25), (0.05, 0.6), (0.3, 1.0), (0.55, 0.65), (0.52, 0.25), (0.3, 0)]],
    1: [[(0.16, 0.16), (0.3, 0.0)], [(0.3, 0.0), (0.28, 1.0)]],
    2: [
        [(0.05, 0.2), (0.25, 0.0), (0.52, 0.2), (0.35, 0.6), (0.02, 0.98)],
        [(0.02, 0.98), (0.6, 1)],
    ],
    3: [
        [(0.05, 0.1), (0.35, 0.0), (0.5, 0.2), (0.2, 0.45)],
        [(0.2, 0.45), (0.55, 0.65), (0.4, 0.97), (0.02, 0.9)],
    ],
    4: [[(0.3, 0.0), (0.02, 0.62)], [(0.02, 0.62), (0.6, 0.6)], [(0.45, 0.25), (0.42, 1.0)]],
    5: [
        [(0.1, 0.02), (0.08, 0.42)],
        [(0.08, 0.42), (0.4, 0.4), (0.52, 0.7), (0.3, 1.0), (0.02, 0.9)],
        [(0.1, 0.02), (0.52, 0.0)],
    ],
    6: [[(0.42, 0.0), (0.15, 0.3), (0.05, 0.7), (0.3, 1.0), (0.5, 0.75), (0.3, 0.52), (0.08, 0.7)]],
    7: [[(0.02, 0.03), (0.56, 0.0)], [(0.56, 0.0), (0.3, 0.5), (0.2, 1.0)]],
    8: [
        [(0.3, 0.46), (0.08, 0.2), (0.3, 0.0), (0.5, 0.2), (0.3, 0.46)],
        [(0.3, 0.46), (0.05, 0.75), (0.3, 1.0), (0.55, 0.75), (0.3, 0.46)],
    ],
    9: [[(0.5, 0.2), (0.25, 0.0), (0.05, 0.25), (0.25, 0.45), (0.5, 0.22)], [(0.5, 0.2), (0.4, 1)]],
}


# -- ink -------------------------------------------------------------------------------------------


def printed(digit: int, rng: np.random.Generator, name: str | None = None) -> Ink:
    """A digit in one of the fonts that matplotlib ships."""
    from matplotlib import get_data_path

    name = rng.choice(_FONTS) if name is None else name
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}.ttf", _GLYPH)
    sheet = Image.new("L", (2 * _GLYPH, 2 * _GLYPH))
    ImageDraw.Draw(sheet).text((_GLYPH // 2, _GLYPH // 4), str(digit), 255, font)
    return np.asarray(sheet.crop(sheet.getbbox())) / 255


def drawn(digit: int, rng: np.random.Generator, pen: float | None = None) -> Ink:
    """A digit drawn by an unsteady hand; ``pen`` is its width, as a share of the digit's height."""
    from scipy.interpolate import PchipInterpolator

    width = _GLYPH * (rng.uniform(0.07, 0.13) if pen is None else pen)
    sheet = Image.new("L", (2 * _GLYPH, 2 * _GLYPH))
    draw = ImageDraw.Draw(sheet)
    slant, stretch = rng.uniform(-0.1, 0.25), rng.uniform(0.85, 1.3)
    moved: dict[tuple[float, float], NDArray[Any]] = {}  # strokes that meet in a point still do
    for stroke in _STROKES[digit]:
        for point in stroke:
            moved.setdefault(point, np.array(point) + rng.normal(0, 0.018, 2))
        points = np.array([moved[point] for point in stroke])
        time = np.arange(len(points))
        fine = PchipInterpolator(time, points)(np.linspace(0, time[-1], 80))
        if len(points) > 2:
            fine = ndimage.gaussian_filter1d(fine, 4, axis=0, mode="nearest")
        x = _GLYPH * (0.5 + stretch * fine[:, 0] + slant * (1 - fine[:, 1]))
        y = _GLYPH * (0.3 + fine[:, 1])
        for centre in zip(x, y, strict=True):
            draw.ellipse([c + d * width / 2 for d in (-1, 1) for c in centre], 255)
        draw.line(list(zip(x, y, strict=True)), 255, round(width))
    return np.asarray(sheet.crop(sheet.getbbox())) / 255


def enlarged(image: NDArray[np.uint8]) -> Ink:
    """One of MNIST's digits with smooth edges, cropped, at the height of the others."""
    box = ndimage.find_objects(np.int8(image > 40))[0]
    digit = Image.fromarray(np.pad(image[box], 1))
    scale = _GLYPH / digit.height
    large = digit.resize((round(digit.width * scale), _GLYPH), Image.Resampling.BICUBIC)
    return np.clip((np.asarray(large) / 255 - 0.35) / 0.3, 0, 1)


def _with_pen(ink: Ink, change: float) -> Ink:
    """The same ink with strokes wider (or, below 0, narrower) by a share of its height."""
    ink = np.pad(ink, _GLYPH // 10)
    size = 2 * round(abs(change) * len(ink) / 2) + 1
    grow = ndimage.grey_dilation if change > 0 else ndimage.grey_erosion
    disk = np.hypot(*np.ogrid[-size // 2 + 1 : size // 2 + 1, -size // 2 + 1 : size // 2 + 1])
    return grow(ink, footprint=disk <= size / 2)


# -- paper and light -------------------------------------------------------------------------------


def _place(ink: Ink, shape: tuple[int, int], rng: np.random.Generator) -> Ink:
    """The ink turned and put somewhere on a sheet."""
    sheet = Image.fromarray(np.uint8(255 * np.pad(ink, 4)))
    sheet = sheet.rotate(rng.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True)
    sheet = sheet.crop(sheet.getbbox())
    height = max(26, rng.uniform(0.25, 0.75) * min(shape))
    scale = min(height / sheet.height, 0.85 * min(shape) / max(sheet.size))
    sheet = sheet.resize([max(1, round(side * scale)) for side in sheet.size])
    room = np.array(shape) - sheet.size[::-1]
    top, left = (room * rng.uniform(0.12, 0.88, 2)).astype(int)
    placed = np.zeros(shape, dtype=np.float32)
    placed[top : top + sheet.height, left : left + sheet.width] = np.asarray(sheet) / 255
    return placed


def _shadow(shape: tuple[int, int], rng: np.random.Generator) -> Ink:
    """Light from 0 to 1: darker by 25 to 45 % beyond an edge that is soft or rather sharp."""
    rows, columns = np.ogrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    across = np.cos(angle) * (columns - rng.uniform(0.3, 0.7))
    across = across + np.sin(angle) * (rows - rng.uniform(0.3, 0.7))
    soft = np.exp(rng.uniform(np.log(0.01), np.log(0.3)))
    return 1 - rng.uniform(0.25, 0.45) / (1 + np.exp(-across / (soft / 4)))


def _lines(shape: tuple[int, int], rng: np.random.Generator, *, squared: bool = False) -> Ink:
    """Lines printed on the paper, turned by up to 3 degrees: 0 between them, up to 0.25 on them."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    angle = np.radians(rng.uniform(-3, 3))
    side = min(shape)
    spacing = max(8, rng.uniform(0.05 if squared else 0.08, 0.2) * side)
    width = max(1.0, rng.uniform(0.003, 0.008) * side)
    start = rng.uniform(0, spacing)
    down = rows * np.cos(angle) + columns * np.sin(angle)
    across = columns * np.cos(angle) - rows * np.sin(angle)
    lines = np.zeros(shape)
    for position in (down, across)[: 1 + squared]:
        distance = np.abs((position + start) % spacing - spacing / 2)
        lines = np.maximum(lines, np.clip(width / 2 + 0.5 - distance, 0, 1))
    return lines * rng.uniform(0.1, 0.25)


def _strip(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The table beside the paper, along one edge and not quite parallel to it."""
    mask = np.zeros(shape, dtype=bool)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    slope = rng.uniform(-0.03, 0.03)
    mask |= rows + slope * columns < rng.uniform(0.03, 0.1) * shape[0]
    turned: NDArray[np.bool_] = [mask, mask[::-1], mask[:, ::-1]][rng.integers(3)]
    if rng.integers(2):
        beside = rng.uniform(0.03, 0.1) * shape[1]
        turned = np.broadcast_to(columns + slope * rows < beside, shape)
        turned = turned[:, :: rng.choice([-1, 1])]
    return turned


def _specks(shape: tuple[int, int], rng: np.random.Generator) -> Ink:
    """One to ten specks of dust."""
    dust = np.zeros(shape)
    for _ in range(rng.integers(1, 11)):
        size = max(1, round(rng.uniform(0.008, 0.02) * min(shape)))
        top, left = (rng.integers(0, side - size) for side in shape)
        dust[top : top + size, left : left + size] = rng.uniform(0.5, 1)
    return dust


def _compressed(photo: Photo, quality: int) -> Photo:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


# How much wider than a usual pen, as a share of the digit's height.
_PEN_WIDTHS = {"felt pen": (0.03, 0.06), "ballpoint": (-0.045, -0.03)}

CONDITIONS = (
    *("clean", "noise", "shadow", "lines", "squared", "strip", "shadow and lines", "specks"),
    *("blur", "jpeg", "pencil", "felt pen", "ballpoint", "chalk", "coloured", "all at once"),
)


def photo(ink: Ink, condition: str, rng: np.random.Generator, most: int = 3000) -> Photo:
    """The picture of a digit's ink; its shorter side has from 60 to ``most`` pixels."""
    every = condition == "all at once"
    side = np.exp(rng.uniform(np.log(60), np.log(most)))
    shape = (round(side), round(side * rng.uniform(1, 1.4)))[:: rng.choice([-1, 1])]
    if condition in _PEN_WIDTHS:
        ink = _with_pen(ink, rng.uniform(*_PEN_WIDTHS[condition]))
    mark = _place(ink, shape, rng)
    strength = 0.2 if condition == "pencil" else 0.7
    if condition in ("pencil", "chalk"):  # which the grain of the paper or board interrupts
        mark = mark * np.clip(rng.normal(0.85, 0.2, shape), 0, 1)
    if condition == "specks" or every:
        mark = np.maximum(mark, _specks(shape, rng))
    paper = np.full((*shape, 3), rng.uniform(0.85, 0.98) * rng.uniform(0.97, 1, 3), np.float32)
    pen = 1 - rng.uniform(0.8, 1.3) * strength * rng.uniform(0.9, 1, 3)  # the light it lets through
    if condition == "chalk":
        paper = np.full((*shape, 3), rng.uniform(0.1, 0.3) * rng.uniform(0.8, 1.2, 3), np.float32)
        pen = rng.uniform(0.75, 0.95) / paper[0, 0]
    if condition in ("coloured", "blur") or every:
        paper *= _PAPERS[rng.integers(4)]
        pen = np.array(_PENS[rng.integers(3)])
    if "lines" in condition or condition == "squared" or every:
        lines = _lines(shape, rng, squared=condition == "squared")
        paper *= 1 - lines[..., None] * _PRINTS[rng.integers(3)]
    scene = paper * (1 + mark[..., None] * (pen - 1))
    if condition == "strip" or every:
        scene[_strip(shape, rng)] = rng.uniform(0.1, 0.5) * rng.uniform(0.7, 1, 3)
    if "shadow" in condition or every:
        scene *= _shadow(shape, rng)[..., None]
    blur = {"clean": 0, "blur": rng.uniform(0.006, 0.015) * side}.get(condition, 0.5)
    scene = ndimage.gaussian_filter(scene, (blur, blur, 0))
    noise = {"clean": 0, "noise": rng.uniform(0.03, 0.06)}.get(condition, 0.015)
    if noise:
        scene += noise * rng.standard_normal(scene.shape, dtype=np.float32)
    picture = np.rint(255 * np.clip(scene, 0, 1)).astype(np.uint8)
    quality = {"jpeg": 15, "all at once": 60}.get(condition)
    return picture if quality is None else _compressed(picture, quality)
