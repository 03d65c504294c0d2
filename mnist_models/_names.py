"""Names in error messages: checked against a short list, or a long list abbreviated."""

import difflib
from collections.abc import Iterable, Sequence


def check_name(name: object, known: Iterable[str], what: str) -> None:
    """Raise ValueError unless ``name`` is one of ``known``.

    Examples
    --------
    >>> check_name("forrest", ("forest", "network"), "model")
    Traceback (most recent call last):
    ...
    ValueError: model must be one of 'forest', 'network'. Got 'forrest' instead. Did you mean...
    """
    known = tuple(known)
    if name in known:
        return
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    names = ", ".join(repr(each) for each in known)
    raise ValueError(f"{what} must be one of {names}. Got {name!r} instead.{hint}")


def some(things: Sequence[object]) -> str:
    """The first five, and how many more there are.

    Examples
    --------
    >>> some("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    shown = ", ".join(str(thing) for thing in things[:5])
    return shown if len(things) <= 5 else f"{shown} and {len(things) - 5} more"
