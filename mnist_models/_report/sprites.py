"""Many small images in one PNG."""

import io

import numpy as np
from numpy.typing import NDArray

COLUMNS = 32
_LEVELS = 16  # four bits: more greys make no visible difference at this size


def sprite_sheet(images: NDArray[np.float32]) -> bytes:
    """Images in rows of 32, as a PNG with 16 greys: ink black, paper white.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
        From 0 (paper) to 1 (ink).

    Returns
    -------
    bytes
        A PNG; the rest of the last row is paper.
    """
    from PIL import Image

    n, height, width = images.shape
    columns = min(n, COLUMNS)
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height, width), dtype=np.uint8)
    cells[:n] = np.rint(images * (_LEVELS - 1))
    side_by_side = cells.reshape(rows, columns, height, width).swapaxes(1, 2)
    sheet = Image.fromarray(side_by_side.reshape(rows * height, columns * width))
    sheet.putpalette(
        [255 - round(255 * ink / (_LEVELS - 1)) for ink in range(_LEVELS) for _ in "RGB"]
    )
    file = io.BytesIO()
    sheet.save(file, "PNG", compress_level=8, bits=4)
    return file.getvalue()
