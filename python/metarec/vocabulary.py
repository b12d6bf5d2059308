"""Raw values, such as ids as they are in your data, and their numbers."""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import borrowed, check_index, check_offsets, offsets_of
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.rawvalues import from_json, to_json

#: Up to here a dictionary is made in well under a millisecond, and looks one value up fastest.
_SMALL = 4096
#: Units of datetime64 of which NumPy makes Python's dates.
_DATES = ("D", "M", "W", "Y", "h", "m", "ms", "s", "us")


def as_values(values: Iterable[Any], name: str) -> NDArray[Any]:
    """Return hashable values as int64 [n] where all are whole numbers, else as objects [n].

    NumPy's own conversion would make a string of the 1 in ``[1, "a"]`` and a matrix of a list of
    tuples.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        if values.ndim != 1:
            raise InvalidValueError(f"{name}: expected one dimension, got shape {values.shape}")
        if values.dtype.kind in "iub" and values.dtype != np.uint64:
            return values.astype(np.int64, copy=False)
        if values.dtype.kind == "f" and np.abs(values).max(initial=0) < 2**53:
            whole = values.astype(np.int64)
            if np.array_equal(whole, values):
                return whole
        if values.dtype.kind == "M" and np.datetime_data(values.dtype)[0] not in _DATES:
            # Python's own datetimes, unless they are finer than those are.
            coarse = values.astype("datetime64[us]")
            values = coarse if np.array_equal(coarse, values) else np.array(list(values), object)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InvalidTypeError(f"{name}: expected a sequence, got {type(values).__name__}")
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if listed and all(issubclass(kind, (int, np.integer)) for kind in set(map(type, listed))):
        try:
            return np.asarray(listed, np.int64)
        except OverflowError:
            pass
    if isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1:
        return values
    return np.fromiter(listed, object, len(listed))


def find_nulls(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where values are None or not a number."""
    if values.dtype.kind in "fmM":
        return np.asarray(np.isnan(values), np.bool_)
    if values.dtype.kind != "O":
        return np.zeros(len(values), np.bool_)
    with np.errstate(invalid="ignore"):
        absent = np.equal(values, np.array(None)) | np.not_equal(values, values)
    return np.asarray(absent, np.bool_)


