"""The metrics by name, and the scores of answers by task. The native module computes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.errors import InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from metarec.evaluation.answer import Answer

Floats = NDArray[np.float64]

#: What `evaluate` measures where `metrics` is not given; with ratings 0 and 1 also `logloss`, of
#: distributions also `nll` and `coverage90`.
DEFAULT_METRICS = (
    *("mae", "rmse", "rmse_user", "accuracy", "auc", "mrr"),
    *(f"{name}@{k}" for name in ("ndcg", "ndcg_linear") for k in (1, 3, 5, 10)),
    *(f"{name}@{k}" for name in ("precision", "recall", "f1", "map", "hr") for k in (1, 3, 5)),
)

_LOSSES = ("mae", "rmse", "rmse_user", "logloss", "nll")
#: Of predictive distributions alone.
DISTRIBUTIONAL = ("nll", "coverage90")
_PLAIN = (*_LOSSES, "accuracy", "auc", "coverage90")
#: Metrics that may look at the first k places only, written "@k".
_RANKED = ("ndcg", "ndcg_linear", "precision", "recall", "f1", "map", "mrr", "hr")
#: Metrics whose value pools the rows of all tasks.
POOLED = ("mae", "rmse", "accuracy", "logloss", *DISTRIBUTIONAL)


@dataclass(frozen=True)
class Scale:
    """The rating scale, `low` to `high`; stars lie `step` apart, if there are any (else None)."""

    low: float
    high: float
    step: float | None = 1.0

    @staticmethod
    def of(ratings: NDArray[np.floating], low: float, high: float) -> Scale:
        """Return the scale from `low` to `high` whose stars are the ratings that occur.

        The step is the smallest gap between two of them, where all are whole steps above `low`;
        otherwise ratings are continuous and have no stars.
        """
        given = np.unique(ratings.astype(np.float64))
        if len(given) < 2:
            return Scale(low, high)
        step = float(np.diff(given).min())
        places = (given - low) / step
        whole = len(given) <= 101 and np.abs(places - np.rint(places)).max() < 1e-4
        return Scale(low, high, step if whole else None)

    def clip(self, predictions: Floats) -> Floats:
        """Return the predictions inside the scale."""
        return np.clip(predictions, self.low, self.high)

    def stars(self, ratings: Floats) -> Floats:
        """Return the number of the nearest star, counted from 0; halves go up."""
        return np.floor((ratings - self.low) / (self.step or 1.0) + 0.5)

    def rounded(self, predictions: Floats) -> Floats:
        """Return the nearest star in rating units."""
        return self.clip(self.low + (self.step or 1.0) * self.stars(predictions))

    @property
    def binary(self) -> bool:
        """Whether ratings are 0 and 1, so that a prediction is a probability."""
        return (self.low, self.high, self.step) == (0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Metric:
    """A metric by its name in the report, with the decision that it scores."""

    name: str
    decision: str = "mean"

    @property
    def base(self) -> str:
        """The name without "@k"."""
        return self.name.partition("@")[0]

    @property
    def native(self) -> tuple[str, int]:
        """The native module's name for it, and k (0: all places)."""
        # The sum of absolute differences from 0 is that of what is not negative.
        names = {"rmse": "mse", **dict.fromkeys(DISTRIBUTIONAL, "mae")}
        return names.get(self.base, self.base), int(self.name.partition("@")[2] or 0)

    @property
    def square_root(self) -> bool:
        """Whether the statistic is the root of the pooled ratio."""
        return self.name == "rmse"

    @property
    def loss(self) -> bool:
        """Whether less is better."""
        return self.name in _LOSSES

    @property
    def ordered(self) -> bool:
        """Whether less or more is better at all: a coverage should be what it says."""
        return self.base not in ("coverage90", "popularity_bias")

    @staticmethod
    def named(name: str) -> Metric:
        """Return the metric of a name such as `"mae"` or `"ndcg@3"`.

        Raises
        ------
        InvalidValueError
            The name is not one of the metrics, or its k is not a positive number.
        """
        if not isinstance(name, str):
            raise InvalidTypeError(f"metrics: got {name!r}, wanted names such as 'mae', 'ndcg@3'")
        base, at, places = name.partition("@")
        if base not in _PLAIN + _RANKED:
            raise InvalidValueError(
                f"metrics: got {name!r}, wanted some of {', '.join(_PLAIN + _RANKED)}"
            )
        if at and not (base in _RANKED and places.isdecimal() and int(places) > 0):
            wanted = "a positive number after '@'" if base in _RANKED else f"plain {base!r}"
            raise InvalidValueError(f"metrics: got {name!r}, wanted {wanted}")
        return Metric(name)


