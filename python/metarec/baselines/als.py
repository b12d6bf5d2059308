"""Explicit matrix factorisation by alternating least squares."""

from metarec import _metarec
from metarec.arrays import as_count
from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.estimator import Estimator
from metarec.splits import Splits
from metarec.tasks import TaskSet


class ALS(Estimator):
    r"""Matrix factorisation of ratings by alternating least squares; new users are folded in.

    Minimises

    .. math:: \sum (r - \mu - b_u - b_i - p_u \cdot q_i)^2
        + \lambda_b (\sum b_u^2 + \sum b_i^2) + \lambda (\sum |p_u|^2 + \sum |q_i|^2)

    over all users' rows and all items' in turn. A task's user is the row that its support gives;
    an item never seen in training has no factors and no offset. It is the point estimate of
    `BayesianMF` without features, by the same solver.

    Parameters
    ----------
    rank : int
        Length of p and q.
    penalty, bias_penalty : float
        λ and λ_b, above 0.
    sweeps : int
    threads : int, optional
        None: as many as cores. The result is the same, bit for bit, for any number.
    seed : int
        Of the first factors.

    Attributes
    ----------
    objectives_ : float64 [sweeps]
        The objective after each sweep.

    References
    ----------
    Zhou, Wilkinson, Schreiber, Pan: Large-scale parallel collaborative filtering for the Netflix
    Prize. AAIM 2008.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(seed=0), seed=0)
    >>> model = mr.baselines.ALS(rank=4).fit(splits.train)
    >>> len(model.predict(splits.new_user.tasks())) == 10 * len(splits.new_user)
    True
    """

    objectives_: Floats

    def __init__(
        self,
        *,
        rank: int = 16,
        penalty: float = 8.0,
        bias_penalty: float = 4.0,
        sweeps: int = 20,
        threads: int | None = None,
        seed: int = 0,
    ) -> None:
        self.rank, self.penalty, self.bias_penalty = rank, penalty, bias_penalty
        self.sweeps, self.threads, self.seed = sweeps, threads, seed

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        self._factors = _metarec.least_squares_factors(
            dataset.user,
            dataset.item,
            dataset.rating,
            dataset.user_count,
            dataset.item_count,
            self.rank,
            self.sweeps,
            self.penalty,
            self.bias_penalty,
            as_threads(self.threads),
            self.seed,
        )
        self.objectives_ = self._factors["objectives"]

    def _predict(self, tasks: TaskSet) -> Floats:
        threads = as_threads(self.threads)
        return _metarec.fold_in(self._factors, tasks.native, threads, False)[0]


def as_threads(threads: int | None) -> int:
    """Return a number of threads as the native module takes it: 0 for as many as cores."""
    return 0 if threads is None else as_count(threads, "threads", 1)
