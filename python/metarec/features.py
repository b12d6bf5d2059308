"""What is known of users and of items: tables of fields, borrowed from NumPy without a copy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.arrays import check_finite, check_index, offsets_of, ragged_range
from metarec.display import html_table
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.transforms import Transform, bucketise, hash, log, standardise

__all__ = [
    "Bag",
    "Categorical",
    "Dense",
    "FeatureTable",
    "Transform",
    "bucketise",
    "hash",
    "log",
    "standardise",
    "text",
    "vectors",
]

if TYPE_CHECKING:
    from pathlib import Path

    from metarec.text.encoder import Encoder

    Floats = NDArray[np.float32] | NDArray[np.float64]
    NativeField = tuple[
        str, str, int, NDArray[np.int32] | None, NDArray[np.int64] | None, Floats | None
    ]


@dataclass(frozen=True, eq=False)
class Categorical:
    """One value of `size` a row; −1 is an unknown value and contributes a zero vector.

    Parameters
    ----------
    ids : int32 [rows]
        Value numbers, −1 <= id < size.
    size : int
        Number of values.

    Examples
    --------
    >>> Categorical(np.array([0, 2, -1], np.int32), size=3).rows
    3
    """

    kind: ClassVar[str] = "categorical"
    ids: NDArray[np.int32]
    size: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return _rows(self.ids)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What is borrowed."""
        return (self.ids,)

    def _row(self, row: int) -> "Categorical":
        return Categorical(self.ids[row : row + 1], self.size)

    def _take(self, rows: NDArray[np.int64]) -> "Categorical":
        ids = np.full(len(rows), -1, np.int32)
        ids[rows >= 0] = self.ids[rows[rows >= 0]]
        return Categorical(ids, self.size)

    def _native(self, name: str) -> "NativeField":
        return name, self.kind, self.size, self.ids, None, None

    def __repr__(self) -> str:
        return f"Categorical({self.rows:,} rows, size={self.size:,})"


@dataclass(frozen=True, eq=False)
class Bag:
    """Several values of `size` a row, such as genres: their mean embedding, zero for an empty bag.

    Parameters
    ----------
    ids : int32 [values]
        Value numbers, −1 <= id < size; −1 is left out of the mean.
    offsets : int64 [rows + 1]
        The values of row r are ``ids[offsets[r]:offsets[r + 1]]``.
    size : int
        Number of values.

    Examples
    --------
    >>> Bag(np.array([0, 1, 1], np.int32), np.array([0, 2, 3]), size=2).rows
    2
    """

    kind: ClassVar[str] = "bag"
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    size: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return max(_rows(self.offsets) - 1, 0)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What is borrowed."""
        return self.ids, self.offsets

    def _row(self, row: int) -> "Bag":
        ids = self.ids[self.offsets[row] : self.offsets[row + 1]]
        return Bag(ids, np.array([0, len(ids)], np.int64), self.size)

    def _take(self, rows: NDArray[np.int64]) -> "Bag":
        starts, counts = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        known = rows >= 0
        starts[known] = self.offsets[rows[known]]
        counts[known] = self.offsets[rows[known] + 1] - starts[known]
        return Bag(self.ids[ragged_range(starts, counts)], offsets_of(counts), self.size)

    def _native(self, name: str) -> "NativeField":
        return name, self.kind, self.size, self.ids, self.offsets, None

    def __repr__(self) -> str:
        return f"Bag({self.rows:,} rows, {len(self.ids):,} values, size={self.size:,})"


@dataclass(frozen=True, eq=False)
class Dense:
    """A vector a row, such as a text embedding or a price; zeros are an unknown vector.

    Parameters
    ----------
    vectors : float32 or float64 [rows, d]
        Finite numbers. Read-only memory of the array's own (``vectors.setflags(write=False)``) is
        taken to stay as it is; what may be written is looked at whenever it is used.

    Examples
    --------
    >>> Dense(np.zeros((3, 8), np.float32)).size
    8
    """

    kind: ClassVar[str] = "dense"
    vectors: "Floats"

    @property
    def rows(self) -> int:
        """Number of rows."""
        return _rows(self.vectors)

    @property
    def size(self) -> int:
        """Number of columns d."""
        shape = np.shape(self.vectors)
        return int(shape[1]) if len(shape) == 2 else 0

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What is borrowed."""
        return (self.vectors,)

    def _row(self, row: int) -> "Dense":
        return Dense(self.vectors[row : row + 1])

    def _take(self, rows: NDArray[np.int64]) -> "Dense":
        vectors = np.zeros((len(rows), self.size), self.vectors.dtype)
        vectors[rows >= 0] = self.vectors[rows[rows >= 0]]
        return Dense(vectors)

    def _native(self, name: str) -> "NativeField":
        return name, self.kind, self.size, None, None, self.vectors

    def __repr__(self) -> str:
        return f"Dense({self.rows:,} rows, size={self.size:,})"


