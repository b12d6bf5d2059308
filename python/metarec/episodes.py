"""How training draws tasks from all that is known of a user."""

from dataclasses import dataclass

from metarec.arrays import as_count
from metarec.errors import InvalidTypeError, InvalidValueError

Size = int | tuple[int, int]


@dataclass(frozen=True)
class Episodes:
    """Sizes of the support and the query that every epoch draws anew from each user's rows.

    Parameters
    ----------
    support, query : int or (low, high)
        Number of rows, drawn uniformly in low ... high; a user with fewer rows gives what there is,
        with at least one row left for the query.

    Examples
    --------
    >>> Episodes(support=(3, 90), query=10).query
    (10, 10)
    """

    support: Size = (3, 90)
    query: Size = (10, 10)

    def __post_init__(self) -> None:
        object.__setattr__(self, "support", _bounds(self.support, "support", 0))
        object.__setattr__(self, "query", _bounds(self.query, "query", 1))

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Support low and high, query low and high."""
        assert isinstance(self.support, tuple) and isinstance(self.query, tuple)
        return (*self.support, *self.query)


def _bounds(size: Size, name: str, least: int) -> tuple[int, int]:
    if isinstance(size, (tuple, list)):
        if len(size) != 2:
            raise InvalidTypeError(f"{name}: expected an int or (low, high), got {size!r}")
        low, high = (as_count(value, name, least) for value in size)
    else:
        low = high = as_count(size, name, least)
    if low > high:
        raise InvalidValueError(f"{name}: expected low <= high, got {size!r}")
    return low, high
