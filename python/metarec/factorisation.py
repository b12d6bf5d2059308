"""Bayesian matrix factorisation with side information."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.baselines.als import as_threads
from metarec.dataset import Dataset
from metarec.decisions import Decision, Floats
from metarec.errors import InvalidTypeError, InvalidValueError, NotFittedError
from metarec.estimator import DistributionEstimator, State
from metarec.features import FeatureTable
from metarec.ordered_probit import OrderedProbit
from metarec.progress import progress_bar
from metarec.splits import Splits
from metarec.tasks import TaskSet
from metarec.training import Progress

# Draws of the validation scenarios that the use of the scale is learned from.
_DRAWS = 2
# Items whose columns lie together, as the native module wants them.
_BLOCK = 192


class BayesianMF(DistributionEstimator):
    r"""Bayesian matrix factorisation with side information; new users and items in closed form.

    .. math:: r_{ui} \sim N(\mu + b_u + b_i + p_u \cdot q_i, \sigma^2), \quad
        (b, p)_u \sim N(B_U' x_u, \Lambda_U^{-1}), \quad (b, q)_i \sim N(B_I' x_i, \Lambda_I^{-1}),

    x the features of a user or an item. Everything is sampled by Gibbs; how much each field of
    features matters is found by maximising the likelihood of the factors while burning in, so that
    nothing has to be set for a data set. A task's user is folded in: his support gives a Gaussian
    posterior in closed form in every sample. An item without training ratings has the mean that its
    features predict, and the noise of what they leave open.

    A rating has a mean and a variance; the levels follow by an `OrderedProbit`, one for items with
    and one for items without training ratings, which `fit` learns from the validation scenarios
    if it is given any.

    Parameters
    ----------
    rank : int
        Length of p and q; 0 for offsets alone. A sweep costs (ratings × rank²).
    samples : int
        Draws from the posterior that are kept and averaged.
    burn_in : int
        Sweeps before the first.
    interval : int
        Sweeps from one to the next.
    levels : numbers, optional
        The levels of the distribution. None: those of the rating scale, if it has any.
    probits : mapping, optional
        `probits_` of an earlier fit, kept instead of learned: to fit on the whole training part
        once validation has taught them.
    threads : int, optional
        None: as many as cores. The result is the same, bit for bit, for any number.
    seed : int
        Of everything random.

    Attributes
    ----------
    levels_ : float64 [levels] or None
        The levels of the rating scale; None where ratings are continuous.
    feature_variances_ : dict
        For every field of the items the variance of its weights, relative to what the features
        leave open; near 0 for one that tells nothing. "1" is the intercept.
    probits_ : dict of OrderedProbit
        Under "known" and "new", for items with and without training ratings.

    References
    ----------
    Salakhutdinov, Mnih: Bayesian probabilistic matrix factorization using Markov chain Monte
    Carlo. ICML 2008. Simm et al.: Macau: scalable Bayesian factorization with high-dimensional side
    information using MCMC. MLSP 2017.

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(users=200, items=100, seed=0), seed=0)
    >>> model = mr.BayesianMF(rank=4, samples=5, burn_in=10).fit(splits.train, splits.validation)
    >>> tasks = splits.new_both.tasks()
    >>> model.predict(tasks, decision="distribution").shape == (tasks.query_rows, 5)
    True
    """

    feature_variances_: dict[str, float]
    probits_: dict[str, OrderedProbit]

    def __init__(
        self,
        *,
        rank: int = 32,
        samples: int = 15,
        burn_in: int = 20,
        interval: int = 6,
        levels: ArrayLike | None = None,
        probits: Mapping[str, OrderedProbit] | None = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> None:
        self.rank, self.samples, self.burn_in, self.interval = rank, samples, burn_in, interval
        self.levels, self.probits = levels, probits
        self.threads, self.seed = threads, seed

    def fit(
        self,
        dataset: Dataset,
        validation: Splits | None = None,
        *,
        progress: Progress = "auto",
    ) -> Self:
        """Sample the posterior, and learn from the validation queries how the scale is used.

        Parameters
        ----------
        dataset : Dataset
            Such as ``splits.train``.
        validation : Splits, optional
            ``splits.validation``. Without it the cuts lie half way between the levels.
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
        self._progress: Progress = progress
        try:
            super().fit(dataset, validation)
        finally:
            del self._progress
        return self

    def predict(self, tasks: TaskSet, decision: Decision = "mean") -> Floats:
        """Predict the query rows in order, as `DistributionEstimator.predict`.

        The mean needs no variances and is many times faster than the other decisions.
        """
        if decision != "mean":
            return super().predict(tasks, decision)
        means = self._predict(self._checked(tasks))
        if self.levels_ is None:
            return means
        return self._by_kind(tasks, lambda probit, rows: probit.mean(means[rows]))

    def with_items(self, items: FeatureTable) -> Self:
        """Return this model for other items, which it knows by their features alone.

        Parameters
        ----------
        items : FeatureTable
            Of the fields of training, values numbered as there; tasks are to be of this table.

        Raises
        ------
        NotFittedError, InvalidTypeError, InvalidValueError
            Before `fit`; not a table, or one of other fields.
        """
        if not self.is_fitted:
            raise NotFittedError(f"{self!r}: call fit(splits.train) first")
        if not isinstance(items, FeatureTable):
            raise InvalidTypeError(f"items: expected FeatureTable, got {type(items).__name__}")
        shapes = {name: (field.kind, field.size) for name, field in items.fields.items()}
        if shapes != self._fields:
            raise InvalidValueError(f"items: expected the fields {self._fields}, got {shapes}")
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.__dict__.pop("_columns", None)
        other._factors = self._factors | _metarec.place_items(self._factors, items.native)
        other._item_rows, other._items = items.rows, items
        return other

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        users = dataset.users
        with progress_bar(self._progress, "sweeps") as report:
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
                report,
            )
        variances = self._factors["item_variances"].tolist()
        self.feature_variances_ = dict(zip(("1", *dataset.items.fields), variances, strict=True))
        fields = dataset.items.fields
        self._fields = {name: (field.kind, field.size) for name, field in fields.items()}
        self.probits_ = {}
        levels = self._levels_of(dataset)
        if levels is not None:
            self.probits_ = {kind: OrderedProbit(levels) for kind in ("known", "new")}
            if self.probits is not None:
                self.probits_ = _checked(self.probits, levels)
            elif validation is not None:
                self._learn_levels(validation)

    def _levels_of(self, dataset: Dataset) -> Floats | None:
        if self.levels is None:
            return super()._levels_of(dataset)
        levels = np.array(self.levels, np.float64)
        if levels.ndim != 1 or len(levels) < 2 or not (np.diff(levels) > 0).all():
            raise InvalidValueError(f"levels: expected ascending numbers, got {self.levels!r}")
        return levels

    def _learn_levels(self, validation: Splits) -> None:
        rows: dict[str, list[NDArray[np.float64]]] = {kind: [] for kind in self.probits_}
        for scenario in validation.values():
            for draw in range(min(_DRAWS, scenario.draws or _DRAWS) if len(scenario) else 0):
                tasks = scenario.tasks(draw)
                means, variances = self._moments(tasks, True)
                table = np.stack([means, variances, tasks.query_targets()[0]])
                known = self._is_known(tasks)
                rows["known"].append(table[:, known])
                rows["new"].append(table[:, ~known])
        for kind, probit in self.probits_.items():
            if rows[kind]:
                probit.fit(*np.concatenate(rows[kind], axis=1))

    def _is_known(self, tasks: TaskSet) -> NDArray[np.bool_]:
        """Return whether each query row's item has training ratings."""
        return self._has_ratings(tasks.item_index[tasks.query()[0]])

    def _has_ratings(self, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        # The last element is that of unknown items, whose number is -1.
        return np.asarray(self._factors["item_novelty"][items] == 0)

    def _by_kind(
        self, tasks: TaskSet, answer: Callable[[OrderedProbit, NDArray[np.bool_]], Floats]
    ) -> Floats:
        known = self._is_known(tasks)
        rows = {"known": known, "new": ~known}
        parts = {kind: answer(probit, rows[kind]) for kind, probit in self.probits_.items()}
        out = np.empty((len(known), *parts["known"].shape[1:]))
        for kind, part in parts.items():
            out[rows[kind]] = part
        return out

    def _learned(self) -> State:
        about = {
            "mean": self._factors["mean"],
            "probits": {kind: probit.state() for kind, probit in self.probits_.items()},
            "variances": self.feature_variances_,
            "fields": self._fields,
        }
        return about, {name: each for name, each in self._factors.items() if name != "mean"}

    def _take_learned(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self._factors = dict(arrays) | {"mean": about["mean"]}
        self._item_rows = len(arrays["item_novelty"]) - 1
        self._fields = {name: tuple(shape) for name, shape in about["fields"].items()}
        self.feature_variances_ = dict(about["variances"])
        self.probits_ = {
            kind: OrderedProbit.from_state(state) for kind, state in about["probits"].items()
        }

    def _moments(self, tasks: TaskSet, variances: bool) -> tuple[Floats, Any]:
        return _metarec.fold_in(self._factors, tasks.native, as_threads(self.threads), variances)

    def _fold_user(self, tasks: TaskSet) -> NDArray[np.float32]:
        """Return the user of the only task, for `_moments_of`."""
        return _metarec.fold_user(self._factors, tasks.native, as_threads(self.threads))

    def _moments_of(
        self, user: NDArray[np.float32], items: NDArray[np.int32]
    ) -> tuple[Floats, Floats]:
        """Return what `_moments` would, in single precision and much faster for many items."""
        threads = as_threads(self.threads)
        return _metarec.score_items(self._factors, user, self._item_columns(), items, threads)

    def _item_columns(self) -> NDArray[np.float32]:
        """Return every item's (1, q, b) as a column, block by block and there sample by sample.

        Made at first use, and again for other factors.
        """
        kept = self.__dict__.get("_columns")
        if kept is None or kept[0] is not self._factors:
            factors = self._factors["item_factors"]
            samples, items, size = factors.shape
            blocks = -(-items // _BLOCK)
            whole = np.zeros((samples, blocks * _BLOCK, size + 1), np.float32)
            whole[:, :items, 0], whole[:, :items, 1:] = 1, np.roll(factors, -1, axis=2)
            parts = whole.reshape(samples, blocks, _BLOCK, -1).transpose(1, 0, 3, 2)
            columns = np.ascontiguousarray(parts).reshape(blocks * samples, -1, _BLOCK)
            kept = self._columns = self._factors, columns
        return kept[1]

    def _predict(self, tasks: TaskSet) -> Floats:
        return self._moments(tasks, False)[0]

    def _distribution(self, tasks: TaskSet, levels: Floats) -> Floats:
        means, variances = self._moments(tasks, True)
        return self._by_kind(
            tasks, lambda probit, rows: probit.probabilities(means[rows], variances[rows])
        )


def _checked(probits: Mapping[str, OrderedProbit], levels: Floats) -> dict[str, OrderedProbit]:
    kinds = ("known", "new")
    if not isinstance(probits, Mapping) or set(probits) != set(kinds):
        raise InvalidValueError(f"probits: expected one for each of {kinds}, got {probits!r}")
    for kind, probit in probits.items():
        if not isinstance(probit, OrderedProbit) or not np.array_equal(probit.levels, levels):
            raise InvalidValueError(
                f"probits: expected an OrderedProbit over {levels} under {kind!r}, got {probit!r}"
            )
    return dict(probits)
