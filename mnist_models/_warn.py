"""Warnings that point at the line of the user's code that caused them."""

import sys
import warnings
from pathlib import Path

_PACKAGE = Path(__file__).parent


def warn_user(warning: Warning) -> None:
    """Give a warning at the line that called the package, however deep inside it is found."""
    warnings.warn(warning, stacklevel=_levels_to_user())


def _levels_to_user() -> int:
    """The stacklevel, for :func:`warn_user`, of the first caller outside the package."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and Path(frame.f_code.co_filename).is_relative_to(_PACKAGE):
        frame, levels = frame.f_back, levels + 1
    return levels
