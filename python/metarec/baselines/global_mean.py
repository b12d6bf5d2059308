"""The mean of all ratings."""

import numpy as np

from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.estimator import Estimator
from metarec.splits import Splits
from metarec.tasks import TaskSet


class GlobalMean(Estimator):
    """Predict the mean training rating, μ, for every row."""

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None: ...

    def _predict(self, tasks: TaskSet) -> Floats:
        return np.full(tasks.query_rows, self.mean_)
