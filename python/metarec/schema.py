"""What the columns of a data set were taken for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec.cleaning import Step
from metarec.display import counted, html_table
from metarec.vocabulary import find_nulls

if TYPE_CHECKING:
    from metarec.dataset import Dataset
    from metarec.entities import Entities


@dataclass(frozen=True)
class Origin:
    """Where a data set comes from: its columns' names, rows that came, what was done to them."""

    names: Mapping[str, str | None] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    id_names: dict[str, str] = field(default_factory=dict)
    came: int | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class ColumnSchema:
    """One column: its table, name and type, what it is used as, and how many values are missing.

    `use` is "user id", "item id", "rating", "timestamp", "categorical", "bag", "dense", "content",
    or "left out"; `about` tells how many values there are, or from where to where.
    """

    table: str
    column: str
    type: str
    use: str
    about: str = ""
    missing: int = 0


@dataclass(frozen=True)
class Schema:
    """The columns of a data set and what they are used as, a row each.

    Examples
    --------
    >>> ratings = {"userId": [1, 1, 2], "movieId": [6, 7, 6], "rating": [4.5, 3, 5]}
    >>> movies = {"movieId": [6, 7], "genres": ["Crime|Drama", "Drama"], "title": ["Heat", "Ran"]}
    >>> mr.Dataset.from_frames(ratings, items=movies, fields={"title": "content"}).schema
    Schema
      ratings  userId   int      user id  2 different
      ratings  movieId  int      item id  2 different
      ratings  rating   float32  rating   3 to 5
      items    movieId  int      item id  2 different
      items    genres   str      bag      2 values
      items    title    str      content  2 different
    """

    columns: tuple[ColumnSchema, ...]

    def __iter__(self) -> Iterator[ColumnSchema]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return a dict a column, for JSON or a frame."""
        return [dict(vars(column)) for column in self.columns]

    def _rows(self) -> list[tuple[str, str, str, str, str]]:
        return [
            (c.table, str(c.column), c.type, c.use, ", ".join(filter(None, (c.about, _missing(c)))))
            for c in self.columns
        ]

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )
        return "\n".join(["Schema", *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        return html_table("Schema", ("table", "column", "type", "used as", ""), self._rows())


def _missing(column: ColumnSchema) -> str:
    return f"{column.missing:,} missing" if column.missing else ""


def schema_of(data: Dataset, users: Entities, items: Entities, origin: Origin) -> Schema:
    """Return the schema of a whole data set."""
    names = {"user": "user", "item": "item", "rating": "rating"}
    names |= {role: name for role, name in origin.names.items() if name is not None}
    low, high = data.scale
    found = [
        _ids("ratings", names["user"], users, data.user),
        _ids("ratings", names["item"], items, data.item),
    ]
    if origin.names.get("rating", "rating") is None:
        found.append(ColumnSchema("ratings", "", "", "rating", "1 of every row"))
    else:
        kind = data.rating.dtype.name
        found.append(ColumnSchema("ratings", names["rating"], kind, "rating", _span(low, high)))
    if data.timestamp is not None:
        name = names.get("timestamp", "timestamp")
        span = (data.timestamp.min(), data.timestamp.max()) if len(data) else (0, 0)
        found.append(ColumnSchema("ratings", name, "int64", "timestamp", _span(*span)))
    found += [
        ColumnSchema("ratings", name, kind, "left out") for name, kind in origin.others.items()
    ]
    for entities, content in ((users, ()), (items, data.content_columns)):
        found += _of_entities(entities, content, origin.id_names.get(entities.noun))
    return Schema(tuple(found))


def _of_entities(
    entities: Entities, content: tuple[str, ...], id_name: str | None
) -> Iterator[ColumnSchema]:
    table = f"{entities.noun}s"
    fields = {} if entities.features is None else entities.features.fields
    raw = {name: values[: entities.described] for name, values in entities.columns.items()}
    for name in [*raw, *(name for name in fields if name not in raw)]:
        values = raw.get(name)
        missing = 0 if values is None else _nulls(values)
        kind = "" if values is None else _type(values)
        if name in fields:
            made = fields[name]
            about = counted(made.size, "number" if made.kind == "dense" else "value")
            if name in entities.transforms:
                transform = entities.transforms[name]
                about += f", {transform!r}" + (f": {transform.about}" if transform.about else "")
            if name == entities.noun and id_name is None:
                about += ", the id itself"
            yield ColumnSchema(table, name, kind, made.kind, about, missing)
        elif name == id_name:
            about = f"{entities.described:,} different"
            yield ColumnSchema(table, name, kind, f"{entities.noun} id", about)
        elif values is not None and id_name is not None:
            use = "content" if name in content else "left out"
            yield ColumnSchema(table, name, kind, use, _distinct(values), missing)


def _ids(table: str, name: str, entities: Entities, codes: NDArray[np.int32]) -> ColumnSchema:
    kind = _type(entities.ids.values) if len(entities.ids) else ""
    count = len(np.unique(codes))
    return ColumnSchema(table, name, kind, f"{entities.noun} id", f"{count:,} different")


def _span(low: Any, high: Any) -> str:
    return f"{low:g} to {high:g}" if isinstance(low, float) else f"{low} to {high}"


def _type(values: NDArray[Any]) -> str:
    if values.ndim == 2:
        return f"{values.dtype.name} [{values.shape[1]}]"
    if values.dtype != object:
        return "int" if values.dtype == np.int64 else values.dtype.name
    kinds = {type(value).__name__ for value in values.tolist() if value is not None}
    return " or ".join(sorted(kinds)[:3])


def _nulls(values: NDArray[Any]) -> int:
    if values.ndim == 2:
        return 0
    try:
        return int(find_nulls(values).sum())
    except (TypeError, ValueError):  # rows that are arrays themselves
        return sum(value is None for value in values.tolist())


def _distinct(values: NDArray[Any]) -> str:
    try:
        known = {value for value in values.tolist() if value is not None and value == value}
        return f"{len(known):,} different"
    except (TypeError, ValueError):
        return ""
