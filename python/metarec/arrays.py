"""Checks of borrowed arrays, counts and paths, and index arithmetic over ragged arrays."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from metarec.errors import InvalidIndexError, InvalidTypeError, InvalidValueError


def borrowed(value: Any, name: str, *dtypes: DTypeLike, ndim: int = 1) -> NDArray[Any]:
    """Return `value` itself if kernels can read it in place; else raise what is wrong with it."""

    def wanted() -> str:
        return f"a C-contiguous {' or '.join(np.dtype(d).name for d in dtypes)} array"

    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise InvalidTypeError(f"{name}: expected {wanted()}, got {type(value).__name__}")
    if not any(value.dtype == np.dtype(d) for d in dtypes):
        order = "" if value.dtype.isnative else " in foreign byte order"
        raise InvalidTypeError(f"{name}: expected {wanted()}, got {value.dtype.name}{order}")
    if value.ndim != ndim:
        raise InvalidValueError(f"{name}: expected {ndim} dimension(s), got shape {value.shape}")
    if not (value.flags.c_contiguous and value.flags.aligned):
        raise InvalidTypeError(
            f"{name}: expected {wanted()}, got strides {value.strides}; use numpy.ascontiguousarray"
        )
    return value


def check_index(index: NDArray[Any], size: int, name: str, low: int = -1) -> None:
    """Raise unless low <= index < size everywhere."""
    if len(index) and (index.min() < low or index.max() >= size):
        at = int(np.argmax((index < low) | (index >= size)))
        raise InvalidIndexError(f"{name}[{at}]: expected {low} <= index < {size}, got {index[at]}")


def check_offsets(offsets: NDArray[np.int64], total: int, name: str, what: str) -> None:
    """Raise unless offsets rise from 0 to total."""
    if len(offsets) == 0 or offsets[0] != 0:
        raise InvalidValueError(f"{name}: expected to start with 0, got {offsets[:1]}")
    if len(offsets) > 1 and (offsets[1:] < offsets[:-1]).any():
        at = int(np.argmax(offsets[1:] < offsets[:-1]))
        raise InvalidValueError(f"{name}: falls from {offsets[at]} to {offsets[at + 1]} at {at}")
    if offsets[-1] != total:
        raise InvalidValueError(f"{name}: ends with {offsets[-1]}, but {what} has {total} rows")


def check_finite(values: NDArray[Any], name: str) -> None:
    """Raise unless all values are finite numbers."""
    # The extremes are NaN if any value is: no mask of the whole array is needed.
    if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        at = np.unravel_index(int(np.argmin(np.isfinite(values))), values.shape)
        place = ", ".join(map(str, at))
        raise InvalidValueError(f"{name}[{place}]: expected a finite number, got {values[at]}")


def as_count(value: Any, name: str, low: int = 0) -> int:
    """Return `value` as an int of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidTypeError(f"{name}: expected an integer, got {type(value).__name__}")
    if value < low:
        raise InvalidValueError(f"{name}: expected at least {low}, got {value}")
    return int(value)


def as_path(value: Any, name: str) -> Path:
    """Return a path as one, or raise an error that names the argument."""
    try:
        path = Path(value)
        possible = b"\0" not in os.fsencode(path)
    except TypeError:
        raise InvalidTypeError(f"{name}: expected a path, got {type(value).__name__}") from None
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise InvalidValueError(f"{name}: {value!a:.100} is no path")
    return path


def offsets_of(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each run of the given length starts, and the end of the last."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def ragged_range(starts: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return starts[0] ..< starts[0] + counts[0], then the same for 1, 2, ... in one array."""
    offsets = offsets_of(counts)
    return np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1], dtype=np.int64)


def under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
