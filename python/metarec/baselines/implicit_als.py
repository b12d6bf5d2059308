"""Implicit-feedback least squares, by the library `implicit`."""

from typing import Any

import numpy as np

from metarec.arrays import as_count
from metarec.baselines.extra import implicit, one_blas_thread, sparse
from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.estimator import Estimator, Support
from metarec.splits import Splits
from metarec.tasks import TaskSet


class ImplicitALS(Estimator):
    r"""Matrix factorisation of clicks by weighted least squares; new users are folded in.

    Every user-item pair counts: clicked ones have the target 1 with weight `alpha`, all others the
    target 0 with weight 1. A task's user is the row that its support gives. Scores are for
    ranking. Needs the extra ``metarec[baselines]`` (the library `implicit`).

    Parameters
    ----------
    rank : int
        Length of the factors.
    penalty : float
        Of the factors' squares.
    alpha : float
        Weight of a click, above 1.
    sweeps : int
    positive : float, optional
        Ratings from here on are clicks. None: every rating is.
    threads : int, optional
        None: as many as cores.
    seed : int
        Of the first factors.

    References
    ----------
    Hu, Koren, Volinsky: Collaborative filtering for implicit feedback datasets. ICDM 2008.
    """

    def __init__(
        self,
        *,
        rank: int = 64,
        penalty: float = 10.0,
        alpha: float = 10.0,
        sweeps: int = 15,
        positive: float | None = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> None:
        self.rank, self.penalty, self.alpha, self.sweeps = rank, penalty, alpha, sweeps
        self.positive, self.threads, self.seed = positive, threads, seed

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        with one_blas_thread():
            self._als = self._fitted(dataset)

    def _fitted(self, dataset: Dataset) -> Any:
        als = implicit().cpu.als.AlternatingLeastSquares(
            factors=as_count(self.rank, "rank", 1),
            regularization=self.penalty,
            alpha=self.alpha,
            iterations=as_count(self.sweeps, "sweeps", 1),
            num_threads=0 if self.threads is None else as_count(self.threads, "threads", 1),
            random_state=self.seed,
        )
        shape = (dataset.user_count, dataset.item_count)
        clicks = self._clicks(dataset.user, dataset.item, dataset.rating, shape)
        als.fit(clicks, show_progress=False)
        return als

    def _clicks(self, row: Any, item: Any, rating: Any, shape: tuple[int, int]) -> Any:
        kept = item >= 0
        if self.positive is not None:
            kept &= rating >= self.positive
        ones = np.ones(int(kept.sum()), np.float32)
        clicks = sparse().csr_matrix((ones, (row[kept], item[kept])), shape)
        clicks.sum_duplicates()
        clicks.data[:] = 1
        return clicks

    def _predict(self, tasks: TaskSet) -> Floats:
        support = Support(tasks)
        shape = (len(tasks), self._item_rows)
        clicks = self._clicks(support.task, support.items, support.ratings, shape)
        users = self._als.recalculate_user(np.arange(len(tasks)), clicks)
        items = self._als.item_factors[support.query_items]
        scores = np.einsum("rk,rk->r", users[support.query_task], items, dtype=np.float64)
        return np.where(support.query_items >= 0, scores, 0.0)
