"""Columns made fit for a network: standardise, log, bucketise, hash; what they learn is data.

A transform is said in ``Dataset.from_frames(..., fields={"age": mr.features.bucketise(10)})`` and
learns its statistics (a mean, the bounds of buckets) from the rows that it is fitted on: the users
and items with ratings in training, once the data is split. `adapt(user={"age": 25})` applies the
same.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.frames import Column

Numbers = NDArray[np.float64]


class Transform(ABC):
    """What becomes of a column before it is a field.

    Attributes
    ----------
    result : "dense", "categorical" or "hashed"
        Vectors, numbers of values, or numbers of values one or several a row.
    size : int
        Number of values of a result that is not dense.
    """

    result: ClassVar[Literal["dense", "categorical", "hashed"]]
    size: int = 0

    @abstractmethod
    def fitted(self, column: Column, name: str) -> Self:
        """Return this with the statistics of a column, all of whose rows are training's."""

    @abstractmethod
    def __call__(self, column: Column, name: str) -> NDArray[Any]:
        """Return the column transformed: float [n, d] with NaN where unknown, or int32 [n]."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return options and statistics in JSON's types, for `from_state`."""

    @property
    def about(self) -> str:
        """What was learned, in a few words."""
        return ""

    def __or__(self, then: "Transform") -> "_Chain":
        if not isinstance(then, Transform):
            return NotImplemented
        return _Chain((*_parts(self), *_parts(then)))


class _Numeric(Transform):
    """A transform of numbers, or of vectors column by column."""

    def fitted(self, column: Column, name: str) -> Self:
        return self._learned(numbers(column, name), name)

    def __call__(self, column: Column, name: str) -> NDArray[Any]:
        return self.of(numbers(column, name), name)

    def _learned(self, values: Numbers, name: str) -> Self:
        return self

    @abstractmethod
    def of(self, values: Numbers, name: str) -> NDArray[Any]:
        """Return numbers [n, d] transformed."""


@dataclass(frozen=True)
class _Standardise(_Numeric):
    """Less the mean, over the standard deviation: what `standardise` returns."""

    result = "dense"
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()

    def _learned(self, values: Numbers, name: str) -> "_Standardise":
        count = np.maximum((~np.isnan(values)).sum(0), 1)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.nansum(values, 0) / count
            deviation = np.sqrt(np.nansum((values - mean) ** 2, 0) / count)
        if not np.isfinite([mean, deviation]).all():
            raise InvalidValueError(f"{name}: too large numbers to be standardised")
        # Of a constant nothing is left but rounding.
        constant = deviation <= 1e-12 * np.maximum(1, np.abs(mean))
        return replace(
            self,
            mean=tuple(mean.tolist()),
            deviation=tuple(np.where(constant, 1.0, deviation).tolist()),
        )

    def of(self, values: Numbers, name: str) -> Numbers:
        if values.shape[1] != len(self.mean):
            raise InvalidValueError(
                f"{name}: expected {len(self.mean)} number(s), got {values.shape[1]}"
            )
        return np.asarray((values - np.array(self.mean)) / np.array(self.deviation), np.float64)

    def state(self) -> dict[str, Any]:
        return {"mean": list(self.mean), "deviation": list(self.deviation)}

    @property
    def about(self) -> str:
        if len(self.mean) != 1:
            return ""
        return f"mean {self.mean[0]:.4g}, deviation {self.deviation[0]:.4g}"

    def __repr__(self) -> str:
        return "standardise()"


@dataclass(frozen=True)
class _Log(_Numeric):
    """The logarithm of one more: what `log` returns."""

    result = "dense"

    def of(self, values: Numbers, name: str) -> Numbers:
        if (values < 0).any():
            low = float(np.nanmin(values))
            raise InvalidValueError(f"{name}: log expects numbers of at least 0, got {low:g}")
        return np.log1p(values)

    def state(self) -> dict[str, Any]:
        return {}

    def __repr__(self) -> str:
        return "log()"


