"""Columns as features: which kind each is, and its numbers."""

from collections.abc import Iterable, Mapping
from itertools import chain
from operator import methodcaller
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import offsets_of
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, Field
from metarec.frames import Column
from metarec.transforms import Transform, bucketise, standardise
from metarec.vocabulary import Vocabulary, as_values, find_nulls

#: What a column can be; content and None are no features.
KINDS = ("categorical", "bag", "dense", "content", None)
Kind = str | Transform | None

# Of at least so many rows, most of which have a value of their own.
_ROWS, _OWN = 50, 0.5
# More whole numbers than so many are rather an amount than a choice.
_MANY = 20


def make_field(column: Column, name: str, kind: Kind) -> tuple[Field, Vocabulary | None]:
    """Return a column as a field of the given kind, and the raw values behind its numbers."""
    if isinstance(kind, Transform):
        return transformed(column, name, kind), None
    if kind == "dense":
        return _dense(column, name), None
    if column.values.ndim > 1:
        column = Column(np.fromiter(column.values, object, len(column.values)), column.null)
    if kind == "bag":
        return _bag(column, name)
    known = ~column.null
    vocabulary, codes = Vocabulary.of(column.values[known], name)
    ids = np.full(len(known), -1, np.int32)
    ids[known] = codes
    return Categorical(ids, len(vocabulary)), vocabulary


def transformed(column: Column, name: str, transform: Transform) -> Field:
    """Return the field that a fitted transform makes of a column."""
    if transform.result == "hashed" and infer_kind(column, name) == "bag":
        values, offsets = _flat(column, name)
        given = Column(values, np.zeros(len(values), np.bool_))
        return Bag(transform(given, name), offsets, transform.size)
    with np.errstate(over="ignore", invalid="ignore"):
        result = transform(column, name)
        if transform.result != "dense":
            return Categorical(result, transform.size)
        vectors = np.ascontiguousarray(result, np.float32)
    far = ~np.isfinite(vectors).all(axis=1) & ~column.null
    if far.any():
        at = int(np.argmax(far))
        raise InvalidValueError(f"{name}[{at}]: {transform!r} of {column.values[at]} is not finite")
    vectors[column.null] = 0
    return Dense(vectors)


def is_nearly_unique(column: Column) -> bool:
    """Whether most rows of texts have a value of their own, as titles do, or addresses."""
    known = column.values[~column.null]
    if known.dtype != object or len(known) < _ROWS or not isinstance(known[0], str):
        return False
    return len(set(known.tolist())) > _OWN * len(known)


def suggest(columns: Mapping[str, Column], noun: str, id_name: str) -> dict[str, Kind]:
    """Return what is likely right for columns of users or items, where it is not what they are.

    Numbers are standardised, whole numbers of many values cut into ten buckets, dates left out;
    texts most of which are different are content, of users left out.
    """
    found: dict[str, Kind] = {}
    for name, column in columns.items():
        values = column.values
        if name == id_name:
            continue
        if is_nearly_unique(column):
            if infer_kind(column, name) == "categorical":
                found[name] = None if noun == "user" else "content"
        elif values.dtype.kind == "f":
            found[name] = standardise()
        elif values.dtype.kind in "iu" and len(np.unique(values[~column.null])) > _MANY:
            found[name] = bucketise(10)
    return found


def infer_kind(column: Column, name: str) -> str | None:
    """Return what a column is by its type: None for dates, which are kept aside."""
    values = column.values
    if values.ndim == 2 or values.dtype.kind == "f":
        return "dense"
    if values.dtype.kind in "iub":
        return "categorical"
    if values.dtype.kind in "mM":
        return None
    known = values[~column.null]
    if not len(known):
        return "categorical"
    first = known[0]
    if isinstance(first, str):
        # Joining looks for the separator in all strings at once.
        return "bag" if "|" in "".join(map(str, known)) else "categorical"
    if isinstance(first, (list, tuple, set, frozenset, np.ndarray)):
        inner = next((value for bag in known for value in _as_bag(bag) if value is not None), None)
        return "dense" if isinstance(inner, (float, np.floating)) else "bag"
    if isinstance(first, (int, bool, np.generic)):
        return "categorical"
    raise InvalidTypeError(
        f"{name}: no rule for values of type {type(first).__name__}; choose a kind with "
        f"fields={{...: 'categorical'}}, or None to leave it out of the features"
    )


def split_bags(values: NDArray[Any]) -> list[Any]:
    """Return each row's values as a list: of `a|b` strings, of lists, nothing of None."""
    listed = values.tolist() if values.dtype == object else values.reshape(-1, 1).tolist()
    kinds = set(map(type, listed)) - {type(None)}
    if kinds == {str}:
        return list(map(methodcaller("split", "|"), (value or "" for value in listed)))
    if all(issubclass(kind, (list, tuple, set, frozenset, np.ndarray)) for kind in kinds):
        return [() if value is None else value for value in listed]
    return [_as_bag(value) for value in listed]


def _as_bag(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    if isinstance(value, str):
        return value.split("|")
    return value if isinstance(value, Iterable) and not isinstance(value, bytes) else (value,)


def _flat(column: Column, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the values of all bags in one array, and where each bag begins."""
    values = column.values
    if column.null.any():
        values = values.astype(object)
        values[column.null] = None
    bags = split_bags(values)
    offsets = offsets_of(np.fromiter(map(len, bags), np.int64, len(bags)))
    flat = as_values(chain.from_iterable(bags), name)
    keep = ~find_nulls(flat)
    if flat.dtype == object:
        keep &= np.not_equal(flat, "").astype(np.bool_)
    return flat[keep], offsets_of(keep)[offsets]


def _bag(column: Column, name: str) -> tuple[Field, Vocabulary]:
    values, offsets = _flat(column, name)
    vocabulary, ids = Vocabulary.of(values, name)
    return Bag(ids, offsets, len(vocabulary)), vocabulary


def _dense(column: Column, name: str) -> Dense:
    values, known = column.values, ~column.null
    if values.dtype == object:
        try:
            rows = np.asarray(values[known].tolist(), np.float32)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(
                f"{name}: expected numbers or vectors of one length; {error}"
            ) from None
    else:
        rows = values[known] if column.null.any() else values
        if rows.dtype not in (np.float32, np.float64):
            rows = rows.astype(np.float32)
    rows = np.ascontiguousarray(rows[:, None] if rows.ndim == 1 else rows)
    if not column.null.any():
        return Dense(rows)
    vectors = np.zeros((len(known), rows.shape[1]), rows.dtype)
    vectors[known] = rows
    return Dense(vectors)
