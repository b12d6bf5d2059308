"""Bayesian matrix factorisation with side information."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from metarec import _metarec
from metarec.baselines.als import as_threads
from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.estimator import DistributionEstimator
from metarec.features import FeatureTable
from metarec.splits import Splits
from metarec.tasks import TaskSet


class BayesianMF(DistributionEstimator):
    r"""Bayesian matrix factorisation with side information; new users and items in closed form.

    .. math:: r_{ui} \sim N(\mu + b_u + b_i + p_u \cdot q_i, \sigma^2), \quad
        (b, p)_u \sim N(B_U' x_u, \Lambda_U^{-1}), \quad (b, q)_i \sim N(B_I' x_i, \Lambda_I^{-1}),

    x the features of a user or an item. Everything is sampled by Gibbs; how much each field of
    features matters is found by maximising the likelihood of the factors while burning in, so that
    nothing has to be set for a data set. A task's user is folded in: his support gives a Gaussian
    posterior in closed form in every sample. An item without training ratings has the mean that its
    features predict, and the noise of what they leave open.

    A sweep costs (ratings × rank²) and is the same, bit for bit, for any number of threads.

    Parameters
    ----------
    rank : int
        Length of p and q; 0 for offsets alone.
    samples : int
        Draws from the posterior that are kept and averaged.
    burn_in : int
        Sweeps before the first.
    interval : int
        Sweeps from one to the next.
    threads : int, optional
        None: as many as cores.
    seed : int
        Of everything random.

    Attributes
    ----------
    levels_ : float64 [levels] or None
        The levels of the rating scale; None where ratings are continuous.
    feature_variances_ : dict
        For every field of the items the variance of its weights; 0 of a field that tells nothing.
        "1" is the intercept.

    References
    ----------
    Salakhutdinov, Mnih: Bayesian probabilistic matrix factorization using Markov chain Monte
    Carlo. ICML 2008. Simm et al.: Macau: scalable Bayesian factorization with high-dimensional side
    information using MCMC. MLSP 2017.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(users=200, items=100, seed=0), seed=0)
    >>> model = mr.BayesianMF(rank=4, samples=5, burn_in=10).fit(splits.train)
    >>> tasks = splits.new_both.tasks()
    >>> model.predict(tasks, decision="distribution").shape == (tasks.query_rows, 5)
    True
    """

    feature_variances_: dict[str, float]

    def __init__(
        self,
        *,
        rank: int = 40,
        samples: int = 40,
        burn_in: int = 20,
        interval: int = 2,
        threads: int | None = None,
        seed: int = 0,
    ) -> None:
        self.rank, self.samples, self.burn_in, self.interval = rank, samples, burn_in, interval
        self.threads, self.seed = threads, seed

    def fit(
        self,
        dataset: Dataset,
        validation: Splits | None = None,
        *,
        progress: Any = "auto",
    ) -> "BayesianMF":
        """Sample the posterior; `validation` is not looked at.

        Parameters
        ----------
        dataset : Dataset
        validation : Splits, optional
        progress : "auto", True or False
            A progress bar; "auto": where somebody sees it.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            An option or argument cannot be used; the message names it.
        NumericalError
            The factors left the finite numbers.
        KeyboardInterrupt
            Ctrl-C, within 50 ms; the model is not fitted then.
        """
        self._progress = progress
        return super().fit(dataset, validation)

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        users = dataset.users
        self._factors = _metarec.sample_factors(
            dataset.user,
            dataset.item,
            dataset.rating,
            dataset.items.native,
            None if users is None else users.native,
            dataset.user_count,
            self.rank,
            self.samples,
            self.burn_in,
            self.interval,
            as_threads(self.threads),
            self.seed,
        )
        self._items = dataset.items
        names = ("1", *dataset.items.fields)
        variances = self._factors["item_variances"].tolist()
        self.feature_variances_ = dict(zip(names, variances, strict=True))

    def _moments(self, tasks: TaskSet, variances: bool) -> tuple[Floats, Floats | None]:
        return _metarec.fold_in(self._factors, tasks.native, as_threads(self.threads), variances)

    def _predict(self, tasks: TaskSet) -> Floats:
        return self._moments(tasks, False)[0]

    def _distribution(self, tasks: TaskSet, levels: Floats) -> Floats:
        means, variances = self._moments(tasks, True)
        return _metarec.level_probabilities(means, variances, levels)
