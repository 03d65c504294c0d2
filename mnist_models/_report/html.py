"""The HTML page: styles, script, numbers and images in one file that fetches nothing."""

import base64
import hashlib
import math
from collections.abc import Callable, Iterable
from typing import Any

from mnist_models._report.charts import fold_axis, learning_charts
from mnist_models._report.digits import Block, pack
from mnist_models._report.page import Digits, Page
from mnist_models._report.sprites import COLUMNS
from mnist_models._report.text import legible, mean, percent, seconds

LARGEST = 2_900_000  # bytes of the whole page, for any number of rows
_HEATS = 20


def render(page: Page, blocks: Iterable[Digits], image_shape: tuple[int, int] | None) -> str:
    """The page as HTML.

    Parameters
    ----------
    page : Page
        All of the page but the digits.
    blocks : iterable of Digits
        The digits, the most important first; as many as fit are taken.
    image_shape : tuple (height, width) of int, or None
        Of the digits' images; None if there are none.

    Returns
    -------
    str
        At most ``LARGEST`` bytes in UTF-8, unless the tables of hundreds of classes alone are more.
    """
    environment = _make_environment()
    template = environment.get_template("report.html")
    assets = {name: _asset(environment, f"report.{name}") for name in ("css", "js")}

    def fill(packed: list[Block]) -> str:
        n_packed = sum(block["count"] for block in packed)
        page_text = template.render(
            page=page,
            **assets,
            hashes={name: _csp_hash(text) for name, text in assets.items()},
            axis=fold_axis(page.models),
            charts=[learning_charts(model.histories) for model in page.models],
            n_packed=n_packed,
            data={
                "labels": [legible(label) for label in page.labels],
                "models": [legible(model.name) for model in page.models],
                "image": image_shape and {"shape": image_shape, "columns": COLUMNS},
                "complete": n_packed == page.n_reported,
                "blocks": packed,
            },
        )
        return legible(page_text)

    return fill(pack(blocks, LARGEST - len(fill([]).encode())))


def _make_environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mnist_models._report"),
        autoescape=True,  # names of models and classes may be any text
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "heat": _heat,
        "percent": percent,
        "seconds": seconds,
        "mean": mean,
        "bytes": _bytes,
        "zip": zip,
        "is_finite": math.isfinite,
    }
    environment.filters.update(filters)
    return environment


def _asset(environment: Any, name: str) -> Any:
    """A style sheet or script beside the template, not escaped: it is ours, and has no data."""
    import markupsafe

    source, _, _ = environment.loader.get_source(environment, name)
    return markupsafe.Markup(source)


def _csp_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _heat(share: float, most: float) -> int:
    """The shade of a cell from 0 to 20, in proportion to ``most``; 0 for exactly 0 only.

    Examples
    --------
    >>> _heat(0.0, 0.04), _heat(0.0001, 0.04), _heat(0.02, 0.04), _heat(0.04, 0.04)
    (0, 1, 10, 20)
    """
    return max(1, round(_HEATS * share / most)) if share else 0


def _bytes(value: int) -> str:
    """A size in bytes with a decimal prefix and two digits or three.

    Examples
    --------
    >>> _bytes(450), _bytes(45_001), _bytes(23_154_063)
    ('450 B', '45 kB', '23 MB')
    """
    power = 0
    while value / 1000**power >= 999.5 and power < 3:
        power += 1
    scaled, unit = value / 1000**power, ("B", "kB", "MB", "GB")[power]
    return f"{scaled:.0f} {unit}" if scaled >= 9.5 or power == 0 else f"{scaled:.1f} {unit}"
