"""Reading tables of any kind, and turning their columns into features."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import offsets_of
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, Field
from metarec.vocabulary import Vocabulary, as_values, find_nulls

if TYPE_CHECKING:
    import narwhals as nw

KINDS = ("categorical", "bag", "dense", None)


@dataclass(frozen=True, eq=False)
class Column:
    """A column as NumPy sees it: numbers, vectors [rows, d] or objects, and where it has none."""

    values: NDArray[Any]
    null: NDArray[np.bool_]

    def raw(self) -> NDArray[Any]:
        """Return the values with None or NaN where there is none, for rules and for display."""
        if not self.null.any():
            return self.values
        kind = self.values.dtype.kind
        filled = self.values.astype(np.float64) if kind in "iub" else self.values.copy()
        filled[self.null] = None if kind in "OmM" else np.nan
        return filled


def read_columns(frame: Any, name: str) -> dict[str, Column]:
    """Return the columns of a frame that narwhals knows, or of a dict of arrays."""
    if isinstance(frame, Mapping):
        columns = {key: _column(values, f"{name}[{key!r}]") for key, values in frame.items()}
        lengths = {key: len(column.values) for key, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidValueError(f"{name}: expected columns of one length, got {lengths}")
        return columns
    import narwhals as nw

    try:
        known = nw.from_native(frame)
    except TypeError:
        raise InvalidTypeError(
            f"{name}: expected a pandas, polars or pyarrow table or a dict of arrays, "
            f"got {type(frame).__name__}"
        ) from None
    except nw.exceptions.NarwhalsError as error:
        raise InvalidValueError(f"{name}: {error}") from error
    eager = known.collect() if isinstance(known, nw.LazyFrame) else known
    return {key: _series(eager.get_column(key), f"{name}[{key!r}]") for key in eager.columns}


def require(columns: Mapping[str, Column], key: str, name: str) -> Column:
    """Return a column that must be there."""
    if key not in columns:
        raise InvalidValueError(
            f"{name}: expected a column {key!r}, got {list(columns)}; "
            "say another name by keyword, such as item='movieId'"
        )
    return columns[key]


def require_ids(columns: Mapping[str, Column], key: str, name: str) -> NDArray[Any]:
    """Return a column of ids, none of which may be missing."""
    column = require(columns, key, name)
    refuse_nulls(column, f"{name}[{key!r}]")
    return as_values(column.values, f"{name}[{key!r}]")


def refuse_nulls(column: Column, name: str) -> None:
    """Raise if a value is missing."""
    if column.null.any():
        at, count = int(np.argmax(column.null)), int(column.null.sum())
        raise InvalidValueError(
            f"{name}: expected no missing values, got {count}, first at row {at}"
        )


def make_field(column: Column, name: str, kind: str | None) -> tuple[Field, Vocabulary | None]:
    """Return a column as a field of the given kind, and the raw values behind its numbers."""
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
        inner = next((value for bag in known for value in bag if value is not None), None)
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


def _bag(column: Column, name: str) -> tuple[Field, Vocabulary]:
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
    vocabulary, ids = Vocabulary.of(flat[keep], name)
    return Bag(ids, offsets_of(keep)[offsets], len(vocabulary)), vocabulary


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


def _column(values: Any, name: str) -> Column:
    if isinstance(values, np.ma.MaskedArray) and values.ndim == 1:
        return Column(values.data, np.ma.getmaskarray(values))
    array = values if isinstance(values, np.ndarray) else None
    if array is None and hasattr(values, "__array__"):
        array = np.asarray(values)
    if array is None:
        array = as_values(values, name)
        kinds = set(map(type, array.tolist()))
        if not kinds or (float in kinds and kinds <= {float, int, type(None)}):
            array = array.astype(np.float64)
    if array.ndim == 0 or array.ndim > 2:
        raise InvalidValueError(f"{name}: expected one or two dimensions, got shape {array.shape}")
    if array.dtype.kind in "US":
        array = array.astype(object)
    if array.ndim == 2:
        return Column(array, np.zeros(len(array), np.bool_))
    try:
        null = find_nulls(array)
    except (TypeError, ValueError):  # Rows that are arrays themselves have no single truth value.
        null = np.fromiter((value is None for value in array.tolist()), np.bool_, len(array))
    return Column(array, null)


def _series(series: "nw.Series[Any]", name: str) -> Column:
    try:
        return _read_series(series)
    except Exception as error:  # Of the frame's library, such as for integers of 128 bits.
        raise InvalidTypeError(f"{name}: cannot read {series.dtype}; {error}") from error


def _read_series(series: "nw.Series[Any]") -> Column:
    import narwhals as nw

    null = series.is_null().to_numpy().astype(np.bool_, copy=False)
    kind = series.dtype
    if isinstance(kind, nw.Array) and not null.any():
        values = series.to_numpy()
        return Column(values if values.ndim == 2 else np.stack(values.tolist()), null)
    if isinstance(kind, (nw.List, nw.Array)):
        values = series.to_numpy().astype(object, copy=False)
        if values.ndim == 2:
            values = np.fromiter(values, object, len(values))
    elif kind.is_integer() or isinstance(kind, nw.Boolean):
        filled = series.fill_null(0 if kind.is_integer() else False) if null.any() else series
        return Column(filled.to_numpy(), null)
    elif kind.is_numeric():
        values = (series.cast(nw.Float64) if kind.is_decimal() else series).to_numpy()
        return Column(values, null | np.isnan(values))
    elif kind.is_temporal():
        return Column(series.to_numpy(), null)
    else:
        values = np.fromiter(series.to_list(), object, len(series))
    if null.any():
        values = values.copy()
        values[null] = None
    return Column(values, null)


def as_timestamp(column: Column, name: str) -> NDArray[np.int64]:
    """Return whole numbers as they are, and datetimes in microseconds."""
    refuse_nulls(column, name)
    values = column.values
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]").astype(np.int64)
    if values.dtype.kind == "f" and np.array_equal(values, np.trunc(values)):
        return values.astype(np.int64)
    if values.dtype.kind in "iu":
        return values.astype(np.int64, copy=False)
    raise InvalidTypeError(f"{name}: expected integers or datetimes, got {values.dtype.name}")
