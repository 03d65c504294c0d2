"""Test results in plain words. No verdict calls two models equal: a test cannot show that."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence

from mnist_models._report.text import legible

WIDTH = 79
# spaces that do not break a line: those of "p = 0.003" and "95 %"
_INSIDE_A_FIGURE = re.compile(r"(?<=\bp) (?=[=<])|(?<=[=<]) (?=\d)|(?<=\d) (?=%)")

# the questions that the two tests answer
_HEADINGS = {
    "folds": "Which kind of model reads better, by the folds",
    "test": "Which of the fitted models reads better, by the test set",
}


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
    """One sentence on the difference between two models.

    Parameters
    ----------
    names : tuple of str
        The names of the first and the second model.
    where : str
        What they were compared on, such as "on the test set".
    difference : float
        The first's score minus the second's; NaN if one of them has none.
    interval : tuple of float or None
        Of the difference; None if it is unknown.
    level : float
        Of all intervals at once. A p-value below 1 - level shows a difference.
    p_value : float
        Corrected for the number of tests.
    in_points : bool
        Whether to give the difference in percentage points, because scores are shares.
    n_tests : int
        How many tests it was corrected for.

    Examples
    --------
    >>> names, interval = ("forest", "logistic"), (0.046, 0.058)
    >>> where = "on the test set"
    >>> print(verdict(names, where, 0.052, interval, 0.95, 3e-4, in_points=True, n_tests=3))
    forest is better than logistic by 5.2 points on the test set,
    simultaneous 95 % interval 4.6 to 5.8 (Holm-corrected p = 0.0003)
    """
    if not math.isfinite(difference):
        return f"nothing can be said of {names[0]} and {names[1]} {where}: a score is missing"
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
    limit = round(1 - level, 12)  # in floats, 1 - 0.95 is a little more than 0.05
    is_shown = p_value < limit
    said = f"{better} is better than {worse} by {amount} {where}" if is_shown else not_shown
    p = _p_value(p_value, limit)
    low, high = (_number(end, decimals, in_points) for end in interval)
    together, holm = ("simultaneous ", "Holm-corrected ") if n_tests > 1 else ("", "")
    surely = f"{together}{100 * level:g} % interval {low} to {high} ({holm}p {p})"
    return f"{said}, {surely}{_borderline(is_shown, interval[0])}"


def _borderline(is_shown: bool, low: float) -> str:
    """A remark where test and interval disagree, which they may do: they are two methods."""
    if is_shown == (low > 0):
        return ""
    sure, unsure = ("test", "interval") if is_shown else ("interval", "test")
    return f"; a borderline case: the {sure} tells them apart, the {unsure} does not"


def headed(verdicts: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The sentences under the headings that readers see.

    Parameters
    ----------
    verdicts : mapping of str to sequence of str
        Those on the folds under ``"folds"``, those on the test set under ``"test"``.
    """
    return {_HEADINGS[about]: sentences for about, sentences in verdicts.items()}


def listed(verdicts: Mapping[str, Sequence[str]]) -> str:
    """The sentences under their headings, wrapped for a terminal of 80 columns."""
    return "\n\n".join(
        "\n".join([f"{heading}:", *(_filled(legible(each)) for each in sentences)])
        for heading, sentences in headed(verdicts).items()
    )


def _filled(sentence: str) -> str:
    together = _INSIDE_A_FIGURE.sub("\0", sentence)  # spaces that fill() cannot break
    lines = textwrap.fill(
        together, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
    )
    return lines.replace("\0", " ")


def _decimals(interval: tuple[float, float] | None, in_points: bool) -> int:
    """Enough decimals for two digits of the interval's width and the sign of its lower end."""
    if interval is None:
        return 1 if in_points else 4
    scale = 100 if in_points else 1
    low, high = scale * interval[0], scale * interval[1]
    of_width = 1 - math.floor(math.log10(high - low))
    of_low = -math.floor(math.log10(abs(low))) if low else 0
    return max(1, of_width, of_low)


def _number(value: float, decimals: int, in_points: bool) -> str:
    # adding 0.0 turns -0.0 into 0.0
    return f"{round(value * (100 if in_points else 1), decimals) + 0.0:.{decimals}f}"


def _p_value(value: float, limit: float) -> str:
    """A p-value with two digits, or as many more as show on which side of the limit it is."""
    if value < 0.0001:
        return "< 0.0001"
    written = (f"{value:.{digits}g}" for digits in range(2, 18))
    return f"= {next(text for text in written if (float(text) < limit) == (value < limit))}"
