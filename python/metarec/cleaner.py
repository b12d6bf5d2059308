"""Rules of `Cleaning` applied to the columns of tables."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.cleaning import Cleaning, Step
from metarec.display import counted
from metarec.errors import InvalidValueError
from metarec.frames import Column, as_numbers, as_timestamp, require_ids
from metarec.robust import (
    ENOUGH,
    Codes,
    Mask,
    constant_users,
    group_means,
    noisy,
    outlying,
    residuals,
)
from metarec.vocabulary import Vocabulary


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
            self._replace_ratings(group_means(self._rating(), group.reshape(-1))[group.reshape(-1)])
        self._drop(out, "duplicates", why)

    def _by_user(self, rules: Cleaning) -> None:
        if rules.constant_users == "drop":
            users, ratings = self._codes("user"), self._rating()
            constant = constant_users(users, ratings)
            why = f"all {ENOUGH} or more ratings of the user are the same"
            self._drop(
                constant[users], "constant", f"{why}: {counted(int(constant.sum()), 'user')}"
            )
        for rule, threshold, find in (
            ("outliers", rules.outliers, outlying),
            ("noise", rules.noise, noisy),
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
