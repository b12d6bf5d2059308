"""The users or the items of a data set: who they are and what is known of them."""

import warnings
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import check_finite
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import Bag, Categorical, Dense, FeatureTable, Field
from metarec.fields import Kind, infer_kind, is_nearly_unique, make_field, split_bags, transformed
from metarec.frames import Column, as_column, require_ids
from metarec.transforms import Transform, from_state, to_state
from metarec.vocabulary import Vocabulary

#: Of a field with no more values rows are kept: making one takes longer than finding it.
_KEPT = 4096


class Entities:
    """Ids, features, the raw values behind the features' numbers, and all columns as they came.

    `noun` is "user" or "item". Every array has one entry per id, in the order of `ids`; the first
    `described` of them came with a row of their own.
    """

    def __init__(
        self,
        noun: str,
        ids: Vocabulary,
        features: FeatureTable | None = None,
        values: Mapping[str, Vocabulary] | None = None,
        columns: Mapping[str, NDArray[Any]] | None = None,
        transforms: Mapping[str, Transform] | None = None,
        described: int | None = None,
    ) -> None:
        self.noun, self.ids, self.features = noun, ids, features
        self.values, self.columns = dict(values or {}), dict(columns or {noun: ids.values})
        self.transforms = dict(transforms or {})
        self.described = len(ids) if described is None else described
        self._numbers: dict[str, Vocabulary] = {}
        self._rows: dict[tuple[str, Hashable], Categorical] = {}

    @classmethod
    def from_columns(
        cls, noun: str, id_name: str, columns: dict[str, Column], kinds: Mapping[str, Kind]
    ) -> "Entities":
        """Return the entities that a frame describes, one row each."""
        table = f"{noun}s"
        where = f"{table}[{id_name!r}]"
        ids = Vocabulary(require_ids(columns, id_name, table), where)
        duplicate = ids.first_duplicate(where)
        if duplicate is not None:
            raise InvalidValueError(f"{where}: expected one row per id, got {duplicate!r} twice")
        fields: dict[str, Field] = {}
        values: dict[str, Vocabulary] = {}
        transforms: dict[str, Transform] = {}
        for name, column in columns.items():
            label = f"{table}[{name!r}]"
            if name == id_name and name not in kinds:
                continue
            kind = kinds[name] if name in kinds else infer_kind(column, label)
            if kind is None or kind == "content":
                continue
            if name not in kinds and kind == "categorical" and is_nearly_unique(column):
                _warn_of_unique(column, label, name, noun)
            if isinstance(kind, Transform):
                kind = transforms[name] = kind.fitted(column, label)
            fields[name], vocabulary = make_field(column, label, kind)
            if vocabulary is not None:
                values[name] = vocabulary
        raw = {name: column.raw() for name, column in columns.items()} | {id_name: ids.values}
        features = FeatureTable(fields) if fields else None
        return cls(noun, ids, features, values, raw, transforms)

    def covering(self, others: NDArray[Any]) -> "Entities":
        """Return these and, with unknown features behind them, those of `others` not among them."""
        missing = others[self.ids.encode(others) < 0]
        if not len(missing):
            return self
        new = Vocabulary.of(missing, self.noun)[0].values
        rows = np.concatenate([np.arange(len(self.ids)), np.full(len(new), -1)])
        features = None if self.features is None else self.features.take(rows)
        ids = self.ids.extended(new)
        columns = {
            name: ids.values if column is self.ids.values else _padded(column, len(new))
            for name, column in self.columns.items()
        }
        known = self.transforms, self.described
        return Entities(self.noun, ids, features, self.values, columns, *known)

    def fitted_on(self, codes: NDArray[np.int32]) -> "Entities":
        """Return these with the transforms' statistics of those of `codes` that have a row."""
        if not self.transforms or self.features is None:
            return self
        rows = np.unique(codes)
        rows = rows[rows < self.described]
        fields, transforms = dict(self.features.fields), {}
        for name, transform in self.transforms.items():
            label, column = f"{self.noun}s[{name!r}]", as_column(self.columns[name], name)
            seen = Column(column.values[rows], column.null[rows])
            transforms[name] = transform.fitted(seen, label)
            fields[name] = transformed(column, label, transforms[name])
        known = self.values, self.columns, transforms, self.described
        return Entities(self.noun, self.ids, FeatureTable(fields), *known)

    def with_id_field(self) -> "Entities":
        """Return these with the id itself as the only field, where there is no other."""
        if self.features is not None:
            return self
        numbers = Categorical(np.arange(len(self.ids), dtype=np.int32), len(self.ids))
        return Entities(
            self.noun,
            self.ids,
            FeatureTable({self.noun: numbers}),
            {self.noun: self.ids},
            self.columns,
            described=self.described,
        )

    def with_features(self, features: FeatureTable | None) -> "Entities":
        """Return these with other features, one row each; values are kept by the fields' names."""
        known = {} if features is None else features.fields
        values = {name: found for name, found in self.values.items() if name in known}
        if self.noun in known:
            values[self.noun] = self.ids
        transforms = {
            name: made
            for name, made in self.transforms.items()
            if self.features is not None and known.get(name) is self.features[name]
        }
        of_rows = self.columns, transforms, self.described
        return Entities(self.noun, self.ids, features, values, *of_rows)

    def encode(self, raw: Mapping[str, Any], name: str) -> FeatureTable | None:
        """Return a table of one row from raw values; what is left out or never seen is unknown."""
        fields: Mapping[str, Field] = {} if self.features is None else self.features.fields
        given: dict[str, Field] = {}
        for key, value in raw.items():
            try:
                row = self._rows.get((key, value))
            except TypeError:  # a list, such as a bag's
                row = None
            if row is not None:
                given[key] = row
            elif key not in fields:
                raise InvalidValueError(f"{name}: no field {key!r}; the fields are {list(fields)}")
            elif _is_given(value):
                given[key] = self._encode(key, fields[key], value, f"{name}[{key!r}]")
        if not fields:
            return None
        return self._unknown._replaced(given) if given else self._unknown

    @cached_property
    def _unknown(self) -> FeatureTable:
        """One row of which nothing is known. Its arrays are shared, and so not to be written."""
        assert self.features is not None
        row = self.features.take([-1])
        for field in row.fields.values():
            for array in field.arrays:
                array.flags.writeable = False
        return row

    def _encode(self, key: str, field: Field, value: Any, name: str) -> Field:
        if key in self.transforms:
            return self._transform(self.transforms[key], field, value, name)
        if isinstance(field, Dense):
            try:
                vector = np.atleast_2d(np.asarray(value, field.vectors.dtype))
            except (TypeError, ValueError):
                raise InvalidTypeError(
                    f"{name}: expected {field.size} number(s), got {value!r}"
                ) from None
            if vector.shape != (1, field.size):
                raise InvalidValueError(f"{name}: expected {field.size} number(s), got {value!r}")
            check_finite(vector, name)
            return Dense(vector)
        vocabulary = self._vocabulary(key, field.size)
        if isinstance(field, Bag):
            boxed = np.empty(1, object)
            boxed[0] = value
            ids = vocabulary.encode(list(split_bags(boxed)[0]), name)
            ids = ids[ids >= 0]
            return Bag(ids, np.array([0, len(ids)], np.int64), field.size)
        place = vocabulary.place(value, name)
        if place < 0:
            return self._unknown.fields[key]
        row = Categorical(np.array([place], np.int32), field.size)
        row.ids.flags.writeable = False
        if field.size <= _KEPT:
            self._rows[key, value] = row
        return row

    def __getstate__(self) -> dict[str, Any]:
        """Return all but what is made again when it is asked for."""
        state = {name: value for name, value in self.__dict__.items() if name != "_unknown"}
        return state | {"_rows": {}}

    def _transform(self, transform: Transform, field: Field, value: Any, name: str) -> Field:
        boxed = np.empty(1, object)
        boxed[0] = value.tolist() if isinstance(value, np.ndarray) else value
        row = transformed(Column(boxed, np.zeros(1, np.bool_)), name, transform)
        if isinstance(field, Bag) and isinstance(row, Categorical):  # one value, such as "Drama"
            row = Bag(row.ids, np.array([0, 1], np.int64), field.size)
        if isinstance(field, Dense) and isinstance(row, Dense):
            if row.size != field.size:
                raise InvalidValueError(f"{name}: expected {field.size} number(s), got {value!r}")
            return row
        if type(row) is not type(field):
            raise InvalidTypeError(f"{name}: expected one value, got {value!r}")
        return row

    def _vocabulary(self, key: str, size: int) -> Vocabulary:
        # Without raw values (a table of the user's own) the numbers stand for themselves.
        if key in self.values:
            return self.values[key]
        if key not in self._numbers:
            self._numbers[key] = Vocabulary(np.arange(size))
        return self._numbers[key]

    def unseen(self, codes: NDArray[np.int32]) -> dict[str, NDArray[np.int64]]:
        """Return the value numbers of each categorical and bag field that none of `codes` has."""
        if self.features is None:
            return {}
        missing = {}
        for name, field in self.features.take(np.unique(codes)).fields.items():
            if not isinstance(field, Dense):
                absent = np.ones(field.size, np.bool_)
                absent[field.ids[field.ids >= 0]] = False
                missing[name] = np.flatnonzero(absent)
        return missing

    def state(self, with_rows: bool) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and JSON for `from_state`; without rows: the mapping of values alone."""
        kept = self if with_rows else self._without_rows()
        arrays, ids = kept.ids.state(f"{self.noun}.ids")
        fields: list[dict[str, Any]] = []
        if kept.features is not None:
            more, fields = kept.features.state(f"{self.noun}.field")
            arrays |= more
        values: dict[str, str] = {}
        for name, vocabulary in self.values.items():
            if vocabulary is self.ids:
                values[name] = "ids"
            else:
                more, values[name] = vocabulary.state(f"{self.noun}.values.{name}")
                arrays |= more
        transforms = {name: to_state(made) for name, made in self.transforms.items()}
        return arrays, {"ids": ids, "fields": fields, "values": values, "transforms": transforms}

    @classmethod
    def from_state(
        cls, noun: str, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]
    ) -> "Entities":
        """Return what `state` wrote."""
        ids = Vocabulary.from_state(arrays, f"{noun}.ids", state["ids"])
        fields = state["fields"]
        features = FeatureTable.from_state(f"{noun}.field", arrays, fields) if fields else None
        if features is not None and features.rows != len(ids):
            raise InvalidValueError(f"{noun}: {features.rows} rows of features, {len(ids)} ids")
        values = {
            name: ids
            if kind == "ids"
            else Vocabulary.from_state(arrays, f"{noun}.values.{name}", kind)
            for name, kind in state["values"].items()
        }
        transforms = {name: from_state(made) for name, made in state.get("transforms", {}).items()}
        return cls(noun, ids, features, values, None, transforms)

    def _without_rows(self) -> "Entities":
        features = None if self.features is None else self.features.take([])
        return Entities(
            self.noun, Vocabulary([]), features, self.values, transforms=self.transforms
        )


def _warn_of_unique(column: Column, label: str, name: str, noun: str) -> None:
    known = column.values[~column.null].tolist()
    content = "" if noun == "user" else f", or {{{name!r}: 'content'}} for the words in it"
    warnings.warn(
        f"{label}: {len(set(known)):,} different texts in {len(known):,} rows; as a feature it "
        f"says little of a new {noun}: leave it out with fields={{{name!r}: None}}{content}",
        stacklevel=5,
    )


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, (float, np.floating)) and np.isnan(value))


def _padded(column: NDArray[Any], count: int) -> NDArray[Any]:
    empty = Column(
        np.concatenate([column, np.zeros((count, *column.shape[1:]), column.dtype)]),
        np.arange(len(column) + count) >= len(column),
    )
    return empty.raw()


def described(
    noun: str, table: FeatureTable | None, ids: Iterable[Hashable] | None
) -> Entities | None:
    """Return entities whose features are made already, None where there are none."""
    if table is None:
        if ids is not None:
            raise InvalidValueError(f"{noun}_ids: expected together with {noun}s, got no {noun}s")
        return None
    if not isinstance(table, FeatureTable):
        raise InvalidTypeError(f"{noun}s: expected FeatureTable, got {type(table).__name__}")
    vocabulary = Vocabulary(np.arange(table.rows) if ids is None else ids, f"{noun}_ids")
    if len(vocabulary) != table.rows:
        raise InvalidValueError(f"{noun}_ids: expected {table.rows} ids, got {len(vocabulary)}")
    duplicate = vocabulary.first_duplicate(f"{noun}_ids")
    if duplicate is not None:
        raise InvalidValueError(f"{noun}_ids: expected distinct ids, got {duplicate!r} twice")
    return Entities(noun, vocabulary, table)


def encoded(
    noun: str, id_name: str, entities: Entities | None, columns: dict[str, Column]
) -> tuple[Entities, NDArray[np.int32]]:
    """Return the entities that the ratings name, and a code for each rating."""
    ids = require_ids(columns, id_name, "ratings")
    if entities is None:
        vocabulary, codes = Vocabulary.of(ids, noun)
        return Entities(noun, vocabulary), codes
    described = len(entities.ids)
    covering = entities.covering(ids)
    codes = covering.ids.encode(ids, noun)
    if described and len(codes) and codes.min() >= described:
        known, other = entities.ids.example(), covering.ids.example(described)
        raise InvalidValueError(
            f"ratings[{id_name!r}]: expected ids that are in {noun}s, such as {known!r}, got only "
            f"others, such as {other!r}"
        )
    return covering, codes
