"""The digits of a page, packed into blocks, as many as there is room for."""

import base64
import json
import zlib
from collections.abc import Iterable
from typing import TypedDict

from mnist_models._report.page import Digits
from mnist_models._report.sprites import sprite_sheet


class Block(TypedDict):
    """Some hundred digits: their labels, predictions and images, in base64."""

    count: int
    numbers: str
    sheet: str | None


def pack(blocks: Iterable[Digits], room: int) -> list[Block]:
    """Pack blocks in the order given, until the next one would not fit.

    Parameters
    ----------
    blocks : iterable of Digits
        The most important first. Only as many are consumed as fit, and one more.
    room : int
        How many bytes of the page they may take.

    Returns
    -------
    list of Block
    """
    packed = []
    for digits in blocks:
        block = _pack_block(digits)
        room -= len(block["numbers"]) + len(block["sheet"] or "") + 100  # for the names of these
        if room < 0:
            break
        packed.append(block)
    return packed


def _pack_block(digits: Digits) -> Block:
    numbers = {
        "rows": digits.rows,
        "true": digits.true,
        "read": digits.read,
        "rank": digits.rank,
        "permille": digits.permille,
    }
    written = json.dumps(numbers, separators=(",", ":")).encode()
    return {
        "count": len(digits.rows),
        "numbers": _base64(zlib.compress(written, 9)),
        "sheet": None if digits.images is None else _base64(sprite_sheet(digits.images)),
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