def resolve(
    names: Iterable[str] | None, scale: Scale, *, distribution: bool = False
) -> list[Metric]:
    """Return the metrics to score, each with the decisions that are scored by it, the best first.

    Of a prediction, `mae` and `rmse` score the number and its nearest star, `accuracy` the nearest
    star; ratings without stars have none. Of a distribution every metric scores what is best for
    it: the median, the mean, the expected gain, the mode.
    """
    if isinstance(names, str):
        names = [names]
    if names is None:
        names = (*DEFAULT_METRICS, "logloss") if scale.binary else DEFAULT_METRICS
        names = (*names, *DISTRIBUTIONAL)
    metrics = []
    for metric in map(Metric.named, dict.fromkeys(names)):
        if metric.name == "logloss" and not scale.binary:
            raise InvalidValueError("metrics: 'logloss' needs ratings that are 0 or 1")
        decisions = (_of_distributions if distribution else _of_predictions)(metric, scale)
        metrics += [replace(metric, decision=decision) for decision in decisions]
    return metrics


def _of_predictions(metric: Metric, scale: Scale) -> Sequence[str]:
    if metric.name in DISTRIBUTIONAL:
        return ()
    if metric.name == "accuracy":
        return ("rounded",) if scale.step is not None else ()
    if metric.name in ("mae", "rmse") and scale.step is not None:
        return ("mean", "rounded")
    return ("mean",)


def _of_distributions(metric: Metric, scale: Scale) -> Sequence[str]:
    best = {"mae": ("median", "mean"), "ndcg": ("gain",), "accuracy": ("mode",)}
    return ("distribution",) if metric.name in DISTRIBUTIONAL else best.get(metric.base, ("mean",))


def best_first(decisions: Iterable[str]) -> list[str]:
    """Return decisions in the order in which a report prefers them."""
    order = ("median", "gain", "mode", "distribution", "mean", "rounded")
    return sorted(decisions, key=order.index)


def score(
    answer: Answer,
    targets: Floats,
    offsets: NDArray[np.int64],
    metrics: Sequence[Metric],
    scale: Scale,
    relevant: float,
) -> tuple[Floats, Floats]:
    """Score what a model answered for ragged query rows, task by task.

    Parameters
    ----------
    answer
        Of every query row.
    targets
        One number a query row.
    offsets
        ``[tasks + 1]``; rows ``offsets[t]:offsets[t + 1]`` belong to task t.
    metrics
        From `resolve`.
    scale
        Of the ratings.
    relevant
        A target of at least this much is relevant.

    Returns
    -------
    numerators, denominators
        ``[metrics, tasks]``; 0 / 0 where a task is left out (no relevant row, one class).
    """
    shape = (len(metrics), len(offsets) - 1)
    numerators, denominators = np.empty(shape), np.empty(shape)
    chosen: dict[str, list[int]] = {}
    for index, metric in enumerate(metrics):
        of = metric.base if metric.base in ("accuracy", *DISTRIBUTIONAL) else metric.decision
        chosen.setdefault(of, []).append(index)
    for of, indices in chosen.items():
        if of == "accuracy":
            # Counted in stars, the nearest star is the nearest integer.
            star = answer.decisions["mode" if "mode" in answer.decisions else "rounded"]
            p, y = scale.stars(star), scale.stars(targets)
        elif of in DISTRIBUTIONAL:
            p, y = answer.decisions[of], np.zeros_like(targets)
        else:
            p, y = answer.decisions[of], targets
        numerators[indices], denominators[indices] = _metarec.metrics(
            np.ascontiguousarray(p, np.float64),
            np.ascontiguousarray(y, np.float64),
            np.ascontiguousarray(offsets, np.int64),
            [(*metrics[index].native, relevant) for index in indices],
        )
    return numerators, denominators
