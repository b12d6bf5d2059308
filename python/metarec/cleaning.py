"""What is done about ratings that are missing, double, impossible or out of line."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.display import counted, html_table
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.frames import Column, as_numbers, as_timestamp, require_ids
from metarec.vocabulary import Vocabulary

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]

#: A normal distribution's standard deviation in median absolute deviations.
_DEVIATION = 1.4826
#: Users of fewer ratings are not judged by them.
_ENOUGH = 5
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


class Cleaner:
    """The ratings' columns while rules are applied to them, and what the rules did."""

    def __init__(self, columns: Mapping[str, Column], names: Mapping[str, str | None]) -> None:
        self.columns = dict(columns)
        self.names = {role: name for role, name in names.items() if name is not None}
        self.came = len(next(iter(columns.values())).values) if columns else 0
        self.steps: list[Step] = []
        self._row = np.arange(self.came)

    def apply(self, rules: Cleaning, known: Mapping[str, Vocabulary]) -> None:
        """Apply all rules; `known` has the ids of the tables of users and of items."""
        if rules.missing == "drop":
            self._missing()
        if rules.scale is not None and "rating" in self.names:
            self._range(rules.scale, rules.out_of_range)
        if rules.unknown != "keep":
            for noun, ids in known.items():
                self._unknown(noun, ids, rules.unknown)
        if rules.duplicates != "keep":
            self._duplicates(rules.duplicates)
        if "rating" in self.names:
            self._by_user(rules)

    # Columns and rows

    def _label(self, role: str) -> str:
        return f"ratings[{self.names[role]!r}]"

    def _ids(self, role: str) -> NDArray[Any]:
        return require_ids(self.columns, self.names[role], "ratings")

    def _codes(self, role: str) -> Codes:
        return Vocabulary.of(self._ids(role), self._label(role))[1]

    def _rating(self) -> NDArray[np.float64]:
        column = self.columns[self.names["rating"]]
        return as_numbers(column, self._label("rating")).astype(np.float64)

    def _drop(self, out: Mask, rule: str, why: str) -> None:
        if out.any():
            self.columns = _without(self.columns, out, rule, why, self.steps)
            self._row = self._row[~out]

    # Rules

    def _missing(self) -> None:
        for role, name in self.names.items():
            column = self.columns.get(name)
            if column is None:
                continue
            out, why = column.null.copy(), "is missing"
            if role == "rating" and column.values.dtype.kind == "f" and column.values.ndim == 1:
                finite = np.isfinite(column.values)
                if (~finite & ~out).any():
                    out, why = out | ~finite, "is missing or not finite"
            if out.any():
                first = self._row[int(np.argmax(out))]
                self._drop(out, "missing", f"{self._label(role)} {why}, first in row {first}")

    def _range(self, scale: tuple[float, float], action: str) -> None:
        low, high = map(float, scale)
        values = self._rating()
        out = (values < low) | (values > high)
        if not out.any():
            return
        at = int(np.argmax(out))
        label, row = self._label("rating"), self._row[at]
        why = f"{label} is not from {low:g} to {high:g}, such as {values[at]:g} in row {row}"
        if action == "refuse":
            raise InvalidValueError(
                f"{label}: expected ratings from {low:g} to {high:g}, got {int(out.sum())} others, "
                f"first {values[at]:g} at row {row}"
            )
        if action == "drop":
            self._drop(out, "range", why)
            return
        self._replace_ratings(np.clip(values, low, high))
        self.steps.append(Step("range", int(out.sum()), "clipped", why))

    def _replace_ratings(self, values: NDArray[np.float64]) -> None:
        name = self.names["rating"]
        self.columns[name] = replace(self.columns[name], values=values)

    def _unknown(self, noun: str, ids: Vocabulary, action: str) -> None:
        given = self._ids(noun)
        out = ids.encode(given, self._label(noun)) < 0
        if not out.any():
            return
        example = given[out][:1].tolist()[0]
        why = f"{self._label(noun)} is not in {noun}s, such as {example!r}"
        if action == "refuse":
            raise InvalidValueError(f"{why}: {int(out.sum())} ratings, wanted none")
        self._drop(out, "unknown", why)

    def _pairs(self) -> NDArray[np.int64]:
        users, items = self._codes("user"), self._codes("item")
        return users.astype(np.int64) * (int(items.max(initial=0)) + 1) + items

    def _duplicates(self, action: str) -> None:
        pairs = self._pairs()
        place = np.arange(len(pairs))
        if "timestamp" in self.names and action != "mean":
            name = self.names["timestamp"]
            times = as_timestamp(self.columns[name], self._label("timestamp"))
            place[np.argsort(times, kind="stable")] = np.arange(len(pairs))
        order = np.lexsort((place, pairs))
        follows = pairs[order[1:]] == pairs[order[:-1]]
        if not follows.any():
            return
        if action == "refuse":
            row = self._row[order[1:][follows].min()]
            raise InvalidValueError(
                "ratings: expected one rating of an item by a user, got "
                f"{int(follows.sum())} more, such as row {row}"
            )
        out = np.zeros(len(pairs), np.bool_)
        out[order[1:][follows] if action == "first" else order[:-1][follows]] = True
        why = f"of each user's ratings of an item the {action} is kept"
        if action == "mean" and "rating" in self.names:
            _, group = np.unique(pairs, return_inverse=True)
            self._replace_ratings(_means(self._rating(), group.reshape(-1))[group.reshape(-1)])
        self._drop(out, "duplicates", why)

    def _by_user(self, rules: Cleaning) -> None:
        if rules.constant_users == "drop":
            users, ratings = self._codes("user"), self._rating()
            constant = constant_users(users, ratings)
            why = f"all {_ENOUGH} or more ratings of the user are the same"
            self._drop(
                constant[users], "constant", f"{why}: {counted(int(constant.sum()), 'user')}"
            )
        for rule, threshold, find in (
            ("outliers", rules.outliers, _outlying),
            ("noise", rules.noise, _noisy),
        ):
            if threshold is not None:
                users, items = self._codes("user"), self._codes("item")
                out, why = find(residuals(users, items, self._rating()), users, threshold)
                self._drop(out, rule, why)


