"""The mean of an item's ratings."""

import numpy as np

from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.errors import InvalidValueError
from metarec.estimator import Estimator, of_items
from metarec.splits import Splits
from metarec.tasks import TaskSet


class ItemMean(Estimator):
    """Predict the item's mean training rating, shrunk towards μ; no user enters.

    ``μ + Σ (r − μ) / (n_i + shrinkage)`` over the item's n_i ratings; μ for new items.

    Parameters
    ----------
    shrinkage : float
        Ratings of μ that each item is given besides its own.
    """

    item_offsets_: Floats

    def __init__(self, shrinkage: float = 5.0) -> None:
        if not 0 <= shrinkage < np.inf:
            raise InvalidValueError(f"shrinkage: got {shrinkage}, wanted 0 or more")
        self.shrinkage = shrinkage

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        ratings = dataset.rating.astype(np.float64)
        size = dataset.item_count
        sums = np.bincount(dataset.item, ratings - ratings.mean(), size)
        weights = np.bincount(dataset.item, minlength=size) + self.shrinkage
        self.item_offsets_ = sums / np.where(weights > 0, weights, 1.0)

    def _predict(self, tasks: TaskSet) -> Floats:
        items = tasks.item_index[tasks.query()[0]]
        return self.mean_ + of_items(self.item_offsets_, items)
