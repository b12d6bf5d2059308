"""Which column of a table is the user, the item, the rating, the time."""

from collections.abc import Collection, Mapping

from metarec.errors import InvalidValueError
from metarec.frames import Column

#: "auto" as the name of a column: it is looked for among the usual names.
AUTO = "auto"
# Names as they are without case and signs, those of one line as good as each other.
_USUAL: dict[str, tuple[tuple[str, ...], ...]] = {
    "user": (
        ("user",),
        ("userid", "uid"),
        ("customerid", "customer", "reviewerid", "memberid", "visitorid", "readerid", "username"),
    ),
    "item": (
        ("item",),
        ("itemid", "iid"),
        (
            *("movieid", "movie", "filmid", "film", "bookid", "book", "isbn", "asin", "productid"),
            *("product", "artistid", "artist", "trackid", "songid", "songs", "articleid", "newsid"),
            *("gameid", "videoid", "businessid", "animeid", "jokeid", "recipeid", "parentasin"),
        ),
    ),
    "rating": (
        ("rating",),
        ("ratings", "stars", "score", "bookrating", "userrating", "overall", "starrating"),
    ),
    "timestamp": (
        ("timestamp",),
        ("time", "datetime", "unixreviewtime", "unixtime", "ratedat", "createdat", "date", "ts"),
    ),
}
_SAY = ("say which it is: in Python ", ", in a shell --")
_OPTIONAL = ("timestamp",)


def assign(
    columns: Mapping[str, Column], wanted: Mapping[str, str | None], table: str
) -> dict[str, str | None]:
    """Return the name of each role's column; None where there is none and none is needed.

    Raises
    ------
    InvalidValueError
        A column is not there, or several could be meant.
    """
    names = {}
    for role, name in wanted.items():
        names[role] = _guess(columns, role, table) if name == AUTO else name
    return names


def _guess(columns: Collection[str], role: str, table: str) -> str | None:
    plain = {name: "".join(filter(str.isalnum, str(name))).lower() for name in columns}
    for usual in _USUAL[role]:
        found = [name for name in columns if plain[name] in usual]
        if len(found) == 1 or (found and role == "timestamp"):
            return found[0]
        if found:
            raise InvalidValueError(
                f"{table}: the {role} could be in {' or '.join(map(repr, found))}; {_SAY[0]}{role}"
                f"={found[0]!r}{_SAY[1]}{role}-column {found[0]}"
            )
    if role in _OPTIONAL:
        return None
    raise InvalidValueError(
        f"{table}: no column looks like the {role}, got {list(columns)}; {_SAY[0]}{role}=..."
        f"{_SAY[1]}{role}-column ..."
    )


def id_column(columns: Mapping[str, Column], noun: str, name: str | None) -> str:
    """Return the column with the ids of a table of users or items, best as ratings have it."""
    if name is not None and name in columns:
        return name
    if "id" in columns:
        return "id"
    try:
        return _guess(columns, noun, f"{noun}s") or "id"
    except InvalidValueError:
        raise InvalidValueError(
            f"{noun}s: expected a column {name!r} as in the ratings, got {list(columns)}"
        ) from None
