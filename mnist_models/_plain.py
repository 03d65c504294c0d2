"""Plain data for JSON, which knows finite numbers only: null stands for others, read as NaN."""

import math
from typing import Any


def plain_for_json(value: Any) -> Any:
    """The same with named tuples as dicts, and None in place of what is not finite.

    Examples
    --------
    >>> plain_for_json({"loss": [0.5, float("nan")]})
    {'loss': [0.5, None]}
    """
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: plain_for_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_for_json(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: float | None) -> float:
    """What stood there, as far as that is known.

    Examples
    --------
    >>> number(0.5), number(None)
    (0.5, nan)
    """
    return math.nan if value is None else value
