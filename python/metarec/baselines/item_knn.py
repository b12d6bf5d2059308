"""Item neighbourhoods: on residual ratings, or on clicks."""

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
    r"""Item k-nearest neighbours: of ratings by correlation, of clicks by cosine.

    With :math:`e_{uj} = r_{uj} - \mu - b_u - b_j` (as `Bias`) and N the k most similar of the
    items in the user's support, by correlation

    .. math:: \hat r_{ui} = \mu + b_u + b_i
        + \frac{\sum_{j \in N} s_{ij} e_{uj}}{\sum_{j \in N} s_{ij} + \text{damping}},

    where :math:`s_{ij}` is the correlation of e over the users who rated both, times
    n/(n + `shrinkage`) for n of them; only positive ones count. By cosine every row is a click,
    whatever its rating, and the score, for ranking, is

    .. math:: \sum_{j \in N} \frac{n_{ij}}{\sqrt{n_i n_j} + \text{shrinkage}}

    for :math:`n_{ij}` users who have both i and j. New items have no neighbours. Needs the extra
    ``metarec[baselines]`` (SciPy).

    Parameters
    ----------
    similarity : "correlation" or "cosine"
    neighbours : int or None
        k; None: all.
    shrinkage : float
        Users in common at which a correlation counts half; what is added to a cosine's divisor.
        Of clicks 30 is good, 100 of ratings.
    damping : float
        Pulls ratings predicted by little similarity towards the offsets.

    References
    ----------
    Koren: Factor in the neighbors: scalable and accurate collaborative filtering. TKDD 4 (2010).
    Deshpande and Karypis: Item-based top-N recommendation algorithms. TOIS 22 (2004).
    """

    similarities_: Any

    def __init__(
        self,
        *,
        similarity: str = "correlation",
        neighbours: int | None = 30,
        shrinkage: float = 100.0,
        damping: float = 0.1,
    ) -> None:
        self.similarity, self.neighbours = similarity, neighbours
        self.shrinkage, self.damping = shrinkage, damping

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        if self.similarity not in ("correlation", "cosine"):
            raise InvalidValueError(
                f"similarity: got {self.similarity!r}, wanted 'correlation' or 'cosine'"
            )
        if self.neighbours is not None:
            as_count(self.neighbours, "neighbours", 1)
        for name in ("shrinkage", "damping"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InvalidValueError(f"{name}: got {getattr(self, name)}, wanted 0 or more")
        self._bias = Bias().fit(dataset)
        found = self._cosines(dataset) if self._of_clicks else self._correlations(dataset)
        similarity, i, j = found
        kept = (similarity > 0) & (i != j)
        entries = (similarity[kept].astype(np.float32), (i[kept], j[kept]))
        items = dataset.item_count
        self.similarities_ = sparse().csr_matrix(entries, (items, items))

    @property
    def _of_clicks(self) -> bool:
        return self.similarity == "cosine"

    def _cosines(self, dataset: Dataset) -> tuple[Floats, Any, Any]:
        """Return similarities of pairs of items, and these."""
        shape = (dataset.user_count, dataset.item_count)
        clicks = sparse().csr_matrix((np.ones(len(dataset)), (dataset.user, dataset.item)), shape)
        clicks.sum_duplicates()
        clicks.data[:] = 1
        common = (clicks.T @ clicks).tocoo()
        i, j = common.row, common.col
        self._clicks = np.bincount(clicks.indices, minlength=shape[1]).astype(np.float64)
        length = np.sqrt(self._clicks[i] * self._clicks[j])
        return common.data / (length + self.shrinkage), i, j

    def _correlations(self, dataset: Dataset) -> tuple[Floats, Any, Any]:
        """Return similarities of pairs of items, and these."""
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
        return dot / np.maximum(length, 1e-12) * n / (n + self.shrinkage), i, j

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
        query, row = support.pairs()
        i, j = support.query_items[query], support.items[row]
        near = np.where((i >= 0) & (j >= 0), _entries(self.similarities_, i, j), 0.0)
        if self.neighbours is not None:
            order = np.lexsort((-near, query))
            query, row, near = query[order], row[order], near[order]
            near[np.arange(len(near)) - np.searchsorted(query, query) >= self.neighbours] = 0.0
        weights = np.bincount(query, near, len(support.query_items))
        if self._of_clicks:
            return np.asarray(weights + of_items(self._tie_break, support.query_items))
        users = bias.user_offsets(support)
        base = bias.mean_ + support.query_rows(users)
        base += of_items(bias.item_offsets_, support.query_items)
        known = of_items(bias.item_offsets_, support.items)
        residuals = support.ratings - bias.mean_ - users[support.task] - known
        sums = np.bincount(query, near * residuals[row], len(base))
        return np.asarray(base + sums / (weights + self.damping))

    def score_catalogue(self, tasks: TaskSet) -> Floats:
        """Return the predictions of all items ``[tasks, items]``."""
        support = Support(self._checked(tasks))
        if not self._of_clicks:
            from metarec.evaluation.catalogue import everything

            every = everything(tasks, self._item_rows)
            return self._predict(every).reshape(len(tasks), self._item_rows)
        known = support.items >= 0
        near = self.similarities_[np.maximum(support.items, 0)].multiply(known[:, None]).tocsr()
        scores = np.empty((len(tasks), self._item_rows))
        for task, start in enumerate(support.starts):
            mine = near[start : start + support.counts[task]]
            k = mine.shape[0] if self.neighbours is None else self.neighbours
            if k < mine.shape[0]:
                dense = mine.toarray()
                scores[task] = np.partition(dense, -k, axis=0)[-k:].sum(0)
            else:
                scores[task] = np.asarray(mine.sum(0)).ravel()
        return scores + self._tie_break

    @property
    def _tie_break(self) -> Floats:
        """Items without a neighbour come in the order of their clicks."""
        return 1e-9 * self._clicks


def _entries(matrix: Any, i: NDArray[Any], j: NDArray[Any]) -> Floats:
    """Return elements (i, j) of a sparse matrix."""
    if not len(i):
        return np.empty(0)
    return np.asarray(matrix[i, j], np.float64).ravel()
