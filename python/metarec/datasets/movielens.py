"""The MovieLens data sets of GroupLens, from their official files.

Harper, Konstan: The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015. GroupLens asks
that its conditions of use, in each archive's README, be read; the data may not be passed on.
"""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.dataset import Dataset
from metarec.datasets.files import lines, read, shared_folder
from metarec.errors import InvalidValueError

URL = "https://files.grouplens.org/datasets/movielens"


def movielens_1m(folder: str | Path | None = None) -> Dataset:
    """Return MovieLens-1M: 1,000,209 ratings of 1 to 5 stars by 6,040 users.

    Users have gender, age (group), occupation and zipcode (five digits). With MeLU's
    ``movies_extrainfos.dat`` in the folder, items have rate (the MPAA rating), genre, director and
    actor, else genre alone; `item_columns` has also title and year.

    Parameters
    ----------
    folder : path, optional
        Where ``ratings.dat`` is; else the folder ``ml-1m`` in the environment variable
        ``METAREC_DATA``; else it is fetched from GroupLens into the cache, with its published
        checksum.

    Raises
    ------
    DownloadError, InvalidValueError
        The archive cannot be had, or a file is not there or not in the official format.

    Examples
    --------
    >>> data = movielens_1m("ml-1m")                                # doctest: +SKIP
    """
    place = _place(folder, "ml-1m")
    genders = lines(place / "users.dat", "::", 5)
    users = _columns(genders, user=(0, int), gender=(1, str), age=(2, int), occupation=(3, int))
    # The first five characters are the whole code; a few users gave four more.
    users["zipcode"] = [line[4][:5] for line in genders]
    extra = place / "movies_extrainfos.dat"
    items = (
        _extra_movies(extra) if extra.exists() else _movies(lines(place / "movies.dat", "::", 3))
    )
    ratings = _ratings(place / "ratings.dat", "::")
    return _dataset(place, ratings, users, items)


def movielens_100k(folder: str | Path | None = None) -> Dataset:
    """Return MovieLens-100K: 100,000 ratings of 1 to 5 stars by 943 users, with timestamps.

    Users have age, gender, occupation and zipcode, items genre; `item_columns` has also title and
    year. `folder` as for `movielens_1m`, of ``u.data`` and ``ml-100k``.
    """
    place = _place(folder, "ml-100k")
    people = lines(place / "u.user", "|", 5)
    users = _columns(
        people, user=(0, int), age=(1, int), gender=(2, str), occupation=(3, str), zipcode=(4, str)
    )
    genres = np.array([line[0] for line in lines(place / "u.genre", "|", 2)], object)
    movies = lines(place / "u.item", "|", 5 + len(genres))
    flags = [np.array(line[5:]) == "1" for line in movies]
    items: dict[str, Any] = {
        "item": [int(line[0]) for line in movies],
        "genre": [genres[flag & (genres != "unknown")].tolist() for flag in flags],
        "title": [_title(line[1]) for line in movies],
        "year": _years(line[2] for line in movies),
    }
    return _dataset(place, _ratings(place / "u.data", "\t"), users, items)


def movielens_latest_small(folder: str | Path | None = None) -> Dataset:
    """Return MovieLens latest-small: 100,836 ratings of 0.5 to 5 stars by 610 users, with times.

    Items have genre, users nothing; `item_columns` has also title and year. `folder` as for
    `movielens_1m`, of ``ratings.csv`` and ``ml-latest-small``.
    """
    place = _place(folder, "ml-latest-small")
    rows = read(place / "movies.csv", "utf-8", lambda file: list(csv.reader(file)))
    items = _movies(rows[1:])
    return _dataset(place, _ratings(place / "ratings.csv", ",", header=1), None, items)


def _place(folder: str | Path | None, name: str) -> Path:
    if folder is not None:
        return Path(folder)
    shared = shared_folder(name)
    if shared is not None:
        return shared
    from metarec.datasets.download import fetch_archive  # Imports the network only when needed.

    return fetch_archive(f"{URL}/{name}.zip", name)


def _dataset(place: Path, ratings: Any, users: Any, items: Any) -> Dataset:
    aside = {"title": None, "year": None, "writer": None, "genre": "bag"}
    timestamp = "timestamp" if "timestamp" in ratings else None
    fields = {name: kind for name, kind in aside.items() if name in items}
    if users is not None:
        fields["zipcode"] = "categorical"
    data = Dataset.from_frames(ratings, users, items, timestamp=timestamp, fields=fields)
    data.folder = place
    data.content_columns = tuple(name for name in ("title", "year", "writer") if name in items)
    return data


def _ratings(path: Path, separator: str, header: int = 0) -> dict[str, NDArray[Any]]:
    def parse(file: io.TextIOBase) -> NDArray[np.float64]:
        text = file.read().replace(separator, " ") if len(separator) > 1 else file.read()
        single = " " if len(separator) > 1 else separator
        return np.loadtxt(
            io.StringIO(text), delimiter=single, skiprows=header, ndmin=2, comments=None
        )

    table = read(path, "latin-1", parse)
    if table.shape[1] != 4:
        raise InvalidValueError(f"{path}: expected 4 columns, got {table.shape[1]}")
    ratings: dict[str, NDArray[Any]] = {
        "user": table[:, 0].astype(np.int64),
        "item": table[:, 1].astype(np.int64),
        "rating": table[:, 2].astype(np.float32),
    }
    if table[:, 3].any():  # Copies of the data without times have zeros there.
        ratings["timestamp"] = table[:, 3].astype(np.int64)
    return ratings


def _movies(rows: list[list[str]]) -> dict[str, Any]:
    """Read id, title with the year in parentheses, and genres separated by bars."""
    return {
        "item": [int(row[0]) for row in rows],
        "genre": ["" if row[2] == "(no genres listed)" else row[2] for row in rows],
        "title": [_title(row[1]) for row in rows],
        "year": _years(row[1] for row in rows),
    }


def _extra_movies(path: Path) -> dict[str, Any]:
    """Read MeLU's id, title, year, rate, date, genres, directors, writers, actors, plot, poster."""
    rows = lines(path, "::", 11, "utf-8")

    def names(text: str) -> list[str]:
        # A role, as in "Jane Doe (co-director)", is not part of the name.
        listed = (re.sub(r"\([^()]*\)", "", name).strip() for name in text.split(", "))
        return [name for name in listed if name not in ("N/A", "nan", "")]

    return {
        "item": [int(row[0]) for row in rows],
        "rate": [row[3] for row in rows],
        "genre": [names(row[5]) for row in rows],
        "director": [names(row[6]) for row in rows],
        "writer": [names(row[7]) for row in rows],
        "actor": [names(row[8]) for row in rows],
        "title": [row[1] for row in rows],
        "year": _years(row[2] for row in rows),
    }


def _title(text: str) -> str:
    return re.sub(r"\s*\(\d{4}[^()]*\)\s*$", "", text)


def _years(texts: Iterable[str]) -> NDArray[Any]:
    """Return the last four-digit number of each text, as integers unless some have none."""
    found = [re.findall(r"(?<!\d)\d{4}(?!\d)", text) for text in texts]
    years = np.array([float(numbers[-1]) if numbers else np.nan for numbers in found])
    return years if np.isnan(years).any() else years.astype(np.int64)


def _columns(rows: list[list[str]], **places: tuple[int, type]) -> dict[str, Any]:
    return {name: [kind(row[at]) for row in rows] for name, (at, kind) in places.items()}
