"""Tables of any kind as columns of NumPy."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec.errors import InvalidTypeError, InvalidValueError, MissingDependencyError
from metarec.vocabulary import as_values, find_nulls

if TYPE_CHECKING:
    import narwhals as nw

_TIMES = (str, date)


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
    """Return the columns of a frame that narwhals knows, of a dict of arrays, or of a file."""
    if isinstance(frame, (str, Path)):
        from metarec.tables import read_file

        return read_file(Path(frame), name)
    if isinstance(frame, Mapping):
        columns = {key: as_column(values, f"{name}[{key!r}]") for key, values in frame.items()}
        lengths = {key: len(column.values) for key, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidValueError(f"{name}: expected columns of one length, got {lengths}")
        return columns
    return from_native(frame, name)


def from_native(frame: Any, name: str) -> dict[str, Column]:
    """Return the columns of a frame that narwhals knows; a lazy one is collected."""
    import narwhals as nw

    try:
        known = nw.from_native(frame)
        eager = _collected(known) if isinstance(known, nw.LazyFrame) else known
    except TypeError:
        raise InvalidTypeError(
            f"{name}: expected a table of pandas, polars, pyarrow or DuckDB, a dict of arrays, or "
            f"the path of a CSV or Parquet file, got {type(frame).__name__}"
        ) from None
    except nw.exceptions.NarwhalsError as error:
        raise InvalidValueError(f"{name}: {error}") from error
    return {key: _series(eager.get_column(key), f"{name}[{key!r}]") for key in eager.columns}


def _collected(frame: "nw.LazyFrame[Any]") -> "nw.DataFrame[Any]":
    if frame.implementation.is_polars():
        return frame.collect()
    for library in ("pyarrow", "pandas"):
        if importlib.util.find_spec(library):
            return frame.collect(backend=library)
    raise MissingDependencyError(
        f"a table of {frame.implementation.name.lower()} is read by pyarrow: "
        "pip install 'metarec[parquet]'"
    )


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
            f"{name}: expected no missing values, got {count}, first at row {at}; to drop "
            "such rows: clean=Cleaning(missing='drop')"
        )


def as_column(values: Any, name: str) -> Column:
    """Return an array, or a list of values, as a column."""
    if isinstance(values, Column):
        return values
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


def as_numbers(column: Column, name: str) -> NDArray[Any]:
    """Return a column of numbers, none of which may be missing."""
    refuse_nulls(column, name)
    values = column.values
    if values.dtype == object:
        kinds = set(map(type, values.tolist()))
        if all(issubclass(kind, (int, float, np.number, Decimal)) for kind in kinds):
            values = values.astype(np.float64)
    if values.dtype.kind not in "iubf" or values.ndim != 1:
        got = f"{values.dtype.name} {list(values.shape)}"
        raise InvalidTypeError(f"{name}: expected numbers [n], got {got}")
    return values


def as_timestamp(column: Column, name: str) -> NDArray[np.int64]:
    """Return whole numbers as they are; datetimes, and texts of ISO 8601, in microseconds."""
    refuse_nulls(column, name)
    values = column.values
    if values.dtype.kind == "O" and all(isinstance(value, _TIMES) for value in values.tolist()):
        texts = [str(value).strip().removesuffix("Z") for value in values.tolist()]
        try:
            values = np.array(texts, "datetime64[us]")
        except ValueError as error:
            raise InvalidValueError(f"{name}: expected integers or datetimes; {error}") from None
    if values.ndim != 1 or values.dtype.kind not in "Miuf":
        got = f"{values.dtype.name} {list(values.shape)}"
        raise InvalidTypeError(f"{name}: expected integers or datetimes [n], got {got}")
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]").astype(np.int64)
    if values.dtype.kind == "f" and not np.array_equal(values, np.trunc(values)):
        raise InvalidTypeError(f"{name}: expected integers or datetimes, got fractions")
    if len(values) and not -(2**63) <= values.min() <= values.max() < 2**63:
        raise InvalidValueError(f"{name}: expected integers of 64 bits, got {values.max():g}")
    return values.astype(np.int64, copy=False)
