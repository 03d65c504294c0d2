"""What a test found, in plain words. Two models are never called equal: a test cannot show that."""

import math
import textwrap
from collections.abc import Sequence

from mnist_models._report.text import legible

WIDTH = 79


def verdict(
    names: tuple[str, str],
    where: str,
    difference: float,
    interval: tuple[float, float] | None,
    level: float,
    p_value: float,
    *,
    in_points: bool,
    n_tests: int,
) -> str:
    """One sentence on two models.

    Parameters
    ----------
    names : tuple of str
        The first and the second model.
    where : str
        What they were compared on.
    difference : float
        The first's score less the second's.
    interval : tuple of float or None
        Of the difference; None if it is not known.
    level : float
        Of the interval; a p-value below 1 - level is a difference shown.
    p_value : float
        Corrected for the number of tests.
    in_points : bool
        Whether the scores are shares, whose differences are told in percentage points.
    n_tests : int
        How many tests it was corrected for.

    Examples
    --------
    >>> names, interval = ("forest", "logistic"), (0.046, 0.058)
    >>> where = "on the test set"
    >>> found = verdict(names, where, 0.052, interval, 0.95, 3e-4, in_points=True, n_tests=3)
    >>> print(wrapped([found]))
    forest is better than logistic by 5.2 points on the test set, 95 % interval 4.6
      to 5.8 (Holm-corrected p = 0.0003)
    """
    if difference < 0:
        names, difference = (names[1], names[0]), -difference
        interval = None if interval is None else (-interval[1], -interval[0])
    better, worse = names
    decimals = _decimals(interval, in_points)
    amount = _number(difference, decimals, in_points) + (" points" if in_points else "")
    apart = f"they are {amount} apart" if difference == 0 else f"{better} is ahead by {amount}"
    not_shown = f"no difference shown between {better} and {worse} {where}: {apart}"
    if interval is None:
        return f"{not_shown}, and nothing there tells how much of that is chance"
    low, high = (_number(end, decimals, in_points) for end in interval)
    holm = "Holm-corrected " if n_tests > 1 else ""
    surely = f"{100 * level:g} % interval {low} to {high} ({holm}p {_p_value(p_value)})"
    if p_value < 1 - level:
        return f"{better} is better than {worse} by {amount} {where}, {surely}"
    return f"{not_shown}, {surely}"


def wrapped(sentences: Sequence[str]) -> str:
    """Sentences for a terminal of 80 columns, each on lines of its own."""
    return "\n".join(
        textwrap.fill(legible(each), WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        for each in sentences
    )


def _decimals(interval: tuple[float, float] | None, in_points: bool) -> int:
    """As many as show the width of the interval with two digits."""
    if interval is None:
        return 1 if in_points else 4
    width = (interval[1] - interval[0]) * (100 if in_points else 1)
    return max(1, 1 - math.floor(math.log10(width)))


def _number(value: float, decimals: int, in_points: bool) -> str:
    # plus 0: what is rounded to -0.0 is written 0.0
    return f"{round(value * (100 if in_points else 1), decimals) + 0.0:.{decimals}f}"


def _p_value(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"= {value:.2g}"
