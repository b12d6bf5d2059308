"""Several models' distributions in one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec.arrays import as_count
from metarec.dataset import Dataset
from metarec.decisions import Floats
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.estimator import DistributionEstimator, State
from metarec.splits import Splits
from metarec.tasks import TaskSet

#: Whether the item of a query row has training ratings; each kind has weights of its own.
KINDS = ("known", "new")

#: What the rows of the other kind count for together, at most.
OTHER_ROWS = 100
# Below any probability that matters; a model that rules a level out does not rule it out alone.
_FLOOR = 1e-9


class Blend(DistributionEstimator):
    r"""Log-linear blend of models that give distributions over the same levels.

    .. math:: P(r) \propto \prod_k P_k(r)^{w_k}, \quad w_k \ge 0, \quad \sum_k w_k = 1,

    with weights that maximise the likelihood of the validation queries, apart for items with and
    without training ratings. That is concave: there is one best set of weights. Models fail in
    different ways, and a blend is often better than the best of them.

    Parameters
    ----------
    models : sequence of models
        Each with ``fit(dataset, validation)``, ``levels_`` and ``predict(tasks, decision=...)``.
        What is fitted already is used as it is; the others are fitted by `fit`.
    draws : int
        Draws of the validation scenarios that the weights are learned from.
    weights : mapping, optional
        `weights_` of an earlier blend of the same kinds of models, kept instead of learned: to fit
        on the whole training part once validation has chosen them.

    Attributes
    ----------
    weights_ : dict
        Under "known" and "new" the models' weights.

    References
    ----------
    Genest, Zidek: Combining probability distributions. Statistical Science 1 (1986).

    Examples
    --------
    >>> import metarec as mr
    >>> splits = mr.split.cold_start(mr.datasets.synthetic(users=300, items=150, seed=0), seed=0)
    >>> fast = {"samples": 5, "burn_in": 10}
    >>> models = [mr.BayesianMF(rank=0, **fast), mr.BayesianMF(rank=4, **fast)]
    >>> blend = mr.Blend(models).fit(splits.train, splits.validation)
    >>> bool(np.isclose(blend.weights_["known"].sum(), 1))
    True

    Then the same on the whole training part:

    >>> models = [mr.BayesianMF(rank=m.rank, probits=m.probits_, **fast) for m in models]
    >>> final = mr.Blend(models, weights=blend.weights_).fit(splits.train_and_validation)
    """

    weights_: dict[str, Floats]

    def __init__(
        self,
        models: Sequence[Any],
        *,
        draws: int = 2,
        weights: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.models, self.draws, self.weights = models, draws, weights

    def _fit(self, dataset: Dataset, validation: Splits | None) -> None:
        models = list(self.models)
        as_count(self.draws, "draws", 1)
        if not models:
            raise InvalidValueError("models: expected at least one, got none")
        given = None if self.weights is None else _checked(self.weights, len(models))
        if validation is not None and not any(map(len, validation.scenarios.values())):
            validation = None
        if given is None and validation is None:
            raise InvalidValueError("validation: expected splits.validation, to learn weights by")
        for model in models:
            if getattr(model, "levels_", None) is None:
                model.fit(dataset, validation)
        self._shared_levels(models)
        self._known = np.bincount(dataset.item, minlength=dataset.items.rows) > 0
        if given is None and validation is not None:
            given = self._best_weights(validation)
        self.weights_ = given or {}

    def _best_weights(self, validation: Splits) -> dict[str, Floats]:
        """Return the best weights for the validation queries."""
        draws = as_count(self.draws, "draws", 1)
        levels = self._shared_levels(self.models)
        drawn = [
            scenario.tasks(draw)
            for scenario in validation.values()
            for draw in range(min(draws, scenario.draws or draws) if len(scenario) else 0)
        ]
        return weights_by_kind(
            np.concatenate([self._logs(tasks) for tasks in drawn], axis=1),
            nearest(levels, np.concatenate([tasks.query_targets()[0] for tasks in drawn])),
            np.concatenate([self._is_known(tasks) for tasks in drawn]),
        )

    def _shared_levels(self, models: Sequence[Any]) -> Floats:
        first = np.asarray(getattr(models[0], "levels_", None), np.float64)
        for place, model in enumerate(models):
            levels = getattr(model, "levels_", None)
            if levels is None:
                raise InvalidTypeError(
                    f"models[{place}]: {type(model).__name__} gives no distribution over levels"
                )
            if not np.array_equal(np.asarray(levels, np.float64), first):
                raise InvalidValueError(
                    f"models[{place}]: has the levels {levels}, models[0] has {first}"
                )
        return first

    def _is_known(self, tasks: TaskSet) -> NDArray[np.bool_]:
        items = tasks.item_index[tasks.query()[0]]
        return (items >= 0) & self._known[items]

    def _logs(self, tasks: TaskSet) -> Floats:
        """Return every model's log probabilities, [models, rows, levels]."""
        return logs_of([model.predict(tasks, decision="distribution") for model in self.models])

    def _predict(self, tasks: TaskSet) -> Floats:
        raise InvalidValueError("decision: of ratings that have no levels")

    def _distribution(self, tasks: TaskSet, levels: Floats) -> Floats:
        return pooled(self._logs(tasks), self.weights_, self._is_known(tasks))

    def _learned(self) -> State:
        weights = {kind: value.tolist() for kind, value in self.weights_.items()}
        return {"weights": weights}, {"known": self._known}

    def _take_learned(self, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        self.weights_ = {kind: np.array(about["weights"][kind]) for kind in KINDS}
        self._known = arrays["known"]

    def named_weights(self) -> Mapping[str, Mapping[str, float]]:
        """Return the weights by kind and by the models' class names, numbered where they repeat."""
        names: list[str] = []
        for model in self.models:
            name = type(model).__name__
            count = sum(1 for other in names if other.split(" ")[0] == name)
            names.append(name if not count else f"{name} {count + 1}")
        return {
            kind: dict(zip(names, values.tolist(), strict=True))
            for kind, values in self.weights_.items()
        }


def _checked(weights: Mapping[str, ArrayLike], models: int) -> dict[str, Floats]:
    if not isinstance(weights, Mapping) or set(weights) != set(KINDS):
        raise InvalidValueError(f"weights: expected one array for each of {KINDS}, got {weights!r}")
    arrays = {kind: np.array(weights[kind], np.float64) for kind in KINDS}
    for kind, array in arrays.items():
        on_simplex = array.shape == (models,) and (array >= 0).all()
        if not on_simplex or abs(array.sum() - 1) > 1e-6:
            raise InvalidValueError(
                f"weights: expected {models} numbers of 0 or more that sum to 1 under {kind!r}, "
                f"got {array}"
            )
    return arrays


def logs_of(distributions: Sequence[Floats]) -> Floats:
    """Return the log probabilities of several models, [models, rows, levels], none infinite."""
    return np.log(np.maximum(np.asarray(distributions, np.float64), _FLOOR))


def pooled(logs: Floats, weights: Mapping[str, Floats], known: NDArray[np.bool_]) -> Floats:
    """Return the log-linear pool of log probabilities, [rows, levels]."""
    by_row = np.where(known[:, None], weights["known"], weights["new"])
    return _normalised(np.einsum("rk,krl->rl", by_row, logs))


def nearest(levels: Floats, ratings: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the place of the level nearest to each rating."""
    gaps = np.abs(ratings.astype(np.float64)[:, None] - levels)
    return np.asarray(gaps.argmin(axis=1), np.int64)


def weights_by_kind(
    logs: Floats, hits: NDArray[np.int64], known: NDArray[np.bool_]
) -> dict[str, Floats]:
    """Return the best weights for rows of items with and without training ratings.

    The rows of the other kind count as up to 100: they decide where there are hardly any.
    """
    found = {}
    for kind, own in (("known", known), ("new", ~known)):
        others = int(np.count_nonzero(~own))
        counts = np.where(own, 1.0, min(1.0, OTHER_ROWS / max(others, 1)))
        found[kind] = best_weights(logs, hits, counts)
    return found


def best_weights(
    logs: Floats, hits: NDArray[np.int64], counts: Floats | None = None, steps: int = 500
) -> Floats:
    """Return the weights on the simplex under which the levels that came are most likely.

    Exponentiated gradient with a step size that grows while the likelihood does and is halved when
    it does not (Kivinen and Warmuth 1997); equal weights where there are no rows.

    Parameters
    ----------
    logs : float64 [models, rows, levels]
        Log probabilities.
    hits : int64 [rows]
        The level of each row.
    counts : float64 [rows], optional
        How often each counts.
    """
    models, rows, _ = logs.shape
    weights = np.full(models, 1 / models)
    if not rows or models == 1:
        return weights
    index = np.arange(rows)
    share = np.full(rows, 1 / rows) if counts is None else counts / counts.sum()
    own = np.einsum("kr,r->k", logs[:, index, hits], share)

    def likelihood(w: Floats) -> tuple[float, Floats]:
        probabilities = _normalised(np.einsum("k,krl->rl", w, logs))
        value = float(np.sum(share * np.log(np.maximum(probabilities[index, hits], 1e-300))))
        return value, own - np.einsum("rl,krl->k", share[:, None] * probabilities, logs)

    value, gradient = likelihood(weights)
    rate = 1.0
    for _ in range(steps):
        proposal = weights * np.exp(rate * (gradient - gradient.max()))
        proposal /= proposal.sum()
        new, slope = likelihood(proposal)
        if new > value:
            done = new - value < 1e-9
            weights, value, gradient, rate = proposal, new, slope, rate * 1.5
            if done:
                break
        else:
            rate /= 4
            if rate < 1e-6:
                break
    return weights


def _normalised(logs: Floats) -> Floats:
    """Return the probabilities of rows of logs that do not sum to one yet."""
    values = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(values / values.sum(axis=1, keepdims=True), np.float64)
