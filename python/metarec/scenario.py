"""Test tasks of one kind, and how one draw of support and query is made."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count, offsets_of
from metarec.dataset import Dataset
from metarec.errors import InvalidValueError
from metarec.tasks import TaskSet

# Draws whose order is remembered, 8 bytes a rating each.
KEPT_DRAWS = 8


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
    new_users, new_items : bool
        Whether its users, its items, have no rating in training.
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
        new_users: bool = False,
        new_items: bool = False,
    ) -> None:
        counts = np.bincount(data.user[rows], minlength=data.user_count)
        high = len(data) if max_ratings is None else max_ratings
        enters = (counts >= min_ratings) & (counts <= high)
        self.name, self.data, self.query, self.order, self.seed = name, data, query, order, seed
        self.new_users, self.new_items = new_users, new_items
        self.users = np.flatnonzero(enters)
        self.all_rows = rows[enters[data.user[rows]]]
        self._counts = counts[self.users]
        self._history_rows = history_rows
        # Rows held out of training are the same in every draw: those that draw 0 makes the query.
        self._held_out = np.zeros(len(data), np.bool_)
        if fixed_query:
            self._held_out[self._sort(0)[self._is_query()]] = True
        # The latest draws: a report asks for the same ones at every support size.
        self._orders: dict[int, NDArray[np.int64]] = {}

    @property
    def draws(self) -> int | None:
        """1 when ordered by time, None when there is a new draw for every number."""
        return 1 if self.order == "time" else None

    @property
    def unseen_rows(self) -> NDArray[np.int64]:
        """Rows that no model may have been trained on: in `warm` the queries, else all."""
        held_out = self.all_rows[self._held_out[self.all_rows]]
        return held_out if len(held_out) else self.all_rows

    @property
    def support_counts(self) -> NDArray[np.int64]:
        """Support rows of each task, before any truncation or history."""
        return self._counts - self.query

    def tasks(self, draw: int = 0, *, support_size: int | None = None, history: int = 0) -> TaskSet:
        """Return the tasks of one draw.

        ``key = numpy.random.default_rng([seed, draw]).random(len(data))``; each task's rows are
        sorted by key (by timestamp, then row, with ``order="time"``); the last `query` are the
        query, the rest the support. The warm scenario's query rows are those of draw 0 in every
        draw, as they were held out of training; only its support is reordered.

        Parameters
        ----------
        draw : int
        support_size : int, optional
            Keep only the first so many rows of each support; the query stays the same.
        history : int
            Put up to so many of the user's own training ratings, the first by the same key (with
            ``order="time"`` the latest that are not later than the first query row), before the
            support.

        Examples
        --------
        >>> import metarec as mr
        >>> splits = mr.split.cold_start(mr.datasets.synthetic(seed=0), seed=0)
        >>> tasks = splits.new_user.tasks(draw=0, support_size=5)
        >>> tasks.query_rows == 10 * len(tasks), tasks.support_rows <= 5 * len(tasks)
        (True, True)
        """
        rows, counts, support_counts = self.rows(draw, support_size=support_size, history=history)
        return self.data.task_set(rows, counts, support_counts, self.users)

    def rows(
        self, draw: int = 0, *, support_size: int | None = None, history: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the row numbers in `data` behind `tasks`, each task's row and support counts."""
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
        """Return the tasks with so many support rows, to compare sizes over the same users."""
        return np.flatnonzero(self.support_counts >= min_support)

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        return f"Scenario({self.name}: {len(self):,} tasks, {len(self.all_rows):,} ratings)"

    def _key(self, draw: int) -> NDArray[Any]:
        if self.order == "time":
            assert self.data.timestamp is not None
            return self.data.timestamp
        return np.random.default_rng([self.seed, draw]).random(len(self.data))

    def _sorted(self, draw: int) -> NDArray[np.int64]:
        if draw not in self._orders:
            while len(self._orders) >= KEPT_DRAWS:
                del self._orders[next(iter(self._orders))]
            self._orders[draw] = self._sort(draw)
        return self._orders[draw]

    def _sort(self, draw: int) -> NDArray[np.int64]:
        """Rows by task, then by key, the query last."""
        rows = self.all_rows
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