@dataclass(frozen=True)
class _Bucketise(_Numeric):
    """The bucket that a number falls in: what `bucketise` returns."""

    result = "categorical"
    buckets: int | None
    edges: tuple[float, ...] = ()

    @property
    def size(self) -> int:  # type: ignore[override]
        """Number of buckets."""
        return len(self.edges) + 1

    def _learned(self, values: Numbers, name: str) -> "_Bucketise":
        if self.buckets is None:
            return self
        known = values[~np.isnan(values)]
        if not len(known):
            return replace(self, edges=())
        parts = np.arange(1, self.buckets) / self.buckets
        edges = np.unique(np.quantile(known, parts, method="inverted_cdf"))
        return replace(self, edges=tuple(edges[edges > known.min()].tolist()))

    def of(self, values: Numbers, name: str) -> NDArray[np.int32]:
        if values.shape[1] != 1:
            raise InvalidValueError(
                f"{name}: bucketise expects one number a row, got vectors of {values.shape[1]}"
            )
        bucket = np.searchsorted(np.array(self.edges), values[:, 0], side="right")
        return np.where(np.isnan(values[:, 0]), -1, bucket).astype(np.int32)

    def state(self) -> dict[str, Any]:
        return {"buckets": self.buckets, "edges": list(self.edges)}

    @property
    def about(self) -> str:
        few = ", ".join(f"{edge:g}" for edge in self.edges[:4])
        return f"edges {few}{', ...' if len(self.edges) > 4 else ''}" if few else ""

    def __repr__(self) -> str:
        if self.buckets is None:
            return f"bucketise(edges={list(self.edges)})"
        return f"bucketise({self.buckets})"


@dataclass(frozen=True)
class _Hash(Transform):
    """A number from a hash of the value: what `hash` returns."""

    result = "hashed"
    size: int = 1024
    seed: int = 0

    def fitted(self, column: Column, name: str) -> "_Hash":
        return self

    def __call__(self, column: Column, name: str) -> NDArray[np.int32]:
        key = self.seed.to_bytes(8, "little")
        known: dict[Any, int] = {}

        def number(value: Any) -> int:
            try:
                found = known.get(value)
            except TypeError as error:
                raise InvalidTypeError(f"{name}: expected hashable values; {error}") from None
            if found is None:
                digest = hashlib.blake2b(_words(value), digest_size=8, key=key).digest()
                found = known[value] = int.from_bytes(digest, "little") % self.size
            return found

        listed = zip(column.values.tolist(), column.null.tolist(), strict=True)
        numbers = (-1 if null else number(value) for value, null in listed)
        return np.fromiter(numbers, np.int32, len(column.values))

    def state(self) -> dict[str, Any]:
        return {"size": self.size, "seed": self.seed}

    def __repr__(self) -> str:
        return f"hash({self.size}{f', seed={self.seed}' if self.seed else ''})"


@dataclass(frozen=True)
class _Chain(Transform):
    """Transforms of numbers, one after the other: what ``log() | standardise()`` is."""

    parts: tuple[Transform, ...]

    def __post_init__(self) -> None:
        for part in self.parts:
            if not isinstance(part, _Numeric):
                raise InvalidTypeError(f"{self!r}: {part!r} takes no part in a chain")
        for part in self.parts[:-1]:
            if part.result != "dense":
                raise InvalidTypeError(f"{self!r}: nothing can follow {part!r}")

    @property
    def result(self) -> Literal["dense", "categorical", "hashed"]:  # type: ignore[override]
        """What the last part gives."""
        return self.parts[-1].result

    @property
    def size(self) -> int:  # type: ignore[override]
        """Number of values that the last part gives."""
        return self.parts[-1].size

    def fitted(self, column: Column, name: str) -> "_Chain":
        values, parts = numbers(column, name), []
        for part in self.parts:
            assert isinstance(part, _Numeric)
            parts.append(part._learned(values, name))
            values = parts[-1].of(values, name)
        return _Chain(tuple(parts))

    def __call__(self, column: Column, name: str) -> NDArray[Any]:
        values: NDArray[Any] = numbers(column, name)
        for part in self.parts:
            assert isinstance(part, _Numeric)
            values = part.of(values, name)
        return values

    def state(self) -> dict[str, Any]:
        return {"parts": [to_state(part) for part in self.parts]}

    @property
    def about(self) -> str:
        return "; ".join(filter(None, (part.about for part in self.parts)))

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))


def standardise() -> Transform:
    r"""Make numbers, or vectors column by column, of mean 0 and standard deviation 1.

    :math:`x \mapsto (x - \mu) / \sigma`, with the training rows' mean and deviation; a missing
    number becomes 0, which is the mean. A constant becomes 0.

    Examples
    --------
    >>> ratings = {"user": ["a", "b"], "item": [1, 1], "rating": [4, 5]}
    >>> users = {"user": ["a", "b"], "age": [20.0, 40.0]}
    >>> fields = {"age": mr.features.standardise()}
    >>> data = mr.Dataset.from_frames(ratings, users, fields=fields)
    >>> data.users["age"].vectors.tolist()
    [[-1.0], [1.0]]
    >>> data.user_features({"age": 50})["age"].vectors.tolist()
    [[2.0]]
    """
    return _Standardise()


def log() -> Transform:
    """Take the logarithm of one more than a number, log(1 + x): for counts, prices, incomes.

    Numbers below 0 are refused. A missing number becomes 0, so `standardise` best follows.

    Examples
    --------
    >>> mr.features.log() | mr.features.standardise()
    log() | standardise()
    """
    return _Log()