class Vocabulary:
    """Distinct raw ids or feature values of any hashable type, each known by its place."""

    def __init__(self, values: Iterable[Any], name: str = "values") -> None:
        self.values = as_values(values, name)
        self._sorted: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None
        self._places: dict[Hashable, int] | None = None
        self._low: int | None = None
        self._table = np.empty(0, np.int32)

    @classmethod
    def of(cls, values: Iterable[Any], name: str) -> tuple["Vocabulary", NDArray[np.int32]]:
        """Return the distinct values, integers ascending, others by first use, and each's place."""
        given = as_values(values, name)
        if given.dtype == np.int64:
            distinct, codes = np.unique(given, return_inverse=True)
            return cls(distinct, name), codes.reshape(-1).astype(np.int32)
        try:
            vocabulary = cls(list(dict.fromkeys(given.tolist())), name)
        except TypeError as error:
            raise InvalidTypeError(f"{name}: expected hashable values; {error}") from None
        return vocabulary, vocabulary.encode(given, name)

    def encode(self, values: Iterable[Any], name: str = "values") -> NDArray[np.int32]:
        """Return the place of each value, −1 where it is unknown."""
        given = as_values(values, name)
        if given.dtype == np.int64 and self.values.dtype == np.int64:
            return self._find(given)
        places = self._dictionary()
        try:
            return np.fromiter(map(places.get, given.tolist(), repeat(-1)), np.int32, len(given))
        except TypeError as error:
            raise InvalidTypeError(f"{name}: expected hashable values; {error}") from None

    def _find(self, given: NDArray[np.int64]) -> NDArray[np.int32]:
        if not len(self):
            return np.full(len(given), -1, np.int32)
        if self._low is None:
            low, high = int(self.values.min()) - 1, int(self.values.max())
            # Ids without wide gaps: a table of them all, with a −1 below and above.
            if high - low <= 8 * len(self) and low >= np.iinfo(np.int64).min:
                self._table = np.full(high - low + 2, -1, np.int32)
                self._table[self.values - low] = np.arange(len(self), dtype=np.int32)
            else:
                at = np.argsort(self.values, kind="stable")
                self._sorted = self.values[at], at.astype(np.int32)
            self._low = low
        if self._sorted is None:
            # A difference that overflows is as far outside, on the other side.
            return self._table.take(given - self._low, mode="clip")
        keys, order = self._sorted
        at = keys.searchsorted(given)
        known = keys.take(at, mode="clip") == given
        return np.where(known, order.take(at, mode="clip"), np.int32(-1))

    def place(self, value: Any, name: str = "value") -> int:
        """Return the place of one value, −1 where it is unknown."""
        if len(self) > _SMALL:
            boxed = np.empty(1, object)
            boxed[0] = value
            return int(self.encode(boxed, name)[0])
        try:
            return self._dictionary().get(value, -1)
        except TypeError as error:
            raise InvalidTypeError(f"{name}: expected hashable values; {error}") from None

    def _dictionary(self) -> dict[Hashable, int]:
        if self._places is None:
            self._places = dict(zip(self.values.tolist(), range(len(self)), strict=True))
        return self._places

    def decode(self, codes: Sequence[int] | NDArray[Any], name: str = "codes") -> NDArray[Any]:
        """Return the values at the given places, int64 or objects."""
        index = np.asarray(codes, np.int64)
        check_index(index.reshape(-1), len(self), name, low=0)
        return self.values[index]

    def first_duplicate(self, name: str = "values") -> Any:
        """Return a value that occurs more than once, or None."""
        if self.values.dtype == np.int64:
            distinct, counts = np.unique(self.values, return_counts=True)
            return distinct[counts > 1][0].item() if (counts > 1).any() else None
        try:
            places = self._dictionary()
        except TypeError as error:
            raise InvalidTypeError(f"{name}: expected hashable values; {error}") from None
        if len(places) == len(self):
            return None
        first = np.ones(len(self), np.bool_)
        first[np.fromiter(places.values(), np.int64, len(places))] = False
        return self.values[int(np.argmax(first))]

    def kind(self) -> str | None:
        """Return "int" or "str" where all values are, else None; no value at all is "str"."""
        if self.values.dtype == np.int64:
            return "int"
        return "str" if all(isinstance(value, str) for value in self.values.tolist()) else None

    def example(self, at: int = 0) -> Any:
        """Return one of the values, as Python has it."""
        return self.values[at : at + 1].tolist()[0]

    def extended(self, more: NDArray[Any]) -> "Vocabulary":
        """Return these values and `more`, which are new, behind them."""
        if not len(more):
            return self
        return Vocabulary([*self.values.tolist(), *more.tolist()])

    def state(self, name: str) -> tuple[dict[str, NDArray[Any]], str]:
        """Return the values as arrays and their kind: int, str, json, or object, of no file."""
        if self.values.dtype == np.int64:
            return {f"{name}.values": self.values}, "int"
        kind, texts = "str", self.values.tolist()
        if self.kind() != "str":
            try:
                kind, texts = "json", [json.dumps(to_json(value)) for value in texts]
            except InvalidTypeError:
                return {f"{name}.values": self.values}, "object"
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        utf8 = np.array(bytearray(b"".join(encoded)), np.uint8)
        return {f"{name}.utf8": utf8, f"{name}.offsets": offsets_of(lengths)}, kind

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], name: str, kind: str) -> "Vocabulary":
        """Return what `state` wrote."""
        if kind == "int":
            return cls(borrowed(arrays[f"{name}.values"], name, np.int64))
        if kind == "object":
            return cls(borrowed(arrays[f"{name}.values"], name, np.object_))
        if kind not in ("str", "json"):
            raise InvalidValueError(f"{name}: no kind {kind!r}; there are int, str and json")
        bounds = borrowed(arrays[f"{name}.offsets"], name, np.int64)
        utf8 = borrowed(arrays[f"{name}.utf8"], name, np.uint8)
        check_offsets(bounds, len(utf8), f"{name}.offsets", f"{name}.utf8")
        text, spans = utf8.tobytes(), pairwise(bounds.tolist())
        texts = [text[a:b].decode("utf-8", "surrogatepass") for a, b in spans]
        return cls(texts if kind == "str" else [from_json(json.loads(each)) for each in texts])

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        few = ", ".join(map(repr, self.values[:3].tolist()))
        return f"Vocabulary({len(self):,} values: {few}{', ...' if len(self) > 3 else ''})"
