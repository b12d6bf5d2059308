"""Last.fm listening, as HetRec 2011 published it: plays of artists, without any rating.

Cantador, Brusilovsky, Kuflik: Second Workshop on Information Heterogeneity and Fusion in
Recommender Systems (HetRec 2011), RecSys 2011. For non-commercial use; see its README.
"""

from pathlib import Path
from typing import Any

import numpy as np

from metarec.dataset import Dataset
from metarec.datasets.files import lines, place_of
from metarec.errors import InvalidValueError

SOURCE = "https://grouplens.org/datasets/hetrec-2011"
#: A tag belongs to an artist where so many users say so.
TAGGERS = 2


def hetrec_lastfm(folder: str | Path | None = None, *, plays: bool = False) -> Dataset:
    """Return Last.fm listening: 92,834 pairs of 1,892 users and the 17,632 artists they play most.

    It is implicit feedback: a row says that a user played an artist, and there are no others. Items
    have their id and tag, those that at least two users gave; `item_columns` has also name. Rank
    with ``mr.evaluate(..., ranking="catalogue")``.

    Parameters
    ----------
    folder : path, optional
        Where ``user_artists.dat`` is; else the folder ``hetrec-lastfm`` in the environment variable
        ``METAREC_DATA``. It is not fetched.
    plays : bool
        Whether the number of plays is the rating; else it is 1.

    Raises
    ------
    InvalidValueError
        A file is not there or not in the official format.

    Examples
    --------
    >>> data = hetrec_lastfm("hetrec-lastfm")                       # doctest: +SKIP
    """
    place = place_of(folder, "hetrec-lastfm", SOURCE)
    listened = _numbers(place / "user_artists.dat", 3)
    artists = lines(place / "artists.dat", "\t", 4, "utf-8")[1:]
    items: dict[str, Any] = {
        "item": [int(line[0]) for line in artists],
        "name": [line[1] for line in artists],
    }
    fields: dict[str, str | None] = {"item": "categorical", "name": None}
    if (place / "user_taggedartists.dat").exists():
        items["tag"], fields["tag"] = _tags(place, items["item"]), "bag"
    ratings = {
        "user": listened[:, 0],
        "item": listened[:, 1],
        "rating": (listened[:, 2] if plays else np.ones(len(listened))).astype(np.float32),
    }
    data = Dataset.from_frames(ratings, items=items, fields=fields)
    data.folder = place
    return data


def _numbers(path: Path, fields: int) -> Any:
    try:
        return np.array(lines(path, "\t", fields)[1:], dtype=np.int64)
    except ValueError as error:
        if isinstance(error, InvalidValueError):
            raise
        raise InvalidValueError(f"{path}: not in the official format; {error}") from None


def _tags(place: Path, artists: list[int]) -> list[list[str]]:
    """Return the tags of each artist."""
    given = np.unique(_numbers(place / "user_taggedartists.dat", 6)[:, :3], axis=0)
    pairs, counts = np.unique(given[:, 1:], axis=0, return_counts=True)
    words = {int(line[0]): line[1] for line in lines(place / "tags.dat", "\t", 2)[1:]}
    tags: dict[int, list[str]] = {artist: [] for artist in artists}
    for artist, tag in pairs[counts >= TAGGERS].tolist():
        if artist in tags and tag in words:
            tags[artist].append(words[tag])
    return list(tags.values())