Field = Categorical | Bag | Dense


def text(
    column: Any,
    encoder: "Encoder | str | Path | None" = None,
    *,
    cache: "bool | str | Path" = True,
    fingerprint: str | None = None,
) -> Dense:
    """Return texts, such as plots or titles, as a dense field: a sentence encoder's vectors.

    Every distinct text is encoded once, and its vector kept on disk by the text's content, so that
    the second time is quick. A missing or empty text is unknown: a vector of zeros.

    Parameters
    ----------
    column : sequence of str [rows]
        A list, array or column of a frame; None or NaN where there is none.
    encoder : callable, folder or None
        What makes vectors [n, d] of a list of n texts: any function, an object with a method
        ``encode`` such as a ``SentenceTransformer``, or the folder of a `SentenceEncoder`. None:
        ``SentenceEncoder()``.
    cache : bool or path
        The folder to keep vectors in; True: ``~/.cache/metarec/text``. An encoder without an
        attribute `fingerprint` is not cached, unless `fingerprint` names it.
    fingerprint : str, optional
        Names the encoder in the cache; another encoder needs another name.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        A value is no text, all are missing, or the encoder gave no finite vectors [n, d].
    MissingDependencyError
        The default encoder is not installed; the message says how.

    Examples
    --------
    >>> def letters(texts):
    ...     return [[text.count("a"), len(text)] for text in texts]
    >>> text(["Alien", None, "Brazil"], letters).vectors
    array([[0., 5.],
           [0., 0.],
           [1., 6.]], dtype=float32)

    The titles of a data set beside its other fields:

    >>> import metarec as mr
    >>> data = mr.datasets.synthetic(users=50, items=30, seed=0)
    >>> titles = mr.features.text(data.item_columns["title"], letters)
    >>> items = mr.FeatureTable({**data.items.fields, "title": titles})
    >>> data.with_features(items, data.users).items["title"]
    Dense(30 rows, size=2)
    """
    from metarec.text.encoding import encode_texts

    return Dense(encode_texts(column, encoder, cache, fingerprint))


