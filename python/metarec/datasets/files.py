"""Reading the files of public data sets: where they are, their lines, and what is wrong."""

import os
from pathlib import Path
from typing import Any

from metarec.errors import InvalidValueError


def shared_folder(name: str) -> Path | None:
    """Return the folder `name` in the one that ``METAREC_DATA`` names, if it is there."""
    shared = os.environ.get("METAREC_DATA")
    return Path(shared) / name if shared and (Path(shared) / name).is_dir() else None


def place_of(folder: str | Path | None, name: str, source: str) -> Path:
    """Return where a data set is that is not fetched, or say where to get it."""
    found = Path(folder) if folder is not None else shared_folder(name)
    if found is None:
        raise InvalidValueError(
            f"folder: got None and METAREC_DATA has no {name}; download it from {source} and give "
            "its folder"
        )
    return found


def lines(path: Path, separator: str, fields: int, encoding: str = "latin-1") -> list[list[str]]:
    """Return the fields of every line that is not empty; each has to have so many."""
    text = read(path, encoding, lambda file: file.read())
    # Not splitlines: titles have characters that it takes for the end of a line.
    rows = [line.rstrip("\r").split(separator) for line in text.split("\n") if line.rstrip("\r")]
    for number, row in enumerate(rows, 1):
        if len(row) != fields:
            raise InvalidValueError(
                f"{path}: line {number}: expected {fields} fields, got {len(row)}"
            )
    return rows


def read(path: Path, encoding: str, parse: Any) -> Any:
    """Return what `parse` makes of the open file; errors name it."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            return parse(file)
    except OSError as error:
        raise InvalidValueError(f"folder: {path}: {error.strerror}") from None
    except ValueError as error:
        raise InvalidValueError(f"{path}: not in the official format; {error}") from None
