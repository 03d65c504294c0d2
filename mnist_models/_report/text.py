"""Tables for terminals and for Markdown."""

from collections.abc import Sequence

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
    lines = [header, *rows]
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
    for mark in "\\|`*_<>[]":
        words = words.replace(mark, f"\\{mark}")
    return " ".join(words.split())


def _text_line(cells: Row, widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(aligned).rstrip()


def confusion_rows(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[list[str]]:
    """The rows of a confusion matrix as cells: the true label, then the counts, zeros as a dot."""
    return [
        [label, *(str(count) if count else "·" for count in row)]
        for label, row in zip(labels, counts, strict=True)
    ]


def seconds(value: float) -> str:
    """A duration with two digits that mean something.

    Examples
    --------
    >>> seconds(0.00123), seconds(0.12345), seconds(12.345), seconds(125.0)
    ('0.0012 s', '0.12 s', '12 s', '125 s')
    """
    if value >= 9.5:
        return f"{value:.0f} s"
    return f"{value:.2g} s" if value >= 0.001 else f"{value:.0e} s"
