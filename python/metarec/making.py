"""Making a data set of columns: which are which, what is cleaned, and what numbers they get."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import check_finite
from metarec.cleaner import Cleaner, clean_table, notes
from metarec.cleaning import Cleaning, CleaningReport, Step
from metarec.entities import Entities, encoded
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.fields import KINDS, Kind, suggest
from metarec.frames import Column, as_numbers, as_timestamp, read_columns, require
from metarec.roles import AUTO, assign, id_column
from metarec.schema import Origin
from metarec.transforms import Transform

if TYPE_CHECKING:
    from metarec.dataset import Dataset

Names = Mapping[str, Any]  # a column may have any name; None: there is none


def of_frames(
    frames: Mapping[str, Any],
    names: Names,
    fields: Mapping[str, Kind],
    rules: Cleaning | None,
    *,
    suggested: bool = False,
) -> dict[str, Any]:
    """Return the arguments of `Dataset` from tables of ratings, users and items.

    Where it is `suggested`, columns that `fields` does not name become what `suggest` says.
    """
    columns = read_columns(frames["ratings"], "ratings")
    found = assign(columns, names, "ratings")
    tables: dict[str, dict[str, Column]] = {}
    for noun in ("user", "item"):
        frame = frames[f"{noun}s"]
        if frame is not None:
            tables[noun] = read_columns(frame, f"{noun}s")
    kinds = _checked(fields, tables)
    told = _unusable_time(columns, names, found)
    described: dict[str, Entities | None] = {"user": None, "item": None}
    id_names = {}
    for noun, table in tables.items():
        name = id_names[noun] = id_column(table, noun, found[noun])
        if rules is not None:
            table, steps = clean_table(table, noun, name, _rules(rules))
            told += steps
        if suggested:
            kinds = suggest(table, noun, name) | kinds
        described[noun] = Entities.from_columns(noun, name, table, kinds)
    made = of_columns(columns, described, found, rules, told)
    made["origin"].id_names.update(id_names)
    made["content_columns"] = tuple(
        name for name, kind in kinds.items() if kind == "content" and name in tables.get("item", {})
    )
    return made


def _rules(rules: Any) -> Cleaning:
    if not isinstance(rules, Cleaning):
        raise InvalidTypeError(f"clean: expected Cleaning, got {type(rules).__name__}")
    return rules


def _checked(
    fields: Mapping[str, Kind], tables: Mapping[str, Mapping[str, Column]]
) -> dict[str, Kind]:
    known = {name for table in tables.values() for name in table}
    for name, kind in fields.items():
        if name not in known:
            raise InvalidValueError(f"fields: no column {name!r} in users or items")
        if not isinstance(kind, Transform) and kind not in KINDS:
            raise InvalidValueError(
                f"fields[{name!r}]: expected one of {KINDS} or a transform, got {kind!r}"
            )
        if kind == "content" and name not in tables.get("item", {}):
            raise InvalidValueError(f"fields[{name!r}]: 'content' is of items, not of users")
    return dict(fields)


def of_columns(
    columns: Mapping[str, Column],
    described: Mapping[str, Entities | None],
    names: Names,
    rules: Cleaning | None = None,
    told: Sequence[Step] = (),
) -> dict[str, Any]:
    """Return the arguments of `Dataset` from the ratings' columns and what is known of the rest."""
    for name in names.values():
        if name is not None:
            require(columns, name, "ratings")
    cleaner = Cleaner(columns, names)
    if rules is not None:
        ids = {noun: found.ids for noun, found in described.items() if found is not None}
        cleaner.apply(_rules(rules), ids)
    columns = cleaner.columns
    entities, codes = {}, {}
    for noun in ("user", "item"):
        entities[noun], codes[noun] = encoded(noun, names[noun], described[noun], columns)
    rating = _ratings(columns, names["rating"], len(codes["user"]))
    return {
        "user": codes["user"],
        "item": codes["item"],
        "rating": rating,
        "timestamp": _timestamps(columns, names["timestamp"]),
        "user_entities": entities["user"],
        "item_entities": entities["item"],
        "scale": (float(rating.min()), float(rating.max())) if len(rating) else (0.0, 0.0),
        "origin": _origin(cleaner, names, told),
    }


def _ratings(columns: Mapping[str, Column], name: str | None, count: int) -> NDArray[np.float32]:
    if name is None:
        return np.ones(count, np.float32)
    label = f"ratings[{name!r}]"
    given = as_numbers(require(columns, name, "ratings"), label)
    rating = given.astype(np.float32, copy=False)
    check_finite(rating, label)
    return rating


def _timestamps(columns: Mapping[str, Column], name: str | None) -> NDArray[np.int64] | None:
    if name is None:
        return None
    return as_timestamp(require(columns, name, "ratings"), f"ratings[{name!r}]")


def _unusable_time(
    columns: Mapping[str, Column], wanted: Names, found: dict[str, str | None]
) -> list[Step]:
    """Leave a column out that only looks like times, by its name."""
    name = found["timestamp"]
    if name is None or wanted["timestamp"] != AUTO:
        return []
    label = f"ratings[{name!r}]"
    try:
        as_timestamp(columns[name], label)
    except (InvalidTypeError, InvalidValueError) as error:
        found["timestamp"] = None
        return [Step("timestamp", len(columns[name].values), "not used", str(error))]
    return []


def _origin(cleaner: Cleaner, names: Names, notes: Sequence[Step]) -> Origin:
    used = set(names.values())
    kinds = {name: column.values.dtype for name, column in cleaner.columns.items()}
    return Origin(
        dict(names),
        {name: str(kind) for name, kind in kinds.items() if name not in used},
        {},
        cleaner.came,
        (*notes, *cleaner.steps),
    )


def cleaned(data: "Dataset", users: Entities, items: Entities, origin: Origin) -> CleaningReport:
    """Return what was done to the ratings, and what was noticed and left."""
    steps = list(origin.steps)
    undescribed = {
        entities.noun: np.arange(len(entities.ids)) >= entities.described
        for entities in (users, items)
        if entities.described < len(entities.ids)
    }
    notes(data.user, data.item, data.rating, undescribed, steps.append)
    came = len(data) if origin.came is None else origin.came
    return CleaningReport(came, len(data), tuple(steps))
