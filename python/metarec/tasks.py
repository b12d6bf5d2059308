"""Ragged tasks: what was seen of each user, and what is to be predicted."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.arrays import check_index, offsets_of, ragged_range
from metarec.display import html_table
from metarec.errors import InvalidTypeError
from metarec.features import FeatureTable

if TYPE_CHECKING:
    from metarec.dataset import Dataset
    from metarec.features import Floats


class TaskSet:
    """Ragged tasks over tables of items and users, one user each.

    Task t owns rows ``offsets[t]:offsets[t + 1]``, its support first. Arrays are borrowed, never
    copied or converted.

    Parameters
    ----------
    offsets : int64 [T + 1]
        Where each task's rows start.
    support_counts : int64 [T]
        How many of a task's rows, counted from its start, are support; the rest are the query.
    item_index : int32 [N]
        Row of `items` of every row; −1 is an unknown item.
    targets : float32 or float64 [N]
        What to predict, finite.
    user_index : int32 [T], optional
        Row of `users` of every task; −1 is an unknown user. Given exactly when `users` is.
    items, users : FeatureTable
        The features that the indices point into.

    Raises
    ------
    InvalidTypeError, InvalidValueError, InvalidIndexError
        The message names the argument, what came and what was wanted.

    Examples
    --------
    One user who rated items 0 and 1, and whose rating of item 2 is to be predicted:

    >>> import metarec as mr
    >>> items = mr.FeatureTable({"genre": mr.Categorical(np.array([0, 1, 1], np.int32), size=2)})
    >>> tasks = mr.TaskSet(np.array([0, 3]), np.array([2]), np.array([0, 1, 2], np.int32),
    ...                    np.array([5, 3, 4], np.float32), items=items)
    >>> tasks.support_rows, tasks.query_rows
    (2, 1)
    """

    def __init__(
        self,
        offsets: NDArray[np.int64],
        support_counts: NDArray[np.int64],
        item_index: NDArray[np.int32],
        targets: "Floats",
        user_index: NDArray[np.int32] | None = None,
        *,
        items: FeatureTable,
        users: FeatureTable | None = None,
    ) -> None:
        for name, table in (("items", items), ("users", users)):
            if not isinstance(table, FeatureTable) and (table is not None or name == "items"):
                raise InvalidTypeError(f"{name}: expected FeatureTable, got {type(table).__name__}")
        self.offsets, self.support_counts = offsets, support_counts
        self.item_index, self.targets, self.user_index = item_index, targets, user_index
        self.items, self.users = items, users
        #: The data that the rows are of and their numbers there, of tasks that a `Dataset` made.
        self.source: tuple[Dataset, NDArray[np.int64]] | None = None
        self.task_ids: NDArray[np.int64] | None = None
        self._whole: TaskSet | None = None
        self._handle: _metarec.Tasks | None = None
        self.native  # noqa: B018 making it checks the arrays

    def take(self, ids: ArrayLike) -> "TaskSet":
        """Return some of the tasks, in the order given (repeats allowed), over the same memory."""
        index = np.asarray(ids) if np.size(ids) else np.empty(0, np.int64)
        if index.dtype.kind not in "iu" or index.ndim != 1:
            raise InvalidTypeError(
                f"ids: expected integers [tasks], got {index.dtype.name} {list(index.shape)}"
            )
        check_index(index, len(self), "ids", low=0)
        view = object.__new__(TaskSet)
        view.__dict__.update(self.__dict__)
        index = index.astype(np.int64)
        view.task_ids = index if self.task_ids is None else self.task_ids[index]
        view._whole, view._handle = self if self._whole is None else self._whole, None
        return view

    def without_answers(self, value: float = 0.0) -> "TaskSet":
        """Return these tasks with `value` for every query row's target, and without `source`."""
        targets = self.targets.copy()
        targets[self.query()[0]] = value
        hidden = object.__new__(TaskSet)
        hidden.__dict__.update(self.__dict__)
        hidden.targets, hidden.source = targets, None
        hidden._handle, hidden._whole = None, None
        if self.task_ids is not None:
            whole = object.__new__(TaskSet)
            whole.__dict__.update(hidden.__dict__ | {"task_ids": None})
            hidden._whole = whole
        return hidden

    @property
    def native(self) -> "_metarec.Tasks":
        """The kernels' handle on this memory, which is checked when it is made."""
        if self._handle is None:
            if self._whole is not None and self.task_ids is not None:
                self._handle = self._whole.native.take(self.task_ids)
            else:
                self._handle = _metarec.Tasks(
                    self.offsets,
                    self.support_counts,
                    self.item_index,
                    self.targets,
                    self.user_index,
                    self.items.native,
                    None if self.users is None else self.users.native,
                )
        return self._handle

    @property
    def support_rows(self) -> int:
        """Number of support rows of all tasks."""
        return int(self._support_counts().sum())

    @property
    def query_rows(self) -> int:
        """Number of query rows of all tasks."""
        return int(self._query_counts().sum())

    def support(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the support rows' places in `targets`, and each task's offsets among them."""
        counts = self._support_counts()
        return ragged_range(self._starts(), counts), offsets_of(counts)

    def query(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the query rows' places in `targets`, and each task's offsets among them."""
        counts = self._query_counts()
        return ragged_range(self._starts() + self._support_counts(), counts), offsets_of(counts)

    def query_targets(self) -> tuple["Floats", NDArray[np.int64]]:
        """Return the targets of all query rows, in order, and each task's offsets among them."""
        rows, offsets = self.query()
        return self.targets[rows], offsets

    def __len__(self) -> int:
        return len(self.support_counts) if self.task_ids is None else len(self.task_ids)

    def _starts(self) -> NDArray[np.int64]:
        return self._of_tasks(self.offsets[:-1])

    def _support_counts(self) -> NDArray[np.int64]:
        return self._of_tasks(self.support_counts)

    def _query_counts(self) -> NDArray[np.int64]:
        return self._of_tasks(np.diff(self.offsets) - self.support_counts)

    def _of_tasks(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.task_ids is None else values[self.task_ids]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None, "source": None}

    def __repr__(self) -> str:
        return (
            f"TaskSet({len(self):,} tasks, {self.support_rows:,} support rows, "
            f"{self.query_rows:,} query rows)"
        )

    def _repr_html_(self) -> str:
        def row(name: str, counts: NDArray[np.int64]) -> tuple[str, str, str]:
            spread = f"{counts.min()} to {counts.max()}" if len(counts) else "none"
            return name, f"{counts.sum():,}", spread

        rows = [row("support", self._support_counts()), row("query", self._query_counts())]
        return html_table(f"TaskSet: {len(self):,} tasks", ("", "rows", "a task"), rows)
