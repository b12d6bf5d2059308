"""Rows of 0 for implicit feedback, where all that is known is what people did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.arrays import as_count, offsets_of, ragged_range
from metarec.episodes import Episodes
from metarec.errors import InvalidValueError
from metarec.tasks import TaskSet

Counts = NDArray[np.float64]
#: Each task's items, one after the other, and where they begin.
Lists = tuple[NDArray[np.int64], NDArray[np.int32]]

_SAMPLING = ("uniform", "popularity", "in_batch")


@dataclass(frozen=True)
class Negatives:
    """How many items that a user does not have are taken for ones that they do not want.

    Parameters
    ----------
    ratio : int
        How many for each row of a task.
    sampling : "uniform", "popularity" or "in_batch"
        Whether every item with training ratings is as likely; or in proportion to a power of their
        number; or only what other users of the same outer step have, as often as they have it.
        There are no others when one user is adapted to: then in proportion to their number.
    power : float
        Of the popularity.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        The message names the argument.

    Notes
    -----
    A model learns what tells clicks from the negatives that it is shown. Shown popular ones, it
    learns the log-odds of a click less `power` times the logarithm of the popularity; in-batch ones
    leave none of that. To rank a whole catalogue, uniform ones are right, and so the default: on
    Last.fm (a quarter of the training users), `ColdStart` is in nDCG@10 at .096 with one known
    artist and at .161 with ten by uniform negatives, by popular ones at .054 and .106, by in-batch
    ones at .042 and .058.

    References
    ----------
    Mikolov, Sutskever, Chen, Corrado, Dean: Distributed representations of words and phrases and
    their compositionality, NIPS 2013 (the power).

    Examples
    --------
    >>> import metarec as mr
    >>> model = mr.MetaLearner(loss="softmax", negatives=Negatives(ratio=8))
    """

    ratio: int = 4
    sampling: str = "uniform"
    power: float = 0.75

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", as_count(self.ratio, "ratio", 1))
        if not isinstance(self.sampling, str) or self.sampling not in _SAMPLING:
            raise InvalidValueError(
                f"sampling: expected 'uniform', 'popularity' or 'in_batch', got {self.sampling!r}"
            )
        is_number = isinstance(self.power, int | float | np.number)
        if not (is_number and 0 <= self.power < np.inf):
            raise InvalidValueError(f"power: expected at least 0, got {self.power!r:.100}")

    @staticmethod
    def counts(tasks: TaskSet) -> Counts:
        """Return how many rows of `tasks` each item has."""
        items = tasks.item_index[np.concatenate([tasks.support()[0], tasks.query()[0]])]
        return np.bincount(items[items >= 0], minlength=tasks.items.rows).astype(np.float64)

    def among(
        self,
        tasks: TaskSet,
        counts: Counts,
        seed: int,
        epoch: int,
        *,
        episodes: Episodes | None = None,
        batch_size: int = 32,
    ) -> TaskSet:
        """Return `tasks` with negatives in support and query; no item of the task is one.

        With `episodes` support and query are drawn before, of all rows: its sizes count no
        negatives. `batch_size` is that of the epoch that will train on them, for "in_batch".
        """
        own = _items(tasks)
        if episodes is not None:
            tasks = _episode(tasks, episodes, seed, epoch)
        batch = batch_size if self.sampling == "in_batch" else 0
        return self._joined(tasks, own, (True, True), counts, seed, epoch, batch)

    def asked(self, tasks: TaskSet, counts: Counts, seed: int) -> TaskSet:
        """Return `tasks` with negatives in the query; no item of the task is one."""
        return self._joined(tasks, _items(tasks), (False, True), counts, seed)

    def beside(self, tasks: TaskSet, counts: Counts, seed: int) -> TaskSet:
        """Return `tasks` with negatives in the support; the query is not looked at."""
        rows, offsets = tasks.support()
        own = offsets, tasks.item_index[rows]
        return self._joined(tasks, own, (True, False), counts, seed)

    def of(self, items: NDArray[np.int32], counts: Counts, seed: int) -> NDArray[np.int32]:
        """Return negatives of one user."""
        own = np.array([0, len(items)], np.int64), items
        drawn = self._draw(own, np.array([len(items) * self.ratio]), counts, seed)
        return drawn[drawn >= 0]

    def _draw(
        self,
        own: Lists,
        wanted: NDArray[np.int64],
        counts: Counts,
        seed: int,
        epoch: int = 0,
        batch_size: int = 0,
    ) -> NDArray[np.int32]:
        power = {"uniform": 0.0, "popularity": self.power, "in_batch": 0.0 if batch_size else 1.0}
        weights = np.where(counts > 0, np.maximum(counts, 1) ** power[self.sampling], 0.0)
        items = np.ascontiguousarray(own[1], np.int32)
        return _metarec.negatives(weights, own[0], items, wanted, seed, epoch, batch_size)

    def _joined(
        self,
        tasks: TaskSet,
        own: Lists,
        sides: tuple[bool, bool],
        counts: Counts,
        seed: int,
        epoch: int = 0,
        batch_size: int = 0,
    ) -> TaskSet:
        """Return the tasks with negatives in some sides: support, query."""
        rows = [tasks.support(), tasks.query()]
        sizes = np.array([np.diff(offsets) for _, offsets in rows])
        wanted = self.ratio * sizes * np.array(sides)[:, None]
        drawn = self._draw(own, wanted.sum(0), counts, seed, epoch, batch_size)
        # A task's drawn items are first those of its support, then those of its query.
        task = np.arange(len(tasks))
        drawn_task = np.repeat(task, wanted.sum(0))
        drawn_side = np.repeat(np.tile([0, 1], len(tasks)), wanted.T.ravel())
        found = drawn >= 0  # What could not be drawn is not there; unknown items of their own stay.
        known = np.concatenate([rows[0][0], rows[1][0]])
        items = np.concatenate([tasks.item_index[known], drawn[found]])
        targets = np.concatenate(
            [tasks.targets[known], np.zeros(np.count_nonzero(found), tasks.targets.dtype)]
        )
        of_task = np.concatenate([np.tile(task, 2).repeat(sizes.ravel()), drawn_task[found]])
        of_side = np.concatenate([np.repeat([0, 1], sizes.sum(1)), drawn_side[found]])
        order = np.lexsort((of_side, of_task))
        return TaskSet(
            offsets_of(np.bincount(of_task, minlength=len(tasks))),
            np.bincount(of_task[of_side == 0], minlength=len(tasks)),
            items[order],
            targets[order],
            _users(tasks),
            items=tasks.items,
            users=tasks.users,
        )


def _rows(tasks: TaskSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of every task's rows, and each task's offsets among them."""
    counts = tasks._support_counts() + tasks._query_counts()
    return ragged_range(tasks._starts(), counts), offsets_of(counts)


