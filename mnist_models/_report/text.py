"""Tables for terminals and for Markdown, and how scores, shares and durations are written."""

import math
from collections.abc import Sequence
from statistics import fmean, pstdev

Row = Sequence[str]


def text_table(header: Row, rows: Sequence[Row]) -> str:
    """Columns separated by two spaces, the first aligned left, the others right.

    Examples
    --------
    >>> print(text_table(["model", "accuracy"], [["forest", "0.97"], ["network", "0.95"]]))
    model    accuracy
    forest       0.97
    network      0.95
    """
    lines = [[legible(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(_text_line(line, widths) for line in lines)


def markdown_table(header: Row, rows: Sequence[Row]) -> str:
    """A Markdown table, its first column aligned left, the others right, its cells escaped.

    Examples
    --------
    >>> print(markdown_table(["model", "accuracy"], [["a|b", "0.97"]]))
    | model | accuracy |
    | :--- | ---: |
    | a\\|b | 0.97 |
    """
    rule = [":---", *["---:"] * (len(header) - 1)]
    head, *body = [[escaped(cell) for cell in row] for row in [header, *rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body])


def escaped(words: str) -> str:
    """Text on one line that Markdown shows literally."""
    words = legible(words)
    for mark in "\\|`*_<>[]":
        words = words.replace(mark, f"\\{mark}")
    return " ".join(words.split())


def _text_line(cells: Row, widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(aligned).rstrip()


def legible(words: str) -> str:
    r"""Text that can be encoded: lone surrogates, which cannot, are escaped.

    Examples
    --------
    >>> legible("a\ud800")
    'a\\ud800'
    """
    return words.encode(errors="backslashreplace").decode()


def confusion_rows(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[list[str]]:
    """The rows of a confusion matrix as cells: the true label, then the counts, with · for 0."""
    return [
        [label, *(str(count) if count else "·" for count in row)]
        for label, row in zip(labels, counts, strict=True)
    ]


def mean_and_std(values: Sequence[float]) -> str:
    """Mean and standard deviation of the folds' scores, or how many folds have none.

    Examples
    --------
    >>> mean_and_std([0.9, 0.8]), mean_and_std([0.9, float("nan")])
    ('0.8500 ± 0.0500', 'missing in 1 of 2 folds')
    """
    words = mean(values)
    return f"{words} ± {pstdev(values):.4f}" if all(map(math.isfinite, values)) else words


def mean(values: Sequence[float]) -> str:
    """The mean of the folds' scores, or how many folds have none."""
    missing = sum(not math.isfinite(value) for value in values)
    return f"missing in {missing} of {len(values)} folds" if missing else f"{fmean(values):.4f}"


def percent(share: float, decimals: int = 0) -> str:
    """A share in percent; "100 %" and "0 %" stand for exactly all and none only.

    Parameters
    ----------
    share : float
        From 0 to 1.
    decimals : int, default=0

    Examples
    --------
    >>> percent(0.123), percent(0.002), percent(0.998), percent(1)
    ('12 %', '<1 %', '>99 %', '100 %')
    >>> percent(1 / 3, decimals=1), percent(0.9996, decimals=1), percent(0.0, decimals=1)
    ('33.3 %', '>99.9 %', '0 %')
    """
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    rounded, step = round(100 * share, decimals), 10**-decimals
    if rounded == 0:
        return f"<{step:g} %"
    return f">{100 - step:g} %" if rounded == 100 else f"{rounded:.{decimals}f} %"


def seconds(value: float) -> str:
    """A duration in s, ms or µs, with at least two significant digits.

    Examples
    --------
    >>> seconds(0.0000123), seconds(0.00456), seconds(0.12345), seconds(1.53), seconds(125.0)
    ('12 µs', '4.6 ms', '123 ms', '1.5 s', '125 s')
    """
    unit = "s"
    for smaller in ("ms", "µs"):
        if value < 0.9995:  # from there on it reads as 1
            value, unit = 1000 * value, smaller
    return f"{value:.0f} {unit}" if value >= 9.5 else f"{value:.1f} {unit}"