def vectors(values: Any, *, unit: bool = False) -> Dense:
    """Return any vectors, such as of images, as a dense field.

    Parameters
    ----------
    values : numbers [rows, d]
        float32 and float64 stay what they are; others become float32. A row with NaN is unknown: a
        vector of zeros.
    unit : bool
        Scale every vector to norm 1.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        These are no numbers [rows, d], or one is infinite.

    Examples
    --------
    >>> vectors([[3, 4], [float("nan"), 0]], unit=True).vectors
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    try:
        rows = np.asarray(values)
        if rows.dtype not in (np.float32, np.float64):
            rows = rows.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"values: expected numbers [rows, d]; {error}") from None
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise InvalidValueError(f"values: expected [rows, d], got shape {list(rows.shape)}")
    rows = np.where(np.isnan(rows).any(1, keepdims=True), rows.dtype.type(0), rows)
    check_finite(rows, "values")
    if unit:
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / np.where(norms == 0, 1, norms)
    return Dense(np.ascontiguousarray(rows))


class FeatureTable:
    """The features of all users or of all items, one row each, looked up by row number.

    Fields enter a network in the order given. Arrays are borrowed, never copied or converted:
    changing them changes the table.

    Parameters
    ----------
    fields : mapping of str to Categorical, Bag or Dense
        All with the same number of rows.

    Raises
    ------
    InvalidTypeError
        An array has another dtype, byte order or layout than its field wants.
    InvalidIndexError
        A value number is below −1 or not below its field's size.
    InvalidValueError
        No field, different numbers of rows, offsets that fall or overrun, a vector that is not
        finite.

    Examples
    --------
    >>> import metarec as mr
    >>> table = mr.FeatureTable({"genre": mr.Categorical(np.array([0, 1], np.int32), size=2)})
    >>> table.rows
    2
    """

    def __init__(self, fields: Mapping[str, Field]) -> None:
        if not isinstance(fields, Mapping):
            raise InvalidTypeError(f"fields: expected a mapping, got {type(fields).__name__}")
        if not fields:
            raise InvalidValueError("fields: expected at least one field, got none")
        for name, field in fields.items():
            if not isinstance(name, str):
                raise InvalidTypeError(f"fields: expected str names, got {name!r}")
            if not isinstance(field, Field):
                raise InvalidTypeError(
                    f"fields[{name!r}]: expected Categorical, Bag or Dense, got "
                    f"{type(field).__name__}"
                )
        self._fields = dict(fields)
        self._handle: _metarec.Features | None = None
        self.native  # noqa: B018 making it checks the arrays

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields by name, in order."""
        return MappingProxyType(self._fields)

    @property
    def rows(self) -> int:
        """Number of users or items."""
        return next(iter(self._fields.values())).rows

    @property
    def native(self) -> "_metarec.Features":
        """The kernels' handle on this memory, which is checked when it is made."""
        if self._handle is None:
            fields = [field._native(name) for name, field in self._fields.items()]
            self._handle = _metarec.Features(self.rows, fields)
        return self._handle

    def _replaced(self, fields: dict[str, Field]) -> "FeatureTable":
        """Return this table with other values in some of its fields: the same kinds and sizes."""
        table = object.__new__(FeatureTable)
        table._fields, table._handle = self._fields | fields, None
        table.native  # noqa: B018 making it checks the arrays
        return table

    def take(self, rows: ArrayLike) -> "FeatureTable":
        """Return a new table of some rows, copied; −1 gives a row of unknown values.

        ``take([])`` is the table without rows that fixes a model's shapes.
        """
        index = np.asarray(rows, np.int64) if np.size(rows) else np.empty(0, np.int64)
        check_index(index, self.rows, "rows")
        return FeatureTable({name: field._take(index) for name, field in self._fields.items()})

    def row(self, index: int) -> "FeatureTable":
        """Return the table of one row, over the same memory."""
        return FeatureTable({name: field._row(index) for name, field in self._fields.items()})

    def state(self, prefix: str) -> tuple[dict[str, NDArray[Any]], list[dict[str, Any]]]:
        """Return arrays, their names beginning with `prefix`, and JSON for `from_state`."""
        arrays: dict[str, NDArray[Any]] = {}
        entries = []
        for name, field in self._fields.items():
            for part in ("ids", "offsets", "vectors"):
                if hasattr(field, part):
                    arrays[f"{prefix}.{name}.{part}"] = getattr(field, part)
            entries.append({"name": name, "kind": field.kind, "size": field.size})
        return arrays, entries

    @classmethod
    def from_state(
        cls, prefix: str, arrays: Mapping[str, NDArray[Any]], entries: Iterable[Mapping[str, Any]]
    ) -> "FeatureTable":
        """Return what `state` wrote."""

        def field(name: str, kind: str, size: int) -> Field:
            def part(of: str) -> NDArray[Any]:
                return arrays[f"{prefix}.{name}.{of}"]

            if kind == Dense.kind:
                vectors = np.array(part("vectors"))
                vectors.setflags(write=False)
                return Dense(vectors)
            if kind == Bag.kind:
                return Bag(part("ids"), part("offsets"), size)
            if kind == Categorical.kind:
                return Categorical(part("ids"), size)
            raise InvalidValueError(f"{name}: no field kind {kind!r}")

        return cls({entry["name"]: field(**entry) for entry in entries})

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __getstate__(self) -> dict[str, Any]:
        return {"_fields": self._fields, "_handle": None}

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}: {f.kind} {f.size:,}" for name, f in self._fields.items())
        return f"FeatureTable({self.rows:,} rows; {fields})"

    def _repr_html_(self) -> str:
        rows = [(name, f.kind, f"{f.size:,}") for name, f in self._fields.items()]
        return html_table(f"FeatureTable: {self.rows:,} rows", ("field", "kind", "size"), rows)


def _rows(array: Any) -> int:
    shape = np.shape(array)
    return int(shape[0]) if shape else 0
