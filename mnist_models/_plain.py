"""Plain data for JSON, which has only finite numbers: null stands for others, read as NaN."""

import math
from collections.abc import Mapping
from typing import Any

FORMAT = 2  # of to_dict and to_json; others are refused


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


def check_format(data: Any, kind: str, key: str) -> None:
    """Raise ValueError unless these are data of a ``to_dict``, of this kind and format."""
    is_mapping = isinstance(data, Mapping)
    if not (is_mapping and data.get("format") == FORMAT and key in data):
        got = f"format {data.get('format')!r} with keys {[*data]}" if is_mapping else repr(data)
        raise ValueError(
            f"data must be {kind} of format {FORMAT}, as to_dict writes it. Got {got} instead."
        )
