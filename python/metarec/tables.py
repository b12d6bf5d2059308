r"""Tables in files: CSV by the standard library, Parquet by a library that is installed.

A CSV file has no types; a column has one if all of its values do. Numbers are what is written like
one and nothing else: ``007`` and ``NA`` are numbers in no column, so that ids stay what they are,
and no digit of a long id is lost. In a column of numbers ``NA``, ``NaN``, ``NULL``, ``None`` and
``\N`` mean that a value is missing, in any column an empty string does.
"""

import csv
import gzip
import importlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from metarec.errors import InvalidValueError, MissingDependencyError
from metarec.frames import Column, from_native

CSV, PARQUET = (".csv", ".tsv", ".csv.gz", ".tsv.gz"), (".parquet", ".pq")
#: Libraries that read Parquet, the first that is installed.
READERS = {
    "polars": ("polars", "read_parquet"),
    "pyarrow": ("pyarrow.parquet", "read_table"),
    "duckdb": ("duckdb", "read_parquet"),
}

_SEPARATORS = ",;\t|"
_ROWS = 1 << 16
# Between values while they wait for their type: a column is one text, which is smaller than many.
_GAP = "\0"
_WHOLE = re.compile(r"(?:-?(?:0|[1-9]\d{0,17})\0)*+")
_NUMBER = re.compile(r"(?:-?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?\0)*+")
_NOTHING = re.compile(r"(?<![^\0])(?:NA|N/A|NaN|nan|NULL|null|None|\\N)(?=\0)")
_TRUTH = re.compile(r"(?:(?:true|false)?\0)*+", re.IGNORECASE)


def read_file(path: Path, name: str) -> dict[str, Column]:
    """Return the columns of a CSV or Parquet file, told apart by its ending."""
    ending = path.name.lower()
    if not path.is_file():
        raise InvalidValueError(f"{name}: there is no file {path}")
    if ending.endswith(CSV):
        return _read_csv(path, name)
    if ending.endswith(PARQUET):
        return _read_parquet(path, name)
    known = ", ".join(CSV + PARQUET)
    raise InvalidValueError(f"{name}: {path} has another ending than those of tables: {known}")


def _read_parquet(path: Path, name: str) -> dict[str, Column]:
    module, read = next(
        (found for library, found in READERS.items() if importlib.util.find_spec(library)),
        ("", ""),
    )
    if not module:
        raise MissingDependencyError(
            f"{name}: to read {path.name} one of {', '.join(READERS)} is needed: "
            "pip install 'metarec[parquet]'"
        )
    try:
        frame = getattr(importlib.import_module(module), read)(str(path))
    except Exception as error:
        raise InvalidValueError(f"{name}: {path} cannot be read as Parquet; {error}") from error
    return from_native(frame, name)


def _read_csv(path: Path, name: str) -> dict[str, Column]:
    try:
        return _parse(path, name, "utf-8-sig")
    except UnicodeDecodeError:
        warnings.warn(f"{name}: {path} is not UTF-8, read as Latin-1", stacklevel=2)
        return _parse(path, name, "latin-1")
    except (OSError, EOFError) as error:
        raise InvalidValueError(f"{name}: {path} cannot be read; {error}") from error


def _open(path: Path, encoding: str) -> IO[str]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _parse(path: Path, name: str, encoding: str) -> dict[str, Column]:
    with _open(path, encoding) as file:
        head = file.readline()
        file.seek(0)
        separator = max(_SEPARATORS, key=head.count)
        reader = csv.reader(file, delimiter=separator, skipinitialspace=separator != "\t")
        try:
            header = next(reader, [])
            if not any(header):
                raise InvalidValueError(f"{name}: {path} has no header line with column names")
            _check_header(header, path, name)
            parts: list[list[str]] = [[] for _ in header]
            count = 0
            for block in _blocks(reader, len(header), path, name):
                count += len(block)
                for part, values in zip(parts, zip(*block, strict=True), strict=True):
                    part.append(_GAP.join(values) + _GAP)
        except csv.Error as error:
            raise InvalidValueError(f"{name}: {path}, line {reader.line_num}: {error}") from None
    columns = {}
    for key, part in zip(header, parts, strict=True):
        text = "".join(part)
        part.clear()
        if text.count(_GAP) != count:
            raise InvalidValueError(f"{name}[{key!r}]: {path} has a zero byte in this column")
        columns[key] = typed(text, count)
    return columns


def _check_header(header: list[str], path: Path, name: str) -> None:
    if len(set(header)) < len(header):
        twice = next(key for key in header if header.count(key) > 1)
        raise InvalidValueError(f"{name}: {path} has two columns {twice!r}")
    if len(header) > 1 and all(_NUMBER.fullmatch(key + _GAP) for key in header):
        raise InvalidValueError(
            f"{name}: {path} begins with numbers, {header}, wanted a line of column names"
        )


def _blocks(reader: Any, fields: int, path: Path, name: str) -> Iterator[list[list[str]]]:
    """Yield rows by the thousand, without empty lines, all of so many fields."""
    while rows := list(islice(reader, _ROWS)):
        if set(map(len, rows)) != {fields}:
            for row in rows:
                if row and len(row) != fields:
                    raise InvalidValueError(
                        f"{name}: {path}, up to line {reader.line_num}: expected {fields} fields, "
                        f"got {len(row)}: {row[:6]}"
                    )
            rows = [row for row in rows if row]
        if rows:
            yield rows


def typed(text: str, count: int) -> Column:
    """Return a column of texts, each ended by a zero byte, by what is written in all of them."""
    empty = text.startswith(_GAP) or _GAP * 2 in text
    numbers, null = text, None
    if not _NUMBER.fullmatch(text) and (empty or _NOTHING.search(text)):
        numbers = _NOTHING.sub("", text)
        if numbers.strip(_GAP):
            listed = numbers.split(_GAP)[:-1]
            null = np.fromiter((not value for value in listed), np.bool_, count)
            numbers = "".join([f"{value or '0'}{_GAP}" for value in listed])
    if count and numbers.strip(_GAP):
        missing = np.zeros(count, np.bool_) if null is None else null
        if _WHOLE.fullmatch(numbers):
            return Column(_numbers(numbers, np.int64), missing)
        if _NUMBER.fullmatch(numbers):
            values = _numbers(numbers, np.float64)
            values[missing] = np.nan
            return Column(values, missing)
    return _texts(text, count)


def _numbers(text: str, kind: Any) -> NDArray[Any]:
    return np.fromstring(text.replace(_GAP, " "), kind, sep=" ")


def _texts(text: str, count: int) -> Column:
    # A text that occurs often is kept once.
    known: dict[str, str | None] = {"": None}
    listed = [known.setdefault(value, value) for value in text.split(_GAP)[:-1]]
    values = np.fromiter(listed, object, count)
    null = np.fromiter((value is None for value in listed), np.bool_, count)
    if not null.all() and _TRUTH.fullmatch(text):
        truth = np.fromiter(((value or "").lower() == "true" for value in listed), np.bool_)
        return Column(truth, null)
    return Column(values, null)
