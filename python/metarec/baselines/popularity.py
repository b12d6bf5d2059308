"""How often items were rated."""

import numpy as np

from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.estimator import Estimator, of_items
from metarec.splits import Splits
from metarec.tasks import TaskSet


class Popularity(Estimator):
    """Score every item by its number of training ratings, the same for all users.

    For ranking: scores are counts, not ratings. The floor of every catalogue ranking.
    """

    counts_: Floats

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        counts = np.bincount(dataset.item, minlength=dataset.item_count)
        self.counts_ = counts.astype(np.float64)

    def _predict(self, tasks: TaskSet) -> Floats:
        return of_items(self.counts_, tasks.item_index[tasks.query()[0]])

    def score_catalogue(self, tasks: TaskSet) -> Floats:
        """Return the same scores ``[tasks, items]`` for every task."""
        return np.tile(self.counts_, (len(self._checked(tasks)), 1))
