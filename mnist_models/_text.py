"""How results are written: tables, figures, verdicts, and plain data for JSON."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

Row = Sequence[str]

FORMAT = 2  # of to_dict and to_json; others are refused

# spaces that do not break a line: those of "p = 0.003" and "95 %"
_INSIDE_A_FIGURE = re.compile(r"(?<=\bp) (?=[=<])|(?<=[=<]) (?=\d)|(?<=\d) (?=%)")


def text_table(header: Row, rows: Sequence[Row]) -> str:
    """Columns separated by two spaces, the first aligned left, the others right.

    Examples
    --------
    >>> print(text_table(["model", "accuracy"], [["forest", "0.97"], ["network", "0.95"]]))
    model    accuracy
    forest       0.97
    network      0.95
    """
    columns = []
    for place, cells in enumerate(zip(header, *rows, strict=True)):
        words = [legible(cell) for cell in cells]
        width = max(map(len, words))
        columns.append([f"{word:{'>' if place else '<'}{width}}" for word in words])
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


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


def legible(words: str) -> str:
    """Text that can be encoded: lone surrogates, which cannot, are escaped."""
    return words.encode(errors="backslashreplace").decode()


def mean_and_std(values: Sequence[float]) -> str:
    """Mean and standard deviation of the folds' scores, or how many folds have none."""
    words = mean(values)
    return f"{words} ± {pstdev(values):.4f}" if all(map(math.isfinite, values)) else words


def mean(values: Sequence[float]) -> str:
    """The mean of the folds' scores, or how many folds have none."""
    missing = sum(not math.isfinite(value) for value in values)
    return f"missing in {missing} of {len(values)} folds" if missing else f"{fmean(values):.4f}"


def percent(share: float, decimals: int = 0) -> str:
    """A share in percent; "100 %" and "0 %" stand for exactly all and none only.

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


def in_thousand(share: float) -> str:
    """A share of 1,000 rows: whole, or with a decimal where it is small.

    Examples
    --------
    >>> in_thousand(0.0286), in_thousand(0.0013), in_thousand(0.00002)
    ('29', '1.3', '<0.1')
    """
    many = 1000 * share
    if many >= 9.5 or many == 0:
        return f"{many:.0f}"
    return f"{many:.1f}" if many >= 0.1 else "<0.1"


def listed(answers: Mapping[str, Sequence[str]]) -> str:
    """Sentences under their headings, wrapped for a terminal of 80 columns."""
    return "\n\n".join(
        "\n".join([f"{heading}:", *map(_filled, sentences)])
        for heading, sentences in answers.items()
    )


def _filled(sentence: str) -> str:
    together = _INSIDE_A_FIGURE.sub("\0", legible(sentence))  # spaces that fill() cannot break
    lines = textwrap.fill(f"- {together}", 79, subsequent_indent="  ", break_on_hyphens=False)
    return lines.replace("\0", " ")


def plain_for_json(value: Any) -> Any:
    """Named tuples become dicts, tuples lists, and floats that are not finite None."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: plain_for_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_for_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_format(data: Any, kind: str, key: str) -> None:
    """Raise ValueError unless these are data of a ``to_dict``, of this kind and format."""
    is_mapping = isinstance(data, Mapping)
    if not (is_mapping and data.get("format") == FORMAT and key in data):
        got = f"format {data.get('format')!r} with keys {[*data]}" if is_mapping else repr(data)
        raise ValueError(
            f"data must be {kind} of format {FORMAT}, as to_dict writes it. Got {got} instead."
        )
