"""Book-Crossing: ratings of books from 1 to 10, as dirty as they were crawled.

Ziegler, McNee, Konstan, Lausen: Improving Recommendation Lists Through Topic Diversification, WWW
2005.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from metarec.dataset import Dataset
from metarec.datasets.files import place_of, read
from metarec.errors import InvalidValueError

SOURCE = "http://www2.informatik.uni-freiburg.de/~cziegler/BX"
#: Ages that people have; others are unknown.
AGES = (5, 100)


def book_crossing(folder: str | Path | None = None, *, min_ratings: int = 1) -> Dataset:
    """Return explicit Book-Crossing ratings of 1 to 10; a 0 is no rating there and is left out.

    Users have country and age, in decades, items nothing but their id: the ISBN without what is no
    letter or digit and without leading zeros, by which the files do not agree. The first rating of
    a book by a user counts.

    Parameters
    ----------
    folder : path, optional
        Where ``BX-Book-Ratings.csv`` or ``subset_BX-Book-Ratings.csv`` is, and beside it the users'
        file; else the folder ``book-crossing`` in the environment variable ``METAREC_DATA``. It is
        not fetched.
    min_ratings : int
        Leave out users of fewer ratings.

    Raises
    ------
    InvalidValueError
        A file is not there or not in the official format.

    Examples
    --------
    >>> data = book_crossing("book-crossing", min_ratings=13)       # doctest: +SKIP
    """
    place = place_of(folder, "book-crossing", SOURCE)
    prefix = "" if (place / "BX-Book-Ratings.csv").exists() else "subset_"
    rows = _table(place / f"{prefix}BX-Book-Ratings.csv", 3)
    try:
        user = np.array([row[0] for row in rows], np.int64)
        rating = np.array([row[2] for row in rows], np.float32)
    except ValueError as error:
        raise InvalidValueError(
            f"{place}: ratings are not in the official format; {error}"
        ) from None
    item = np.array([_isbn(row[1]) for row in rows], object)
    _, book = np.unique(item.astype(str), return_inverse=True)
    explicit = np.flatnonzero(rating > 0)
    pairs = user[explicit] * (book.max(initial=0) + 1) + book[explicit]
    kept = explicit[np.sort(np.unique(pairs, return_index=True)[1])]
    _, owner, counts = np.unique(user[kept], return_inverse=True, return_counts=True)
    kept = kept[counts[owner] >= min_ratings]
    ratings = {"user": user[kept], "item": item[kept], "rating": rating[kept]}
    users = place / f"{prefix}BX-Users.csv"
    people = _people(users, set(user[kept].tolist())) if users.exists() else None
    data = Dataset.from_frames(ratings, people, fields={"age": "categorical"} if people else None)
    data.folder = place
    return data


def _table(path: Path, fields: int) -> list[list[str]]:
    """Return the rows of a file whose fields are separated by commas or semicolons."""

    def parse(file: Any) -> list[list[str]]:
        head = file.readline()
        separator = ";" if ";" in head else ","
        return list(csv.reader(file, delimiter=separator, escapechar="\\"))

    rows: list[list[str]] = read(path, "latin-1", parse)
    for number, row in enumerate(rows, 2):
        if len(row) != fields:
            raise InvalidValueError(
                f"{path}: line {number}: expected {fields} fields, got {len(row)}"
            )
    return rows


def _isbn(text: str) -> str:
    return "".join(filter(str.isalnum, text)).upper().lstrip("0")


def _people(path: Path, known: set[int]) -> dict[str, Any]:
    rows = [row for row in _table(path, 3) if row[0].isdecimal() and int(row[0]) in known]
    ages = [float(row[2]) if row[2] not in ("", "NULL") else np.nan for row in rows]
    low, high = AGES
    return {
        "user": [int(row[0]) for row in rows],
        "country": [row[1].rpartition(",")[2].strip() or None for row in rows],
        "age": [str(int(age) // 10 * 10) if low <= age <= high else None for age in ages],
    }
