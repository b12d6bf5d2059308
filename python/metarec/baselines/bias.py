"""The offsets of users and items."""

import numpy as np

from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.errors import InvalidValueError
from metarec.estimator import Estimator, Support, of_items
from metarec.splits import Splits
from metarec.tasks import TaskSet


class Bias(Estimator):
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

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        users, items = dataset.user, dataset.item
        ratings = dataset.rating.astype(np.float64)
        residuals = ratings - ratings.mean()
        user_weights = np.maximum(np.bincount(users) + self.user_shrinkage, 1)
        counts = np.bincount(items, minlength=dataset.item_count)
        item_weights = np.maximum(counts + self.item_shrinkage, 1)
        offsets = np.zeros(len(item_weights))
        for _ in range(self._MAX_SWEEPS):
            user_offsets = np.bincount(users, residuals - offsets[items]) / user_weights
            sums = np.bincount(items, residuals - user_offsets[users], len(item_weights))
            previous, offsets = offsets, sums / item_weights
            if np.max(np.abs(offsets - previous), initial=0.0) <= self._TOLERANCE:
                break
        self.item_offsets_ = offsets

    def user_offsets(self, support: Support) -> Floats:
        """Return each task's b_user, from its support."""
        residuals = support.ratings - self.mean_ - of_items(self.item_offsets_, support.items)
        return support.sums(residuals) / np.maximum(support.counts + self.user_shrinkage, 1)

    def _predict(self, tasks: TaskSet) -> Floats:
        support = Support(tasks)
        users = support.query_rows(self.user_offsets(support))
        return self.mean_ + users + of_items(self.item_offsets_, support.query_items)
