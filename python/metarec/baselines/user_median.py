"""The median of a user's own ratings."""

import numpy as np

from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.estimator import Estimator, Support
from metarec.splits import Splits
from metarec.tasks import TaskSet


class UserMedian(Estimator):
    """Predict the median of the task's support (of an even number the mean of the middle two).

    Where there is no support: the median of the training ratings, `median_`.
    """

    median_: float

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        self.median_ = float(np.median(dataset.rating))

    def _predict(self, tasks: TaskSet) -> Floats:
        support = Support(tasks)
        # Sorted within each task, the middle is found by position.
        ordered = np.append(support.ratings[np.lexsort((support.ratings, support.task))], 0.0)
        low = support.starts + np.maximum(support.counts - 1, 0) // 2
        medians = (ordered[low] + ordered[support.starts + support.counts // 2]) / 2
        return support.query_rows(np.where(support.counts > 0, medians, self.median_))
