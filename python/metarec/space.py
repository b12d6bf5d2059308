"""Where options are searched: bounds and choices by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any

from metarec.errors import InvalidTypeError, InvalidValueError


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; by ratios if `log`. Ints if both are."""

    low: float
    high: float
    log: bool

    @property
    def first(self) -> float:
        """One of the values."""
        return self.low

    def suggest(self, trial: Any, name: str) -> float:
        """Return the value that an Optuna trial proposes."""
        whole = isinstance(self.low, int)
        suggest = trial.suggest_int if whole else trial.suggest_float
        value: float = suggest(name, self.low, self.high, log=self.log)
        return value

    def place(self, value: Any) -> float | None:
        """Return how Optuna knows a value, or None where it lies outside."""
        number: float
        if isinstance(value, bool):
            return None
        if isinstance(self.low, int) and isinstance(value, Integral):
            number = int(value)
        elif isinstance(self.low, float) and isinstance(value, Real):
            number = float(value)
        else:
            return None
        return number if self.low <= number <= self.high else None

    def described(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class Choices:
    """One of several values of any type. Optuna knows their numbers."""

    values: list[Any]

    @property
    def first(self) -> Any:
        """One of the values."""
        return deepcopy(self.values[0])

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the value that an Optuna trial proposes, a copy: parts can be changed."""
        return deepcopy(self.values[trial.suggest_categorical(name, range(len(self.values)))])

    def place(self, value: Any) -> int | None:
        """Return how Optuna knows a value, or None where it is none of them."""
        told = [repr(each) for each in self.values]
        return told.index(repr(value)) if repr(value) in told else None

    def described(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"choices": self.values}


class Space:
    """Bounds and choices by option.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        An entry is neither; the message names it.
    """

    def __init__(self, space: Mapping[str, Any]) -> None:
        if not isinstance(space, Mapping):
            raise InvalidTypeError(
                f"space: expected bounds or choices by option, got {type(space).__name__}"
            )
        if not space:
            raise InvalidValueError("space: is empty, wanted at least one option")
        self._parts = {name: _part(name, given) for name, given in space.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    @property
    def first(self) -> dict[str, Any]:
        """One value of every option."""
        return {name: part.first for name, part in self._parts.items()}

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Return the values that an Optuna trial proposes."""
        return {name: part.suggest(trial, name) for name, part in self._parts.items()}

    def places(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return how Optuna knows those of the options that lie in the space."""
        found = {
            name: part.place(options[name]) for name, part in self._parts.items() if name in options
        }
        return {name: place for name, place in found.items() if place is not None}

    def described(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {name: part.described() for name, part in self._parts.items()}


def _part(name: str, given: Any) -> Range | Choices:
    if not isinstance(name, str):
        raise InvalidTypeError(f"space: expected names of options, got {name!r}")
    if isinstance(given, list):
        if not given:
            raise InvalidValueError(f"space[{name!r}]: is empty, wanted at least one choice")
        return Choices(given)
    if not isinstance(given, tuple) or len(given) not in (2, 3):
        raise InvalidTypeError(
            f"space[{name!r}]: expected (low, high), (low, high, 'log') or a list, got {given!r}"
        )
    bounds, log = given[:2], given[2:] == ("log",)
    if len(given) == 3 and not log:
        raise InvalidValueError(f"space[{name!r}]: expected 'log' as the third, got {given[2]!r}")
    if any(isinstance(bound, bool) or not isinstance(bound, Real) for bound in bounds):
        raise InvalidTypeError(
            f"space[{name!r}]: expected numbers as bounds, got {given!r}; choices are a list"
        )
    low, high = bounds
    if not (isfinite(low) and isfinite(high) and low < high) or (log and low <= 0):
        least = ", both above 0" if log else ""
        raise InvalidValueError(f"space[{name!r}]: expected low < high{least}, got {given!r}")
    if all(isinstance(bound, Integral) for bound in bounds):
        return Range(int(low), int(high), log)
    return Range(float(low), float(high), log)
