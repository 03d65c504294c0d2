"""Tables for terminals and for Markdown, and how scores, shares and durations are written."""

import math
from collections.abc import Sequence
from statistics import fmean, pstdev

Row = Sequence[str]


def text_table(header: Row, rows: Sequence[Row]) -> str:
    """Columns two blanks apart, the first flush left, the others flush right.

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
    """The same as a Markdown table, cells escaped.

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
    """Text that Markdown takes for no mark of its own, on one line."""
    words = legible(words)
    for mark in "\\|`*_<>[]":
        words = words.replace(mark, f"\\{mark}")
    return " ".join(words.split())


def _text_line(cells: Row, widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(aligned).rstrip()


def legible(words: str) -> str:
    r"""Text that any file takes: half of a surrogate pair, which none does, stands as its escape.

    Examples
    --------
    >>> legible("a\ud800")
    'a\\ud800'
    """
    return words.encode(errors="backslashreplace").decode()


def confusion_rows(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[list[str]]:
    """The rows of a confusion matrix as cells: the true label, then the counts, zeros as a dot."""
    return [
        [label, *(str(count) if count else "·" for count in row)]
        for label, row in zip(labels, counts, strict=True)
    ]


def mean_and_std(values: Sequence[float]) -> str:
    """Those of the folds' scores, or how many folds have none.

    Examples
    --------
    >>> mean_and_std([0.9, 0.8]), mean_and_std([0.9, float("nan")])
    ('0.8500 ± 0.0500', 'missing in 1 of 2 folds')
    """
    told = mean(values)
    return f"{told} ± {pstdev(values):.4f}" if all(map(math.isfinite, values)) else told


def mean(values: Sequence[float]) -> str:
    """That of the folds' scores, or how many folds have none."""
    missing = sum(not math.isfinite(value) for value in values)
    return f"missing in {missing} of {len(values)} folds" if missing else f"{fmean(values):.4f}"


def percent(share: float, decimals: int = 0) -> str:
    """A share in percent: "100 %" is all, "0 %" none, and what only rounds to these is not so told.

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
    """A duration in the unit that suits it, with two digits that mean something.

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
