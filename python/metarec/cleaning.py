"""What is done about ratings that are missing, double, impossible or out of line."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from metarec.display import html_table
from metarec.errors import InvalidTypeError, InvalidValueError

_CHOICES = {
    "missing": ("refuse", "drop"),
    "duplicates": ("keep", "first", "last", "mean", "refuse"),
    "out_of_range": ("refuse", "drop", "clip"),
    "unknown": ("keep", "drop", "refuse"),
    "constant_users": ("keep", "drop"),
}


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    r"""Rules for ratings, applied in this order; the defaults drop and change nothing.

    Parameters
    ----------
    missing : "refuse" or "drop"
        A rating without user, item, rating or time, or whose rating is not finite; a row of the
        tables of users and items without an id.
    scale : (low, high), optional
        The ratings that can be.
    out_of_range : "refuse", "drop" or "clip"
        What becomes of ratings outside of `scale`.
    unknown : "keep", "drop" or "refuse"
        Ratings of users and items that the tables of users and items, if given, do not have.
        Kept, all their features are unknown.
    duplicates : "keep", "first", "last", "mean" or "refuse"
        A user's several ratings of an item. First and last are by time where there are times, else
        by row. The mean stands in the row of the last. First and last are also kept of several rows
        of an id in the tables of users and items, which else are refused.
    constant_users : "keep" or "drop"
        Users of at least five ratings which are all the same: they say nothing of their taste.
        Where all ratings are the same, as of clicks, nobody is dropped.
    outliers : float, optional
        Drop ratings so many robust standard deviations or more from what user and item lead to
        expect: with :math:`e = r - \operatorname{med}_u - \operatorname{med}_i` (the medians of the
        user's ratings and of what then remains of the item's),
        :math:`|e - \operatorname{med} e| \ge k \cdot 1.4826 \operatorname{MAD}(e)`. Such as 5.
    noise : float, optional
        Drop users of at least five ratings whose mean :math:`|e|` lies so many robust standard
        deviations or more above the median user's: they disagree with everybody. Such as 5.

    Examples
    --------
    >>> ratings = {"user": [1, 1, 2, 2], "item": [7, 7, 7, 8], "rating": [3, 5, 9, None]}
    >>> rules = mr.Cleaning(missing="drop", duplicates="last", scale=(1, 5), out_of_range="clip")
    >>> data = mr.Dataset.from_frames(ratings, clean=rules)
    >>> data.rating.tolist()
    [5.0, 5.0]
    >>> data.cleaning
    Cleaning: 4 rows came, 2 are kept
      missing     1 dropped: ratings['rating'] is missing, first in row 3
      range       1 clipped: ratings['rating'] is not from 1 to 5, such as 9 in row 2
      duplicates  1 dropped: of each user's ratings of an item the last is kept
    """

    missing: str = "refuse"
    scale: tuple[float, float] | None = None
    out_of_range: str = "refuse"
    unknown: str = "keep"
    duplicates: str = "keep"
    constant_users: str = "keep"
    outliers: float | None = None
    noise: float | None = None

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidValueError(
                    f"{name}: expected one of {choices}, got {getattr(self, name)!r}"
                )
        if self.scale is not None:
            try:
                low, high = (float(bound) for bound in self.scale)
            except (TypeError, ValueError):
                raise InvalidTypeError(f"scale: expected (low, high), got {self.scale!r}") from None
            if not low <= high:
                raise InvalidValueError(f"scale: expected low <= high, got {self.scale}")
        for name in ("outliers", "noise"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not value > 0):
                raise InvalidValueError(
                    f"{name}: expected a positive number of deviations, got {value!r}"
                )


@dataclass(frozen=True)
class Step:
    """What was done, or seen and left: which rule, to how many rows, and why."""

    rule: str
    rows: int
    action: str
    why: str

    def __str__(self) -> str:
        return f"{self.rows:,} {self.action}: {self.why}"


@dataclass(frozen=True)
class CleaningReport:
    """What was dropped, repaired, or noticed of a data set's ratings: a line each.

    Attributes
    ----------
    came, kept : int
        Rows before and after.
    steps : tuple of Step
        With `rule`, `rows`, `action` and `why`.
    """

    came: int
    kept: int
    steps: tuple[Step, ...] = field(default=())

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __str__(self) -> str:
        rows = "1 row" if self.came == 1 else f"{self.came:,} rows"
        kept = "all are" if self.came == self.kept else f"{self.kept:,} are"
        width = max((len(step.rule) for step in self.steps), default=0)
        lines = (f"  {step.rule:<{width}}  {step}" for step in self.steps)
        return "\n".join([f"Cleaning: {rows} came, {kept} kept", *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        caption = f"Cleaning: {self.came:,} rows came, {self.kept:,} kept"
        rows = [(step.rule, f"{step.rows:,}", step.action, step.why) for step in self.steps]
        return html_table(caption, ("rule", "rows", "", ""), rows)
