"""The mean of a user's own ratings."""

import numpy as np

from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.estimator import Estimator, Support
from metarec.splits import Splits
from metarec.tasks import TaskSet


class UserMean(Estimator):
    """Predict the mean of the task's support; μ where there is none."""

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None: ...

    def _predict(self, tasks: TaskSet) -> Floats:
        support = Support(tasks)
        sums = support.sums(support.ratings)
        means = np.where(support.counts > 0, sums / np.maximum(support.counts, 1), self.mean_)
        return support.query_rows(means)
