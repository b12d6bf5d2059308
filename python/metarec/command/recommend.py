"""Rank the items for users of whom a few ratings are known."""

import argparse
import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.command import tables
from metarec.command.evaluate import check_output
from metarec.errors import InvalidValueError
from metarec.files import load
from metarec.frames import Column, as_numbers, read_columns, require_ids
from metarec.roles import AUTO, assign, id_column
from metarec.vocabulary import Vocabulary

USAGE = "MODEL [--history FILE] [-k 10] [options]"
ABOUT = """\
rank the items for users of whom a few ratings are known

The history has a column of items and one of ratings, as in training; without ratings its items are
taken as liked best. With a column of users, each of them gets a ranking. Items of the history are
not recommended again.

examples:
  metarec recommend model.metarec --history ann.csv -k 10
  metarec recommend model.metarec --history ann.csv --about age=25 job=clerk --items movies.csv
  metarec recommend model.metarec --history everybody.csv --out recommended.csv
  metarec recommend model.metarec --about age=25               (nothing rated yet)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="file that metarec train wrote")
    parser.add_argument("--history", type=Path, metavar="FILE", help="table of items and ratings")
    parser.add_argument("-k", type=int, default=10, help="how many items (default: 10)")
    parser.add_argument(
        "--about",
        nargs="+",
        default=[],
        metavar="FIELD=VALUE",
        help="what is known of the user, such as age=25",
    )
    parser.add_argument(
        "--items", type=Path, metavar="FILE", help="table of items, to show their names"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a CSV file as well")
    tables.add_columns(parser)


def run(options: argparse.Namespace) -> None:
    """Do it."""
    check_output(options.out, "--out", (".csv",))
    model = load(options.model)
    data = model._data
    if data is None:
        raise InvalidValueError(f"{options.model}: the model was not trained on ids, but on arrays")
    about = {
        name: tables.value(text) for name, text in tables.pairs(options.about, "--about").items()
    }
    titles = _titles(options.items, data.item_ids(np.arange(data.item_count)))
    users = [] if options.history is None else _histories(options, model)
    rows: list[tuple[Any, ...]] = []
    nobody = (None, np.empty(0, np.int64), np.empty(0))
    for user, items, ratings in users or [nobody]:
        adapted = model.adapt(items, ratings, about or None)
        for place, (item, score) in enumerate(adapted.recommend(options.k), 1):
            rows.append((user, place, item, score, titles.get(item, "")))
    several = any(row[0] is not None for row in rows)
    header = ("user", "place", "item", "score", "title")
    kept = [at for at in range(5) if (at != 0 or several) and (at != 4 or titles)]
    _show([header[at] for at in kept], [[row[at] for at in kept] for row in rows])
    if options.out is not None:
        with open(options.out, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([header[at] for at in kept])
            writer.writerows([row[at] for at in kept] for row in rows)
        print(f"\nWritten: {options.out}", file=sys.stderr)


def _histories(
    options: argparse.Namespace, model: Any
) -> list[tuple[Any, NDArray[Any], NDArray[Any]]]:
    """Return user, items and ratings of each user of the history, in the order they come."""
    columns = read_columns(options.history, "history")
    wanted = tables.names(options) | {"timestamp": None}
    found = assign(columns, {"item": wanted["item"]}, "history")
    for role in ("user", "rating"):
        found[role] = wanted[role]
        if wanted[role] == AUTO:
            try:
                found |= assign(columns, {role: AUTO}, "history")
            except InvalidValueError:
                found[role] = None
    items = _like(require_ids(columns, found["item"] or "", "history"), model._data)
    unknown = model._data.item_codes(items) < 0
    if len(items) and unknown.all():
        known = model._data.item_ids([0])[0]
        raise InvalidValueError(
            f"history: the model knows none of the items, such as {items.tolist()[0]!r}; it knows "
            f"such as {known!r}"
        )
    if unknown.any():
        _note(f"{int(unknown.sum())} of {len(items)} items of the history are unknown to the model")
    if found["rating"] is None:
        high = 1.0 if model.negatives is not None else model._data.scale[1]
        if model.negatives is None:
            _note(f"the history has no ratings: its items count as rated {high:g}")
        ratings = np.full(len(items), high)
    else:
        ratings = as_numbers(_column(columns, found["rating"]), f"history[{found['rating']!r}]")
    if found["user"] is None:
        return [(None, items, ratings)]
    users, codes = Vocabulary.of(require_ids(columns, found["user"], "history"), "history")
    return [
        (user, items[codes == code], ratings[codes == code])
        for code, user in enumerate(users.values.tolist())
    ]


def _column(columns: dict[str, Column], name: str) -> Column:
    if name not in columns:
        raise InvalidValueError(f"history: there is no column {name!r}, only {list(columns)}")
    return columns[name]


def _like(ids: NDArray[Any], data: Any) -> NDArray[Any]:
    """Return ids as the model has them: texts, where all those of a file look like numbers."""
    known = data.item_ids(np.arange(min(1, data.item_count)))
    if ids.dtype == np.int64 and len(known) and isinstance(known.tolist()[0], str):
        return np.array(list(map(str, ids.tolist())), object)
    return ids


def _titles(path: Path | None, ids: NDArray[Any]) -> dict[Any, str]:
    """Return names of items: of the columns of texts the one with most different values."""
    if path is None:
        return {}
    columns = read_columns(path, "items")
    key = id_column(columns, "item", None)
    texts = {
        name: column.values
        for name, column in columns.items()
        if name != key and column.values.dtype == object
    }
    if not texts:
        raise InvalidValueError(f"items: {path} has no column of texts, only {list(columns)}")
    best = max(texts.values(), key=lambda values: len(set(map(str, values.tolist()))))
    given = columns[key].values
    if len(ids) and isinstance(ids.tolist()[0], str):
        given = np.array(list(map(str, given.tolist())), object)
    return dict(zip(given.tolist(), map(str, best.tolist()), strict=True))


def _show(header: list[str], rows: Iterable[list[Any]]) -> None:
    texts = [
        [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    for line in [header, *texts]:
        cells = zip(line, widths, strict=True)
        print("  ".join(cell.ljust(width) for cell, width in cells).rstrip())


def _text(cell: Any) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _note(message: str) -> None:
    print(f"metarec: note: {message}", file=sys.stderr)
