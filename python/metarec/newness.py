"""Who and what is new: a fraction, a rule on columns, or booleans."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.errors import InvalidTypeError, InvalidValueError

Rule = float | str | NDArray[np.bool_] | Callable[[Mapping[str, NDArray[Any]]], NDArray[np.bool_]]


def choose(
    rule: Rule,
    columns: Mapping[str, NDArray[Any]],
    rated: NDArray[np.bool_],
    name: str,
    stream: list[int],
) -> tuple[NDArray[np.bool_], NDArray[Any] | None]:
    """Return who is new, and the column in which they lie above all others if that is the rule."""
    if isinstance(rule, (int, float)) and not isinstance(rule, bool):
        return sample(rated, as_fraction(rule, name), stream), None
    read: list[str] = []
    if isinstance(rule, str):
        chosen: Any = _Recording(columns, read, name)[rule]
    elif callable(rule):
        chosen = rule(_Recording(columns, read, name))
    else:
        chosen = rule
    new = np.asarray(chosen)
    if new.dtype != np.bool_ or new.shape != rated.shape:
        raise InvalidTypeError(
            f"{name}: expected a fraction, or {len(rated)} booleans from a rule or column; got "
            f"{new.dtype.name} {list(new.shape)}"
        )
    column = columns[read[0]] if len(set(read)) == 1 else None
    if column is None or column.dtype.kind not in "iuf" or not new.any() or new.all():
        return new, None
    above = np.nanmin(column[new]) > np.nanmax(column[~new])
    return new, column if above else None


class _Recording(Mapping[str, NDArray[Any]]):
    """Columns that note which of them a rule reads."""

    def __init__(self, columns: Mapping[str, NDArray[Any]], read: list[str], name: str) -> None:
        self._columns, self._read, self._name = columns, read, name

    def __getitem__(self, key: str) -> NDArray[Any]:
        if key not in self._columns:
            raise InvalidValueError(
                f"{self._name}: no column {key!r}; there are {list(self._columns)}"
            )
        self._read.append(key)
        return self._columns[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def as_fraction(value: float, name: str) -> float:
    """Return `value` if it is a fraction below 1."""
    if not 0 <= value < 1:
        raise InvalidValueError(
            f"{name}: expected a fraction of at least 0 and below 1, got {value}"
        )
    return float(value)


def sample(among: NDArray[np.bool_], fraction: float, stream: list[int]) -> NDArray[np.bool_]:
    """Return a fraction of those marked in `among`, chosen by the generator of that seed."""
    candidates = np.flatnonzero(among)
    order = np.random.default_rng(stream).permutation(len(candidates))
    chosen = np.zeros(len(among), np.bool_)
    chosen[candidates[order[: round(fraction * len(candidates))]]] = True
    return chosen


def highest(among: NDArray[np.bool_], column: NDArray[Any], fraction: float) -> NDArray[np.bool_]:
    """Return those of the highest values, ties together, until the fraction is reached."""
    values = np.sort(column[among & ~np.isnan(column)])
    count = int(np.ceil(fraction * among.sum()))
    if not count or not len(values):
        return np.zeros(len(among), np.bool_)
    with np.errstate(invalid="ignore"):
        return np.asarray(among & (column >= values[-min(count, len(values))]), np.bool_)
