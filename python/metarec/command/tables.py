"""Arguments that say what the tables are, and the data set that they make."""

import argparse
import json
from pathlib import Path
from typing import Any

from metarec import features
from metarec.cleaning import Cleaning
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError
from metarec.fields import Kind
from metarec.frames import read_columns
from metarec.making import of_frames
from metarec.roles import AUTO

_KINDS: dict[str, Any] = {
    "categorical": lambda: "categorical",
    "bag": lambda: "bag",
    "dense": lambda: "dense",
    "content": lambda: "content",
    "none": lambda: None,
    "standardise": features.standardise,
    "log": lambda: features.log() | features.standardise(),
    "bucketise": features.bucketise,
    "hash": features.hash,
}
_NONE = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the tables, the names of their columns, and what becomes of bad rows."""
    parser.add_argument(
        "ratings", type=Path, metavar="RATINGS", help="table of ratings: user, item, rating, time"
    )
    tables = parser.add_argument_group("more tables")
    tables.add_argument("--users", type=Path, metavar="FILE", help="what is known of users")
    tables.add_argument("--items", type=Path, metavar="FILE", help="what is known of items")
    tables.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="COLUMN=KIND",
        help=f"what a column of users or items is: {', '.join(_KINDS)}",
    )
    add_columns(parser)
    rows = parser.add_argument_group("bad rows (each kind is told of in a line)")
    rows.add_argument(
        "--duplicates",
        choices=("last", "first", "mean", "keep", "refuse"),
        default="last",
        help="a user's several ratings of an item (default: last)",
    )
    rows.add_argument(
        "--scale",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="drop ratings that are not from LOW to HIGH",
    )
    rows.add_argument(
        "--outliers",
        type=float,
        metavar="K",
        help="drop ratings K robust deviations from what user and item lead to expect",
    )
    rows.add_argument(
        "--strict", action="store_true", help="refuse rows with missing values, do not drop them"
    )


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Add the names of the columns."""
    columns = parser.add_argument_group("names of columns, where they are not the usual ones")
    for role in ("user", "item", "rating", "timestamp"):
        none = {
            "rating": f"; {_NONE}: every row is a click",
            "timestamp": f"; {_NONE}: do not use times",
        }
        columns.add_argument(
            f"--{role}-column",
            default=AUTO,
            metavar="NAME",
            help=f"default: guessed{none.get(role, '')}",
        )


def names(options: argparse.Namespace) -> dict[str, str | None]:
    """Return the names of the columns by role."""
    given = {r: getattr(options, f"{r}_column") for r in ("user", "item", "rating", "timestamp")}
    return {
        role: None if name == _NONE and role in ("rating", "timestamp") else name
        for role, name in given.items()
    }


def read(options: argparse.Namespace) -> Dataset:
    """Return the data set that the arguments say, and print what it is."""
    frames = {
        name: None if path is None else read_columns(path, name)
        for name, path in (
            ("ratings", options.ratings),
            ("users", options.users),
            ("items", options.items),
        )
    }
    scale = None if options.scale is None else tuple(options.scale)
    rules = Cleaning(
        missing="refuse" if options.strict else "drop",
        duplicates=options.duplicates,
        scale=scale,
        out_of_range="drop",
        outliers=options.outliers,
    )
    made = of_frames(frames, names(options), _fields(options.field), rules, suggested=True)
    data = Dataset(**made)
    if not len(data):
        raise InvalidValueError(f"ratings: {options.ratings} has no ratings, wanted some")
    print(f"{data.schema}\n\n{data.cleaning}\n", flush=True)
    return data


def is_clicks(data: Dataset) -> bool:
    """Whether all ratings are the same, so that only their being there says something."""
    return data.scale[0] == data.scale[1]


def _fields(given: list[str]) -> dict[str, Kind]:
    fields: dict[str, Kind] = {}
    for name, kind in pairs(given, "--field").items():
        if kind not in _KINDS:
            raise InvalidValueError(
                f"--field {name}={kind}: there is no kind {kind!r}; there are {', '.join(_KINDS)}"
            )
        fields[name] = _KINDS[kind]()
    return fields


def pairs(given: list[str], option: str) -> dict[str, str]:
    """Return NAME=VALUE arguments as a mapping."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InvalidValueError(f"{option}: expected NAME=VALUE, got {text!r}")
        found[name] = value
    return found


def value(text: str) -> Any:
    """Return a number, a truth or a list as JSON has them, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
