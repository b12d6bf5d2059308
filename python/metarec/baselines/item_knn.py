"""Item neighbourhoods on residual ratings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.arrays import as_count
from metarec.baselines.bias import Bias
from metarec.baselines.extra import sparse
from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.errors import InvalidValueError
from metarec.estimator import Estimator, Support, of_items
from metarec.splits import Splits
from metarec.tasks import TaskSet


class ItemKNN(Estimator):
    r"""Item k-nearest neighbours: what the user gave to similar items, beyond the offsets.

    With :math:`e_{uj} = r_{uj} - \mu - b_u - b_j` (as `Bias`) and N the k most similar of the
    items in the user's support,

    .. math:: \hat r_{ui} = \mu + b_u + b_i
        + \frac{\sum_{j \in N} s_{ij} e_{uj}}{\sum_{j \in N} s_{ij} + \text{damping}},

    where :math:`s_{ij}` is the correlation of e over the users who rated both, times
    n/(n + `shrinkage`) for n of them; only positive ones count. New items have no neighbours.
    Needs the extra ``metarec[baselines]`` (SciPy).

    Parameters
    ----------
    neighbours : int
        k.
    shrinkage : float
        Users in common at which a correlation counts half.
    damping : float
        Pulls predictions with little similarity towards the offsets.

    References
    ----------
    Koren: Factor in the neighbors: scalable and accurate collaborative filtering. TKDD 4 (2010).
    """

    similarities_: Any

    def __init__(
        self, *, neighbours: int = 30, shrinkage: float = 100.0, damping: float = 0.1
    ) -> None:
        self.neighbours, self.shrinkage, self.damping = neighbours, shrinkage, damping

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        as_count(self.neighbours, "neighbours", 1)
        for name in ("shrinkage", "damping"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InvalidValueError(f"{name}: got {getattr(self, name)}, wanted 0 or more")
        self._bias = Bias().fit(dataset)
        residuals = self._residuals(dataset)
        shape = (dataset.user_count, dataset.item_count)
        e = sparse().csr_matrix((residuals, (dataset.user, dataset.item)), shape)
        e.sum_duplicates()
        seen = e.copy()
        seen.data = np.ones_like(e.data)
        squares = e.multiply(e).tocsr()
        products = (e.T @ e).tocoo()
        i, j, dot = products.row, products.col, products.data
        norms = (squares.T @ seen).tocsr()
        common = (seen.T @ seen).tocsr()
        length = np.sqrt(_entries(norms, i, j) * _entries(norms, j, i))
        n = _entries(common, i, j)
        similarity = dot / np.maximum(length, 1e-12) * n / (n + self.shrinkage)
        kept = (similarity > 0) & (i != j)
        entries = (similarity[kept].astype(np.float32), (i[kept], j[kept]))
        self.similarities_ = sparse().csr_matrix(entries, (shape[1], shape[1]))

    def _residuals(self, dataset: Dataset) -> Floats:
        """Return e of the training ratings."""
        bias = self._bias
        offsets = bias.item_offsets_[dataset.item]
        rest = dataset.rating - bias.mean_ - offsets
        weights = np.bincount(dataset.user) + bias.user_shrinkage
        users = np.bincount(dataset.user, rest) / weights
        return np.asarray(rest - users[dataset.user], np.float64)

    def _predict(self, tasks: TaskSet) -> Floats:
        bias, support = self._bias, Support(tasks)
        users = bias.user_offsets(support)
        base = bias.mean_ + support.query_rows(users)
        base += of_items(bias.item_offsets_, support.query_items)
        known = of_items(bias.item_offsets_, support.items)
        residuals = support.ratings - bias.mean_ - users[support.task] - known
        query, row = support.pairs()
        i, j = support.query_items[query], support.items[row]
        near = np.where((i >= 0) & (j >= 0), _entries(self.similarities_, i, j), 0.0)
        order = np.lexsort((-near, query))
        query, row, near = query[order], row[order], near[order]
        first = np.searchsorted(query, query)
        near[np.arange(len(near)) - first >= self.neighbours] = 0.0
        sums = np.bincount(query, near * residuals[row], len(base))
        return np.asarray(base + sums / (np.bincount(query, near, len(base)) + self.damping))


def _entries(matrix: Any, i: NDArray[Any], j: NDArray[Any]) -> Floats:
    """Return elements (i, j) of a sparse matrix."""
    if not len(i):
        return np.empty(0)
    return np.asarray(matrix[i, j], np.float64).ravel()
