"""A gallery of digits, each with a caption."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from mnist_models._report.axes import SMALL, finish, new_axes, short
from mnist_models._report.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COLUMNS = 8
_DIGIT = 0.9  # side of a digit on a new figure in inches, the unit of the gaps and captions below
_SHORT = 3  # characters; longer labels have a line each, and more room
_GAP, _WIDE_GAP = 0.12, 0.9  # between digits in a row
_CAPTION, _HIGH_CAPTION = 0.5, 0.65  # height
_WIDTH = 21  # characters of a label


class Misread(NamedTuple):
    """A digit, its true and its predicted class, and the latter's probability, if known."""

    image: NDArray[Any]
    true: str
    predicted: str
    chance: float | None


def plot_gallery(digits: Sequence[Misread], title: str, ax: "Axes | None" = None) -> "Axes":
    """Draw digits in rows; below each, true → predicted, and the predicted class's probability.

    Parameters
    ----------
    digits : sequence of Misread
        In the order to show them; images of shape (height, width), from 0 (paper) to 1 (ink).
    title : str
        The title.
    ax : matplotlib.axes.Axes, default=None
        Where to draw. None: on a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    columns = min(max(4, math.ceil(math.sqrt(1.5 * len(digits)))), _MOST_COLUMNS)
    rows = max(1, math.ceil(len(digits) / columns))
    longest = max((len(label) for d in digits for label in (d.true, d.predicted)), default=0)
    gap, caption = (_GAP, _CAPTION) if longest <= _SHORT else (_WIDE_GAP, _HIGH_CAPTION)
    across, down = 1 + gap, 1 + caption
    if ax is None:
        ax = new_axes(_DIGIT * across * columns + 0.2, _DIGIT * down * rows + 0.7)
    for place, digit in enumerate(digits):
        row, column = divmod(place, columns)
        _draw(ax, digit, (column + 0.5) * across, row * down)
    ax.set(xlim=(0, columns * across), ylim=(rows * down, 0))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return finish(ax, title, "", "")


def _draw(ax: "Axes", digit: Misread, middle: float, top: float) -> None:
    """Draw ink on paper in a square of side 1, and the caption below."""
    height, width = (side / max(digit.image.shape) for side in digit.image.shape)
    x, y = middle - width / 2, top + (1 - height) / 2
    place = (x, x + width, y + height, y)
    ax.imshow(digit.image, cmap="gray_r", vmin=0, vmax=1, extent=place)
    chance = "" if digit.chance is None else f"\n{percent(digit.chance, 1)}"
    between = " → " if max(len(digit.true), len(digit.predicted)) <= _SHORT else "\n→ "
    caption = f"{short(digit.true, _WIDTH)}{between}{short(digit.predicted, _WIDTH)}{chance}"
    ax.text(middle, top + 1.04, caption, ha="center", va="top", fontsize=SMALL)
