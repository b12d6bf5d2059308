"""Say what is in a file: a model, a table of ratings, another table, a report."""

import argparse
from pathlib import Path

import numpy as np

from metarec.cleaning import Cleaning
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError
from metarec.evaluation import Report
from metarec.files import load
from metarec.frames import Column, read_columns
from metarec.learner import MetaLearner
from metarec.making import of_frames
from metarec.roles import AUTO
from metarec.schema import ColumnSchema, Schema
from metarec.tables import CSV, PARQUET

USAGE = "FILE"
ABOUT = """\
say what is in a file: a model, a table, a report

Of ratings: what each column is taken for, what is wrong with the rows, and for how many users
something can be evaluated.

examples:
  metarec info ratings.csv
  metarec info model.metarec
  metarec info report.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="model, CSV or Parquet file, or report (.json)"
    )


def run(options: argparse.Namespace) -> None:
    """Do it."""
    path: Path = options.file
    if not path.is_file():
        raise InvalidValueError(f"there is no file {path}")
    if path.name.lower().endswith(CSV + PARQUET):
        _table(path)
    elif path.suffix.lower() == ".json":
        print(Report.load(path))
    else:
        _model(path)


def _model(path: Path) -> None:
    model = load(path)
    print(f"{model!r}\n")
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    if isinstance(model, MetaLearner):
        count = sum(values.size for values in model.parameters().values())
        print(f"{count:,} parameters, {model.steps:,} outer steps, {size}")
    else:
        print(size)
    if model.trained_on_ is not None:
        mask = model.trained_on_.mask
        print(f"trained on {np.count_nonzero(mask):,} of {len(mask):,} ratings")
    if isinstance(model, MetaLearner) and model.history_:
        last = ", ".join(f"{name} {number:.4g}" for name, number in model.history_[-1].items())
        print(f"last epoch: {last}")
    data = model._data
    if data is not None:
        low, high = data.scale
        print(f"{data.item_count:,} items, ratings from {low:g} to {high:g}")
        if data.users is None:
            print("takes no features of users")
        known = tuple(column for column in data.schema if column.table != "ratings")
        print(f"\n{Schema(known)}")


def _table(path: Path) -> None:
    columns = read_columns(path, "ratings")
    names = dict.fromkeys(("user", "item", "rating", "timestamp"), AUTO)
    frames = {"ratings": columns, "users": None, "items": None}
    try:
        data = Dataset(**of_frames(frames, names, {}, Cleaning(missing="drop")))
    except InvalidValueError as error:
        print(f"{_columns(columns)}\n\nnot ratings: {error}")
        return
    counts = np.bincount(data.user)
    counts = counts[counts > 0]
    print(f"{data.schema}\n\n{data.cleaning}\n")
    if len(counts):
        print(
            f"{counts.min():,} to {counts.max():,} ratings a user, the middle one "
            f"{np.median(counts):g}; {np.count_nonzero(counts >= 13):,} of {len(counts):,} users "
            "have 13 or more and can be asked in an evaluation"
        )


def _columns(columns: dict[str, Column]) -> Schema:
    found = []
    for name, column in columns.items():
        known = column.values[~column.null]
        about = f"{len(set(known.tolist())):,} different" if known.ndim == 1 else ""
        kind = "text" if known.dtype == object else known.dtype.name
        found.append(ColumnSchema("", name, kind, "", about, int(column.null.sum())))
    return Schema(tuple(found))
