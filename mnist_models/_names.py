"""A name from a short list, or an error that guesses which one was meant."""

import difflib
from collections.abc import Iterable


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