def bucketise(buckets: int = 10, *, edges: Sequence[float] | None = None) -> Transform:
    """Make numbers a categorical field of buckets, so that the network need not be linear in them.

    Parameters
    ----------
    buckets : int
        At most so many, each with about as many of the training rows; equal numbers are together.
    edges : numbers, optional
        Where the second bucket begins, the third, and so on, instead.

    Examples
    --------
    >>> ratings = {"user": [1, 2, 3], "item": [7, 7, 7], "rating": [4, 5, 3]}
    >>> users = {"user": [1, 2, 3], "age": [17, 18, None]}
    >>> fields = {"age": mr.features.bucketise(edges=[18, 35])}
    >>> mr.Dataset.from_frames(ratings, users, fields=fields).users["age"].ids.tolist()
    [0, 1, -1]
    """
    if edges is None:
        return _Bucketise(as_count(buckets, "buckets", 2))
    given = np.asarray(edges, np.float64)
    if given.ndim != 1 or not np.isfinite(given).all() or (np.diff(given) <= 0).any():
        raise InvalidValueError(f"edges: expected ascending numbers, got {edges!r}")
    return _Bucketise(None, tuple(given.tolist()))


def hash(buckets: int = 1024, *, seed: int = 0) -> Transform:
    """Make a field of a fixed number of values out of any: for values that keep coming.

    A value's number is a hash of it, so a value never seen in training has one too: that of others
    with which it collides, or one that nothing was learned of. Of lists and ``a|b`` strings each
    element is hashed. 1 and 1.0 are the same value, 1 and "1" are not.

    Parameters
    ----------
    buckets : int
        How many numbers there are.
    seed : int
        Of the hash; another seed, other collisions.

    Examples
    --------
    >>> ratings = {"user": [1, 2], "item": [7, 7], "rating": [4, 5]}
    >>> users = {"user": [1, 2], "city": ["Oslo", "Rome"]}
    >>> data = mr.Dataset.from_frames(ratings, users, fields={"city": mr.features.hash(100)})
    >>> data.users["city"].size, bool((data.user_features({"city": "Bonn"})["city"].ids >= 0).all())
    (100, True)
    """
    return _Hash(as_count(buckets, "buckets", 1), as_count(seed, "seed"))


def numbers(column: Column, name: str) -> Numbers:
    """Return numbers or vectors as float64 [n, d], NaN where unknown."""
    known = ~column.null
    values: Any = column.values
    if values.dtype.kind == "O":
        values = values[known].tolist()
    elif values.dtype.kind in "iubf":
        values = values[known]
    else:
        raise InvalidTypeError(f"{name}: expected numbers, got {values.dtype.name}")
    try:
        rows = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"{name}: expected numbers or vectors of one length; {error}"
        ) from None
    rows = rows[:, None] if rows.ndim == 1 else rows
    if not np.isfinite(rows).all():
        at = int(np.flatnonzero(known)[np.argmin(np.isfinite(rows).all(1))])
        raise InvalidValueError(f"{name}[{at}]: expected finite numbers, got {column.values[at]}")
    result = np.full((len(known), rows.shape[1]), np.nan)
    result[known] = rows
    return result


#: Transforms by the name that files know them by.
TRANSFORMS: dict[str, Any] = {
    "standardise": lambda mean, deviation: _Standardise(tuple(mean), tuple(deviation)),
    "log": _Log,
    "bucketise": lambda buckets, edges: _Bucketise(buckets, tuple(edges)),
    "hash": _Hash,
    "chain": lambda parts: _Chain(tuple(map(from_state, parts))),
}


def to_state(transform: Transform) -> dict[str, Any]:
    """Return a transform in JSON's types."""
    return {"transform": type(transform).__name__.lower().strip("_"), **transform.state()}


def from_state(state: Mapping[str, Any]) -> Transform:
    """Return what `to_state` told."""
    options = dict(state)
    name = options.pop("transform")
    if name not in TRANSFORMS:
        raise InvalidValueError(f"no transform {name!r}; there are {list(TRANSFORMS)}")
    made: Transform = TRANSFORMS[name](**options)
    return made


def _parts(transform: Transform) -> tuple[Transform, ...]:
    return transform.parts if isinstance(transform, _Chain) else (transform,)


def _words(value: Any) -> bytes:
    """Return bytes that equal values share and others do not."""
    if isinstance(value, (bool, int, np.integer)) or (
        isinstance(value, float) and value.is_integer()
    ):
        return b"i%d" % int(value)
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, (tuple, frozenset)):
        parts = [_words(each) for each in value]
        return b"t" + b"\0".join(parts if isinstance(value, tuple) else sorted(parts))
    return f"{type(value).__name__}:{value!r}".encode("utf-8", "surrogatepass")