def clean_table(
    table: dict[str, Column], noun: str, id_name: str, rules: Cleaning
) -> tuple[dict[str, Column], list[Step]]:
    """Return a table of users or items without rows that have no id, or that of another row."""
    steps: list[Step] = []
    label = f"{noun}s[{id_name!r}]"
    if rules.missing == "drop" and table[id_name].null.any():
        out = table[id_name].null
        why = f"{label} is missing, first in row {int(np.argmax(out))}"
        table = _without(table, out, "missing", why, steps)
    if rules.duplicates in ("first", "last"):
        codes = Vocabulary.of(require_ids(table, id_name, f"{noun}s"), label)[1]
        last = rules.duplicates == "last"
        kept = np.unique(codes[::-1] if last else codes, return_index=True)[1]
        out = np.ones(len(codes), np.bool_)
        out[len(codes) - 1 - kept if last else kept] = False
        why = f"of the rows of one id in {label} the {rules.duplicates} is kept"
        table = _without(table, out, "duplicates", why, steps)
    return table, steps


def _without(
    columns: dict[str, Column], out: Mask, rule: str, why: str, steps: list[Step]
) -> dict[str, Column]:
    if not out.any():
        return columns
    steps.append(Step(rule, int(out.sum()), "dropped", why))
    return {
        name: Column(column.values[~out], column.null[~out]) for name, column in columns.items()
    }


def constant_users(users: Codes, ratings: NDArray[Any]) -> Mask:
    """Return which users, by code, have five ratings or more which are all the same."""
    size = int(users.max(initial=-1)) + 1
    if not len(users) or ratings.min() == ratings.max():
        return np.zeros(size, np.bool_)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, users, ratings)
    np.maximum.at(high, users, ratings)
    return np.asarray((low == high) & (np.bincount(users, minlength=size) >= _ENOUGH), np.bool_)


def residuals(users: Codes, items: Codes, ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ratings less the median of the user, then of the item."""
    left = ratings - group_medians(ratings, users)[users]
    return left - group_medians(left, items)[items]


def group_medians(values: NDArray[np.float64], group: Codes) -> NDArray[np.float64]:
    """Return the median of the values in each group; zero of an empty group."""
    counts = np.bincount(group)
    ends = np.cumsum(counts)
    ordered = np.append(values[np.lexsort((values, group))], 0.0)
    low, high = ends - counts + (counts - 1) // 2, ends - counts + counts // 2
    return np.where(counts > 0, (ordered[np.maximum(low, 0)] + ordered[high]) / 2, 0.0)


def _means(values: NDArray[np.float64], group: NDArray[Any]) -> NDArray[np.float64]:
    return np.bincount(group, values) / np.bincount(group)


def _spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return median and robust standard deviation; the mean deviation's where half are equal."""
    middle = float(np.median(values))
    away = np.abs(values - middle)
    return middle, _DEVIATION * float(np.median(away)) or 1.2533 * float(away.mean())


def _outlying(e: NDArray[np.float64], users: Codes, threshold: float) -> tuple[Mask, str]:
    if not len(e):
        return np.zeros(0, np.bool_), ""
    middle, deviation = _spread(e)
    out = np.abs(e - middle) >= threshold * deviation
    why = (
        f"{threshold * deviation:.3g} or more, {threshold:g} robust deviations, from what user and "
        "item lead to expect"
    )
    return out & (deviation > 0), why


def _noisy(e: NDArray[np.float64], users: Codes, threshold: float) -> tuple[Mask, str]:
    counts = np.bincount(users)
    judged = counts >= _ENOUGH
    if not judged.any():
        return np.zeros(len(e), np.bool_), ""
    error = np.bincount(users, np.abs(e)) / np.maximum(counts, 1)
    middle, deviation = _spread(error[judged])
    noisy = judged & (error - middle >= threshold * deviation) & (deviation > 0)
    why = (
        f"of users who are {middle + threshold * deviation:.3g} or more from what others lead to "
        f"expect, the median user {middle:.3g}: {counted(int(noisy.sum()), 'user')}"
    )
    return noisy[users], why


def notes(
    users: Codes,
    items: Codes,
    ratings: NDArray[np.float32],
    undescribed: Mapping[str, Mask],
    add: Callable[[Step], Any],
) -> None:
    """Add what is worth knowing of ratings that are left as they are."""
    pairs = users.astype(np.int64) * (int(items.max(initial=0)) + 1) + items
    extra = len(pairs) - len(np.unique(pairs))
    if extra:
        why = "a user rated an item again; Cleaning(duplicates='last') keeps the last"
        add(Step("duplicates", extra, "kept", why))
    for noun, unknown in undescribed.items():
        codes = users if noun == "user" else items
        count = int(unknown[codes].sum())
        if count:
            found = len(np.unique(codes[unknown[codes]]))
            why = f"of {counted(found, noun)} not in the table of {noun}s: all features are unknown"
            add(Step("unknown", count, "kept", why))
    constant = constant_users(users, ratings)
    if constant.any():
        why = (
            f"of {counted(int(constant.sum()), 'user')} whose ratings are all the same; "
            "Cleaning(constant_users='drop') drops them"
        )
        add(Step("constant", int(constant[users].sum()), "kept", why))