def _users(tasks: TaskSet) -> NDArray[np.int32] | None:
    return None if tasks.user_index is None else tasks._of_tasks(tasks.user_index)


def _items(tasks: TaskSet) -> Lists:
    rows, offsets = _rows(tasks)
    return offsets, tasks.item_index[rows]


def _episode(tasks: TaskSet, episodes: Episodes, seed: int, epoch: int) -> TaskSet:
    """Return the tasks with support and query drawn as training without negatives draws them."""
    rows, offsets = _rows(tasks)
    counts = np.diff(offsets)
    random = np.random.default_rng([seed, epoch])
    least, most, query_least, query_most = episodes.bounds
    query = random.integers(query_least, query_most, len(counts), endpoint=True)
    query = np.minimum(np.minimum(query, np.maximum(counts // 2, 1)), counts)
    support = random.integers(least, most, len(counts), endpoint=True)
    support = np.minimum(support, counts - query)
    order = np.lexsort((random.random(len(rows)), np.repeat(np.arange(len(counts)), counts)))
    chosen = rows[order[ragged_range(offsets[:-1], support + query)]]
    return TaskSet(
        offsets_of(support + query),
        support,
        tasks.item_index[chosen],
        tasks.targets[chosen],
        _users(tasks),
        items=tasks.items,
        users=tasks.users,
    )
