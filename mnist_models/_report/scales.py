"""Axes with round ticks; positions are in percent, so that charts fit any width."""

import math
from collections.abc import Iterable
from typing import NamedTuple


class Scale(NamedTuple):
    """An axis from ``low`` to ``high``, with the values and names of its ticks."""

    low: float
    high: float
    ticks: list[tuple[float, str]]

    def place(self, value: float) -> float:
        """The position of a value in percent of the axis, to two decimals.

        Examples
        --------
        >>> make_scale([0, 10]).place(2.5)
        25.0
        """
        return round(100 * (value - self.low) / (self.high - self.low), 2)


def make_scale(values: Iterable[float], parts: int = 5) -> Scale:
    """An axis that covers all values, with round numbers for its ends and ticks.

    Parameters
    ----------
    values : iterable of float
        Finite, at least one.
    parts : int, default=5
        About how many intervals there are between ticks.

    Returns
    -------
    Scale

    Examples
    --------
    >>> [name for _, name in make_scale([0.912, 0.934]).ticks]
    ['0.910', '0.915', '0.920', '0.925', '0.930', '0.935']
    """
    values = list(values)
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all equal: widen the range
        spread = abs(low) / 100 or 1.0
        low, high = low - spread, high + spread
    step = _round_step((high - low) / parts)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = [(number * step, f"{number * step:.{places}f}") for number in range(first, last + 1)]
    return Scale(first * step, last * step, ticks)


def _round_step(rough: float) -> float:
    """The smallest number not below ``rough`` that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
