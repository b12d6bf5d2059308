"""The trivial floors: what any model must beat to be worth its cost.

They are models: `fit(dataset)` takes the training part, `predict(tasks)` gives the query rows'
predictions in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metarec.errors import InvalidValueError, NotFittedError

if TYPE_CHECKING:
    from metarec.dataset import Dataset
    from metarec.tasks import TaskSet

Floats = NDArray[np.float64]


class _Support:
    """The support of every task, and how many query rows to answer."""

    def __init__(self, tasks: TaskSet) -> None:
        rows, offsets = tasks.support()
        self.counts = np.diff(offsets)
        self.starts = offsets[:-1]
        self.items = tasks.item_index[rows]
        self.ratings = tasks.targets[rows].astype(np.float64)
        self.task = np.repeat(np.arange(len(self.counts)), self.counts)
        rows, offsets = tasks.query()
        self.query_items = tasks.item_index[rows]
        self._query_counts = np.diff(offsets)

    def sums(self, values: Floats) -> Floats:
        """Sum one value a support row over each task."""
        return np.bincount(self.task, values, len(self.counts)).astype(np.float64, copy=False)

    def query_rows(self, values: Floats) -> Floats:
        """Give each query row its task's value."""
        return np.repeat(values, self._query_counts)


class Floor(ABC):
    """What the floors share: the mean of the training ratings, and their repr."""

    mean_: float

    def fit(self, dataset: Dataset) -> Floor:
        """Learn from the training part.

        Raises
        ------
        InvalidValueError
            The training part has no rating.
        """
        if not len(dataset.rating):
            raise InvalidValueError("dataset: has no ratings, wanted at least one")
        self.mean_ = float(dataset.rating.mean(dtype=np.float64))
        return self

    @abstractmethod
    def predict(self, tasks: TaskSet) -> Floats:
        """Predict the query rows in order, ``[query rows]`` in rating units."""

    def _fitted(self) -> None:
        if not hasattr(self, "mean_"):
            raise NotFittedError(f"{self!r}: call fit(splits.train) first")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class GlobalMean(Floor):
    """Predict the mean training rating, μ, for every row."""

    def predict(self, tasks: TaskSet) -> Floats:
        """Predict the query rows in order."""
        self._fitted()
        return np.full(len(tasks.query()[0]), self.mean_)


class UserMean(Floor):
    """Predict the mean of the task's support; μ where there is none."""

    def predict(self, tasks: TaskSet) -> Floats:
        """Predict the query rows in order."""
        self._fitted()
        support = _Support(tasks)
        sums = support.sums(support.ratings)
        means = np.where(support.counts > 0, sums / np.maximum(support.counts, 1), self.mean_)
        return support.query_rows(means)


class UserMedian(Floor):
    """Predict the median of the task's support (of an even number the mean of the middle two).

    Where there is no support: the median of the training ratings.
    """

    median_: float

    def fit(self, dataset: Dataset) -> UserMedian:
        """Learn the median of the training part."""
        super().fit(dataset)
        self.median_ = float(np.median(dataset.rating))
        return self

    def predict(self, tasks: TaskSet) -> Floats:
        """Predict the query rows in order."""
        self._fitted()
        support = _Support(tasks)
        # Sorted within each task, the middle is found by position.
        ordered = np.append(support.ratings[np.lexsort((support.ratings, support.task))], 0.0)
        low = support.starts + np.maximum(support.counts - 1, 0) // 2
        medians = (ordered[low] + ordered[support.starts + support.counts // 2]) / 2
        return support.query_rows(np.where(support.counts > 0, medians, self.median_))


class Bias(Floor):
    """Predict μ + b_user + b_item, offsets shrunk towards zero as by some ratings of zero.

    The training part's offsets minimise ``Σ(r − μ − b_u − b_i)² + 3·Σ b_u² + 5·Σ b_i²``, solved by
    alternating the two exact halves::

        b_u = Σ_i (r − μ − b_i) / (n_u + 3)        b_i = Σ_u (r − μ − b_u) / (n_i + 5)

    A task's user offset is the same ``b_u`` over its support; an item never seen in training has 0.

    Parameters
    ----------
    user_shrinkage, item_shrinkage
        Ratings of offset zero that each user and each item is given besides its own.

    References
    ----------
    Koren: Factor in the neighbors: scalable and accurate collaborative filtering. TKDD 4 (2010).
    """

    item_offsets_: Floats

    #: Sweeps end when no offset moves by more, in rating units; some fifteen on MovieLens-1M.
    _TOLERANCE = 1e-5
    _MAX_SWEEPS = 100

    def __init__(self, user_shrinkage: float = 3.0, item_shrinkage: float = 5.0) -> None:
        for name, value in (("user", user_shrinkage), ("item", item_shrinkage)):
            if not 0 <= value < np.inf:
                raise InvalidValueError(f"{name}_shrinkage: got {value}, wanted 0 or more")
        self.user_shrinkage = user_shrinkage
        self.item_shrinkage = item_shrinkage

    def __repr__(self) -> str:
        return f"Bias(user_shrinkage={self.user_shrinkage}, item_shrinkage={self.item_shrinkage})"

    def fit(self, dataset: Dataset) -> Bias:
        """Learn μ and the item offsets; each sweep is linear in the ratings."""
        super().fit(dataset)
        users, items = dataset.user, dataset.item
        residuals = dataset.rating.astype(np.float64) - self.mean_
        user_weights = np.maximum(np.bincount(users) + self.user_shrinkage, 1)
        item_weights = np.maximum(np.bincount(items) + self.item_shrinkage, 1)
        offsets = np.zeros(len(item_weights))
        for _ in range(self._MAX_SWEEPS):
            user_offsets = np.bincount(users, residuals - offsets[items]) / user_weights
            previous, offsets = (
                offsets,
                np.bincount(items, residuals - user_offsets[users]) / item_weights,
            )
            if np.max(np.abs(offsets - previous), initial=0.0) <= self._TOLERANCE:
                break
        self.item_offsets_ = offsets
        return self

    def predict(self, tasks: TaskSet) -> Floats:
        """Predict the query rows in order."""
        self._fitted()
        support = _Support(tasks)
        residuals = support.ratings - self.mean_ - self._of_items(support.items)
        weights = np.maximum(support.counts + self.user_shrinkage, 1)
        user_offsets = support.sums(residuals) / weights
        return self.mean_ + support.query_rows(user_offsets) + self._of_items(support.query_items)

    def _of_items(self, items: NDArray[np.int32]) -> Floats:
        known = (items >= 0) & (items < len(self.item_offsets_))
        return np.where(known, self.item_offsets_[np.where(known, items, 0)], 0.0)


#: The floors of every report, by their name there.
FLOORS: dict[str, type[Floor]] = {
    "global_mean": GlobalMean,
    "user_mean": UserMean,
    "user_median": UserMedian,
    "bias": Bias,
}
