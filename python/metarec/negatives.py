"""Rows of 0 for implicit feedback, where all that is known is what people did."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.arrays import as_count, offsets_of, ragged_range
from metarec.errors import InvalidValueError
from metarec.tasks import TaskSet

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Negatives:
    """How many items that a user does not have are taken for ones that they do not want.

    Parameters
    ----------
    ratio : int
        How many for each row of a task.
    sampling : "uniform" or "popularity"
        Whether every item with training ratings is as likely, or in proportion to a power of their
        number.
    power : float
        Of the popularity. 1 draws as from other users' rows, what negatives from the same batch do
        on average; 0 is uniform.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        The message names the argument.

    References
    ----------
    Mikolov, Sutskever, Chen, Corrado, Dean: Distributed representations of words and phrases and
    their compositionality, NIPS 2013 (the power).

    Examples
    --------
    >>> import metarec as mr
    >>> model = mr.MetaLearner(loss="logistic", negatives=Negatives(ratio=2))
    """

    ratio: int = 4
    sampling: str = "popularity"
    power: float = 0.75

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", as_count(self.ratio, "ratio", 1))
        if self.sampling not in ("uniform", "popularity"):
            raise InvalidValueError(
                f"sampling: expected 'uniform' or 'popularity', got {self.sampling!r}"
            )
        if not 0 <= self.power < np.inf:
            raise InvalidValueError(f"power: expected at least 0, got {self.power}")

    @staticmethod
    def counts(tasks: TaskSet) -> Counts:
        """Return how many rows of `tasks` each item has."""
        items = tasks.item_index[np.concatenate([tasks.support()[0], tasks.query()[0]])]
        return np.bincount(items[items >= 0], minlength=tasks.items.rows).astype(np.float64)

    def among(self, tasks: TaskSet, counts: Counts, seed: int, epoch: int) -> TaskSet:
        """Return `tasks` with negatives in support and query; no item of the task is one."""
        return self._joined(tasks, counts, seed, epoch, query=True)

    def beside(self, tasks: TaskSet, counts: Counts, seed: int) -> TaskSet:
        """Return `tasks` with negatives in the support; the query is not looked at."""
        return self._joined(tasks, counts, seed, 0, query=False)

    def of(self, items: NDArray[np.int32], counts: Counts, seed: int) -> NDArray[np.int32]:
        """Return negatives of one user."""
        bounds = np.array([0, len(items)], np.int64)
        drawn = self._draw(bounds, items, np.array([len(items) * self.ratio]), counts, seed, 0)
        return drawn[drawn >= 0]

    def _draw(
        self,
        offsets: NDArray[np.int64],
        items: NDArray[np.int32],
        wanted: NDArray[np.int64],
        counts: Counts,
        seed: int,
        epoch: int,
    ) -> NDArray[np.int32]:
        power = 0.0 if self.sampling == "uniform" else self.power
        weights = np.where(counts > 0, np.maximum(counts, 1) ** power, 0.0)
        own = np.ascontiguousarray(items, np.int32)
        return _metarec.negatives(weights, offsets, own, wanted, seed, epoch)

    def _joined(
        self, tasks: TaskSet, counts: Counts, seed: int, epoch: int, *, query: bool
    ) -> TaskSet:
        sides = [tasks.support(), tasks.query()]
        sizes = [np.diff(offsets) for _, offsets in sides]
        task = np.arange(len(tasks))
        known = _Rows.of([tasks.item_index[rows] for rows, _ in sides], sizes)
        own = known if query else known.of_side(0)
        wanted = [self.ratio * size for size in (sizes if query else sizes[:1])]
        total = np.sum(wanted, axis=0)
        drawn = self._draw(
            offsets_of(own.counts(len(task))), own.sorted(), total, counts, seed, epoch
        )
        # A task's drawn items are first those of its support, then those of its query.
        first = offsets_of(total)[:-1]
        starts = [first, first + wanted[0]]
        extra = [
            drawn[ragged_range(start, count)] for start, count in zip(starts, wanted, strict=False)
        ]
        every = known.joined(_Rows.of(extra, wanted))
        targets = np.concatenate(
            [
                *(tasks.targets[rows] for rows, _ in sides),
                np.zeros(sum(map(len, extra)), tasks.targets.dtype),
            ]
        )
        # Known rows, unknown items among them, stay; what could not be drawn does not.
        kept = np.ones(len(every.items), np.bool_)
        kept[len(known.items) :] = every.items[len(known.items) :] >= 0
        order = every.order()
        order = order[kept[order]]
        supports = every.of_side(0, kept).counts(len(task))
        users = tasks.user_index
        if users is not None and tasks.task_ids is not None:
            users = users[tasks.task_ids]
        return TaskSet(
            offsets_of(np.bincount(every.task[order], minlength=len(task))),
            supports,
            every.items[order],
            targets[order],
            users,
            items=tasks.items,
            users=tasks.users,
        )


@dataclass(frozen=True)
class _Rows:
    """Items with their task, and their side of it: 0 the support, 1 the query."""

    items: NDArray[np.int32]
    task: NDArray[np.int64]
    side: NDArray[np.int64]

    @staticmethod
    def of(items: Sequence[NDArray[np.int32]], sizes: Sequence[NDArray[np.int64]]) -> "_Rows":
        """Return the items of each side, of which task t has ``sizes[side][t]``."""
        return _Rows(
            np.concatenate(items),
            np.concatenate([np.repeat(np.arange(len(size)), size) for size in sizes]),
            np.repeat(np.arange(len(items)), [len(each) for each in items]),
        )

    def of_side(self, side: int, among: NDArray[np.bool_] | None = None) -> "_Rows":
        """Return the rows of one side."""
        mine = (self.side == side) if among is None else (self.side == side) & among
        return _Rows(self.items[mine], self.task[mine], self.side[mine])

    def joined(self, more: "_Rows") -> "_Rows":
        """Return these and more rows."""
        return _Rows(
            np.concatenate([self.items, more.items]),
            np.concatenate([self.task, more.task]),
            np.concatenate([self.side, more.side]),
        )

    def order(self) -> NDArray[np.int64]:
        """Return the rows in the order of tasks, support first; within a side as they are."""
        return np.lexsort((self.side, self.task))

    def sorted(self) -> NDArray[np.int32]:
        """Return the items in that order."""
        return self.items[self.order()]

    def counts(self, tasks: int) -> NDArray[np.int64]:
        """Return the number of rows of each task."""
        return np.bincount(self.task, minlength=tasks).astype(np.int64)
