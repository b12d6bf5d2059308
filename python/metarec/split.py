"""Cold-start splits: who and what is new, what is for training, and how test tasks are drawn.

The words: *existing* users and items are those of training, *new* ones are never seen there. The scenarios are
``new_user`` (new user, existing items), ``new_item`` (existing user, support and query both on new items),
``new_both``, and ``warm`` (existing user and items, the query rows held out of training).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count, offsets_of
from metarec.dataset import Dataset
from metarec.display import html_table
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.tasks import TaskSet

Rule = float | str | NDArray[np.bool_] | Callable[[Mapping[str, NDArray[Any]]], NDArray[np.bool_]]

# Streams of numpy.random.default_rng([seed, 0, stream]); draws use [seed, draw], so none may be 0.
NEW_USERS, NEW_ITEMS, VALIDATION_USERS, VALIDATION_ITEMS = 1, 2, 3, 4


class Scenario:
    """Test tasks of one kind: one per user who has enough ratings of that kind.

    Attributes
    ----------
    name : str
        "warm", "new_user", "new_item" or "new_both".
    data : Dataset
        The data that was split; draws number its rows.
    users : int64 [tasks]
        Code of each task's user, ascending.
    support_counts : int64 [tasks]
        Support rows of each task.
    draws : int or None
        How many different draws there are: 1 when ordered by time, None when any number.
    """

    def __init__(
        self,
        name: str,
        data: Dataset,
        rows: NDArray[np.int64],
        *,
        min_ratings: int,
        max_ratings: int | None,
        query: int,
        order: str,
        seed: int,
        fixed_query: bool = False,
        history_rows: NDArray[np.int64] | None = None,
    ) -> None:
        counts = np.bincount(data.user[rows], minlength=data.user_count)
        high = len(data) if max_ratings is None else max_ratings
        enters = (counts >= min_ratings) & (counts <= high)
        self.name, self.data, self.query, self.order, self.seed = name, data, query, order, seed
        self.users = np.flatnonzero(enters)
        self._rows = rows[enters[data.user[rows]]]
        self._counts = counts[self.users]
        self._history_rows = history_rows
        # Rows held out of training are the same in every draw: those that draw 0 makes the query.
        self._held_out = np.zeros(len(data), np.bool_)
        if fixed_query:
            self._held_out[self._sorted(0)[self._is_query()]] = True

    @property
    def draws(self) -> int | None:
        """1 when ordered by time, None when there is a new draw for every number."""
        return 1 if self.order == "time" else None

    @property
    def support_counts(self) -> NDArray[np.int64]:
        """Support rows of each task, before any truncation or history."""
        return self._counts - self.query

    def tasks(self, draw: int = 0, *, support_size: int | None = None, history: int = 0) -> TaskSet:
        """Return the tasks of one draw.

        ``key = numpy.random.default_rng([seed, draw]).random(len(data))``; each task's rows are sorted by key
        (by timestamp, then row, with ``order="time"``); the last `query` are the query, the rest the support.
        The warm scenario's query rows are those of draw 0 in every draw, as they were held out of
        training; only its support is reordered.

        Parameters
        ----------
        draw : int
        support_size : int, optional
            Keep only the first so many rows of each support; the query stays the same.
        history : int
            Put up to so many of the user's own training ratings, the first by the same key (with
            ``order="time"`` the latest that are not later than the first query row), before the support.

        Examples
        --------
        >>> import metarec as mr
        >>> splits = mr.split.cold_start(mr.datasets.synthetic(seed=0), seed=0)
        >>> tasks = splits.new_user.tasks(draw=0, support_size=5)
        >>> tasks.support_rows == 5 * len(tasks)
        False
        """
        rows, counts, support_counts = self.rows(draw, support_size=support_size, history=history)
        return self.data.task_set(rows, counts, support_counts, self.users)

    def rows(
        self, draw: int = 0, *, support_size: int | None = None, history: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the row numbers in `data` behind `tasks`, and each task's row and support counts."""
        draw = as_count(draw, "draw")
        if self.draws is not None and draw >= self.draws:
            raise InvalidValueError(f"draw: order='time' has one draw, 0; got {draw}")
        rows = self._sorted(draw)
        task = np.repeat(np.arange(len(self.users)), self._counts)
        support_counts = self.support_counts
        if support_size is not None:
            support_counts = np.minimum(support_counts, as_count(support_size, "support_size"))
            place = np.arange(len(rows)) - offsets_of(self._counts)[task]
            kept = (place < support_counts[task]) | self._is_query()
            rows, task = rows[kept], task[kept]
        if as_count(history, "history"):
            before, owner = self._history(draw, history)
            merged = np.argsort(np.concatenate([owner, task]), kind="stable")
            rows = np.concatenate([before, rows])[merged]
            support_counts = support_counts + np.bincount(owner, minlength=len(self.users))
        return rows, support_counts + self.query, support_counts

    def eligible(self, min_support: int = 30) -> NDArray[np.int64]:
        """Return the tasks with at least so many support rows, for curves over the same users at every point."""
        return np.flatnonzero(self.support_counts >= min_support)

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        return f"Scenario({self.name}: {len(self):,} tasks, {len(self._rows):,} ratings)"

    def _key(self, draw: int) -> NDArray[Any]:
        if self.order == "time":
            assert self.data.timestamp is not None
            return self.data.timestamp
        return np.random.default_rng([self.seed, draw]).random(len(self.data))

    def _sorted(self, draw: int) -> NDArray[np.int64]:
        """Rows by task, then by key, the query last."""
        rows = self._rows
        keys = (self._key(draw)[rows], self._held_out[rows], self.data.user[rows])
        return rows[np.lexsort(keys)]

    def _is_query(self) -> NDArray[np.bool_]:
        """Which of the sorted rows are query rows."""
        ends = np.repeat(np.cumsum(self._counts), self._counts)
        return np.arange(len(ends)) >= ends - self.query

    def _history(self, draw: int, limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._history_rows is None:
            raise InvalidValueError(f"history: only the scenario new_item has any, not {self.name}")
        rows, key = self._history_rows, self._key(draw)
        task_of = np.full(self.data.user_count, -1, np.int64)
        task_of[self.users] = np.arange(len(self.users))
        rows = rows[task_of[self.data.user[rows]] >= 0]
        if self.order == "time":
            first_query = offsets_of(self._counts)[1:] - self.query
            until = key[self._sorted(draw)[first_query]]
            rows = rows[key[rows] <= until[task_of[self.data.user[rows]]]]
        owner = task_of[self.data.user[rows]]
        order = np.lexsort((key[rows], owner))
        rows, owner = rows[order], owner[order]
        counts = np.bincount(owner, minlength=len(self.users))
        place = np.arange(len(rows)) - offsets_of(counts)[owner]
        if self.order == "time":
            place = counts[owner] - 1 - place
        return rows[place < limit], owner[place < limit]


class Splits(Mapping[str, Scenario]):
    """A training part and the test scenarios by name: ``splits["new_user"]`` or ``splits.new_user``.

    Attributes
    ----------
    train : Dataset
        View of every rating of existing users on existing items, less the warm queries and validation.
    validation : Splits or None
        Scenarios of the same shape, carved from the training part alone.
    train_and_validation : Dataset
        View of the whole training part, to train on once all choices are made.
    """

    def __init__(
        self,
        data: Dataset,
        scenarios: Mapping[str, Scenario],
        training_rows: NDArray[np.int64],
        validation: "Splits | None" = None,
    ) -> None:
        self._data, self._scenarios, self._rows = data, dict(scenarios), training_rows
        self.validation = validation

    @cached_property
    def train(self) -> Dataset:
        """The ratings to train on."""
        return self.validation.train if self.validation else self.train_and_validation

    @cached_property
    def train_and_validation(self) -> Dataset:
        """The whole training part."""
        return self._data.view(self._rows)

    @property
    def scenarios(self) -> Mapping[str, Scenario]:
        """The scenarios by name."""
        return self._scenarios

    def __getitem__(self, name: str) -> Scenario:
        return self._scenarios[name]

    def __getattr__(self, name: str) -> Scenario:
        scenarios = self.__dict__.get("_scenarios", {})
        if name in scenarios:
            found: Scenario = scenarios[name]
            return found
        raise AttributeError(f"no scenario {name!r}; there are {list(scenarios)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._scenarios)

    def __len__(self) -> int:
        return len(self._scenarios)

    def _lines(self) -> list[tuple[str, str, str]]:
        train = ("train", "", f"{len(self.train):,}")
        tests = [(n, f"{len(s):,}", f"{len(s._rows):,}") for n, s in self._scenarios.items()]
        held = self.validation._scenarios.items() if self.validation else ()
        return [
            train,
            *tests,
            *((f"validation {n}", f"{len(s):,}", f"{len(s._rows):,}") for n, s in held),
        ]

    def __repr__(self) -> str:
        return "Splits\n" + "\n".join(
            f"  {name:<20} {tasks:>9} tasks {ratings:>11} ratings"
            if tasks
            else f"  {name:<20} {'':>15} {ratings:>11} ratings"
            for name, tasks, ratings in self._lines()
        )

    def _repr_html_(self) -> str:
        return html_table("Splits", ("", "tasks", "ratings"), self._lines())


def cold_start(
    data: Dataset,
    new_users: Rule = 0.2,
    new_items: Rule = 0.2,
    min_ratings: int = 13,
    max_ratings: int | None = 100,
    query: int = 10,
    order: str = "shuffle",
    seed: int = 0,
    *,
    validation: float = 0.1,
) -> Splits:
    """Split into training ratings and the scenarios warm, new_user, new_item and new_both.

    Parameters
    ----------
    data : Dataset
    new_users, new_items : fraction, rule or booleans
        Who and what is new: a fraction of those with ratings, chosen by `seed`; a function of the columns
        such as ``lambda items: items["year"] >= 1998``; the name of a boolean column; or a boolean per code.
    min_ratings, max_ratings : int
        A user enters a scenario with so many ratings there; training is not filtered.
    query : int
        Query rows of each test task; the rest are its support.
    order : "shuffle" or "time"
        Whether the query are the last rows by chance or by timestamp.
    seed : int
        Decides who is new and all draws.
    validation : float
        Fraction of the existing users, and of the existing items, that are pretended new for validation. Where
        a rule makes new whatever lies above a bound in one column, such as a year, the pretended-new items are
        those of the highest values until the fraction is reached. 0: no validation.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        The message names the argument.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(seed=0), new_items=0.3, seed=1)
    >>> list(splits)
    ['warm', 'new_user', 'new_item', 'new_both']
    """
    bounds = _Bounds(data, min_ratings, max_ratings, query, order, seed, warm=True)
    rated_users = np.bincount(data.user, minlength=data.user_count) > 0
    rated_items = np.bincount(data.item, minlength=data.item_count) > 0
    user, _ = _choose(new_users, data.user_columns, rated_users, "new_users", [seed, 0, NEW_USERS])
    item, threshold = _choose(
        new_items, data.item_columns, rated_items, "new_items", [seed, 0, NEW_ITEMS]
    )
    return _split(bounds, np.arange(len(data)), user, item, threshold, validation)


def melu(
    data: Dataset,
    seed: int = 0,
    *,
    folder: str | Path | None = None,
    min_ratings: int = 13,
    max_ratings: int | None = 100,
    query: int = 10,
    validation: float = 0.1,
) -> Splits:
    """Split MovieLens-1M by the lists MeLU published: 4,832 existing and 1,208 new users, items of 1998-2000 new.

    The scenario warm is not offered: all of its rows are training rows there. Ratings of a user or item in
    none of the lists are left out. Validation pretends new a tenth of the existing users and the items of the
    last years.

    Parameters
    ----------
    data : Dataset
        `metarec.datasets.movielens_1m`.
    seed : int
        Decides the draws and validation; the lists are fixed.
    folder : path, optional
        Where ``warm_state.json``, ``user_cold_state.json``, ``item_cold_state.json`` and
        ``user_and_item_cold_state.json`` are; else ``melu_splits`` in the folder the data came from.

    References
    ----------
    Lee, Im, Jang, Cho, Chung: MeLU: Meta-Learned User Preference Estimator for Cold-Start Recommendation,
    KDD 2019.
    """
    if folder is None and data.folder is None:
        raise InvalidValueError("folder: the data came from no folder; say where MeLU's lists are")
    place = Path(folder) if folder is not None else Path(data.folder or "") / "melu_splits"
    lists = {
        name: _melu_list(place, name)
        for name in ("warm", "user_cold", "item_cold", "user_and_item_cold")
    }
    existing_user = _listed(
        data.user_codes, data.user_count, lists["warm"][0] | lists["item_cold"][0]
    )
    new_user = _listed(
        data.user_codes, data.user_count, lists["user_cold"][0] | lists["user_and_item_cold"][0]
    )
    existing_item = _listed(
        data.item_codes, data.item_count, lists["warm"][1] | lists["user_cold"][1]
    )
    new_item = _listed(
        data.item_codes, data.item_count, lists["item_cold"][1] | lists["user_and_item_cold"][1]
    )
    listed = (existing_user | new_user)[data.user] & (existing_item | new_item)[data.item]
    bounds = _Bounds(data, min_ratings, max_ratings, query, "shuffle", seed, warm=False)
    year = data.item_columns.get("year")
    return _split(bounds, np.flatnonzero(listed), new_user, new_item, year, validation)


class _Bounds:
    """What all scenarios of a split have in common."""

    def __init__(
        self,
        data: Dataset,
        min_ratings: int,
        max_ratings: int | None,
        query: int,
        order: str,
        seed: int,
        *,
        warm: bool,
    ) -> None:
        self.data, self.warm = data, warm
        self.query, self.seed = as_count(query, "query", 1), as_count(seed, "seed")
        self.low = as_count(min_ratings, "min_ratings", 1)
        self.high = None if max_ratings is None else as_count(max_ratings, "max_ratings", self.low)
        if self.low < self.query:
            raise InvalidValueError(
                f"min_ratings: expected at least query={query}, got {min_ratings}"
            )
        if order not in ("shuffle", "time"):
            raise InvalidValueError(f"order: expected 'shuffle' or 'time', got {order!r}")
        if order == "time" and data.timestamp is None:
            raise InvalidValueError("order: 'time' needs timestamps, and the data has none")
        self.order = order

    def carve(
        self, rows: NDArray[np.int64], new_user: NDArray[np.bool_], new_item: NDArray[np.bool_]
    ) -> tuple[dict[str, NDArray[np.int64]], dict[str, Scenario], NDArray[np.int64]]:
        """Return the rows of each part, its scenarios, and the training rows."""
        user, item = new_user[self.data.user[rows]], new_item[self.data.item[rows]]
        parts = {
            "warm": rows[~user & ~item],
            "new_user": rows[user & ~item],
            "new_item": rows[~user & item],
            "new_both": rows[user & item],
        }
        training, scenarios = parts["warm"], {}
        if self.warm:
            scenarios["warm"] = self.scenario("warm", training, fixed_query=True)
            training = training[~scenarios["warm"]._held_out[training]]
        for name in ("new_user", "new_item", "new_both"):
            history = training if name == "new_item" else None
            scenarios[name] = self.scenario(name, parts[name], history_rows=history)
        return parts, scenarios, training

    def scenario(self, name: str, rows: NDArray[np.int64], **options: Any) -> Scenario:
        return Scenario(
            name,
            self.data,
            rows,
            min_ratings=self.low,
            max_ratings=self.high,
            query=self.query,
            order=self.order,
            seed=self.seed,
            **options,
        )


def _split(
    bounds: _Bounds,
    rows: NDArray[np.int64],
    new_user: NDArray[np.bool_],
    new_item: NDArray[np.bool_],
    threshold: NDArray[Any] | None,
    validation: float,
) -> Splits:
    data, seed = bounds.data, bounds.seed
    _, scenarios, training = bounds.carve(rows, new_user, new_item)
    if not _fraction(validation, "validation"):
        return Splits(data, scenarios, training)
    user = np.bincount(data.user[training], minlength=data.user_count) > 0
    item = np.bincount(data.item[training], minlength=data.item_count) > 0
    user = _sample(user, validation * new_user.any(), [seed, 0, VALIDATION_USERS])
    if threshold is None:
        item = _sample(item, validation * new_item.any(), [seed, 0, VALIDATION_ITEMS])
    else:
        item = _highest(item, threshold, validation * new_item.any())
    _, held, kept = bounds.carve(training, user, item)
    return Splits(data, scenarios, training, Splits(data, held, kept))


def _choose(
    rule: Rule,
    columns: Mapping[str, NDArray[Any]],
    rated: NDArray[np.bool_],
    name: str,
    stream: list[int],
) -> tuple[NDArray[np.bool_], NDArray[Any] | None]:
    """Return who is new, and the column in which the new lie above all others, if that is the rule."""
    if isinstance(rule, (int, float)) and not isinstance(rule, bool):
        return _sample(rated, _fraction(rule, name), stream), None
    read: list[str] = []
    if isinstance(rule, str):
        chosen: Any = _Recording(columns, read, name)[rule]
    elif callable(rule):
        chosen = rule(_Recording(columns, read, name))
    else:
        chosen = rule
    new = np.asarray(chosen)
    if new.dtype != np.bool_ or new.shape != rated.shape:
        raise InvalidTypeError(
            f"{name}: expected a fraction, or {len(rated)} booleans from a rule or column; got "
            f"{new.dtype.name} {list(new.shape)}"
        )
    column = columns[read[0]] if len(set(read)) == 1 else None
    if column is None or column.dtype.kind not in "iuf" or not new.any() or new.all():
        return new, None
    above = np.nanmin(column[new]) > np.nanmax(column[~new])
    return new, column if above else None


class _Recording(Mapping[str, NDArray[Any]]):
    """Columns that note which of them a rule reads."""

    def __init__(self, columns: Mapping[str, NDArray[Any]], read: list[str], name: str) -> None:
        self._columns, self._read, self._name = columns, read, name

    def __getitem__(self, key: str) -> NDArray[Any]:
        if key not in self._columns:
            raise InvalidValueError(
                f"{self._name}: no column {key!r}; there are {list(self._columns)}"
            )
        self._read.append(key)
        return self._columns[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _fraction(value: float, name: str) -> float:
    if not 0 <= value < 1:
        raise InvalidValueError(
            f"{name}: expected a fraction of at least 0 and below 1, got {value}"
        )
    return float(value)


def _sample(among: NDArray[np.bool_], fraction: float, stream: list[int]) -> NDArray[np.bool_]:
    candidates = np.flatnonzero(among)
    order = np.random.default_rng(stream).permutation(len(candidates))
    chosen = np.zeros(len(among), np.bool_)
    chosen[candidates[order[: round(fraction * len(candidates))]]] = True
    return chosen


def _highest(among: NDArray[np.bool_], column: NDArray[Any], fraction: float) -> NDArray[np.bool_]:
    """Whole values from the top until at least the fraction is reached."""
    values = np.sort(column[among & ~np.isnan(column)])
    count = int(np.ceil(fraction * among.sum()))
    if not count or not len(values):
        return np.zeros(len(among), np.bool_)
    with np.errstate(invalid="ignore"):
        return among & (column >= values[-min(count, len(values))])


def _melu_list(folder: Path, name: str) -> tuple[set[str], set[str]]:
    path = folder / f"{name}_state.json"
    try:
        items_of = json.loads(path.read_text())
    except OSError as error:
        raise InvalidValueError(
            f"folder: MeLU's lists come with its code, not with MovieLens; {path}: {error.strerror}"
        ) from None
    return set(items_of), set(chain.from_iterable(items_of.values()))


def _listed(
    codes: Callable[[NDArray[np.int64]], NDArray[np.int32]], count: int, ids: set[str]
) -> NDArray[np.bool_]:
    found = codes(np.fromiter(map(int, ids), np.int64, len(ids)))
    listed = np.zeros(count, np.bool_)
    listed[found[found >= 0]] = True
    return listed
