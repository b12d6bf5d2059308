"""Ids and values as they are in data, as JSON and back: for files, which hold no objects."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import numpy as np

from metarec.errors import InvalidTypeError, InvalidValueError


def _ticks(value: Any) -> list[Any]:
    unit, step = np.datetime_data(value.dtype)
    return [value.item(), unit, step]


def _of_ticks(kind: type, count: int, unit: str, step: int) -> Any:
    value = kind(count, (unit, step))
    if type(count) is not int or unit == "generic" or np.isnat(value):
        raise ValueError(f"no {kind.__name__} of {count} {unit}")
    return value


# By exact type, for a datetime is a date too: how it is written, and read.
_WAYS: dict[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    bytes: (bytes.hex, bytes.fromhex),
    complex: (lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
    date: (date.isoformat, date.fromisoformat),
    datetime: (datetime.isoformat, datetime.fromisoformat),
    time: (time.isoformat, time.fromisoformat),
    timedelta: (
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: timedelta(*parts),
    ),
    np.datetime64: (_ticks, lambda parts: _of_ticks(np.datetime64, *parts)),
    np.timedelta64: (_ticks, lambda parts: _of_ticks(np.timedelta64, *parts)),
    Decimal: (str, Decimal),
    Fraction: (str, Fraction),
    UUID: (str, UUID),
    tuple: (
        lambda value: [to_json(each) for each in value],
        lambda parts: tuple(map(from_json, parts)),
    ),
    frozenset: (
        lambda value: sorted((to_json(each) for each in value), key=repr),
        lambda parts: frozenset(map(from_json, parts)),
    ),
}
_NAMES = {kind.__name__: way for kind, way in _WAYS.items()}


def to_json(value: Any) -> Any:
    """Return a hashable value in JSON's types: numbers, texts and truths as they are.

    Raises
    ------
    InvalidTypeError
        A type without a way to write it.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, (np.datetime64, np.timedelta64)) and type(plain) is int:
        plain = value  # nothing that Python's own can be, such as nanoseconds
    if plain is None or type(plain) in (bool, int, float, str):
        return plain
    way = _WAYS.get(type(plain))
    if way is None:
        raise InvalidTypeError(
            f"a file holds no {type(value).__name__}, only int, float, str, {', '.join(_NAMES)}"
        )
    return {type(plain).__name__: way[0](plain)}


def from_json(value: Any) -> Any:
    """Return what `to_json` was given.

    Raises
    ------
    InvalidValueError
        Nothing that it gives.
    """
    if not isinstance(value, (dict, list)):
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((name, written),) = value.items()
        if name in _NAMES:
            try:
                return _NAMES[name][1](written)
            except (TypeError, ValueError, ArithmeticError) as error:
                raise InvalidValueError(f"no {name}: {written!r}; {error}") from None
    raise InvalidValueError(f"no value of an id: {value!r}")
