"""Plain data for JSON, which has only finite numbers: null stands for others, read as NaN."""

import math
from typing import Any


def plain_for_json(value: Any) -> Any:
    """Named tuples become dicts, tuples lists, and floats that are not finite None.

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
    """The inverse for one number: None becomes NaN.

    Examples
    --------
    >>> number(0.5), number(None)
    (0.5, nan)
    """
    return math.nan if value is None else value
