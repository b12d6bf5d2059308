"""The metrics by name, and the scores of predictions by task. The native module computes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.errors import InvalidTypeError, InvalidValueError, NumericalError

Floats = NDArray[np.float64]

#: What `evaluate` measures where `metrics` is not given; with ratings 0 and 1 also `logloss`.
DEFAULT_METRICS = (
    *("mae", "rmse", "rmse_user", "accuracy", "auc", "mrr"),
    *(f"{name}@{k}" for name in ("ndcg", "ndcg_linear") for k in (1, 3, 5, 10)),
    *(f"{name}@{k}" for name in ("precision", "recall", "f1", "map", "hr") for k in (1, 3, 5)),
)

_LOSSES = ("mae", "rmse", "rmse_user", "logloss")
_PLAIN = (*_LOSSES, "accuracy", "auc")
#: Metrics that may look at the first k places only, written "@k".
_RANKED = ("ndcg", "ndcg_linear", "precision", "recall", "f1", "map", "mrr", "hr")


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
    """A metric by its name in the report, with the decision whose predictions it scores."""

    name: str
    decision: str = "mean"

    @property
    def native(self) -> tuple[str, int]:
        """The native module's name for it, and k (0: all places)."""
        base, _, places = self.name.partition("@")
        return ("mse" if base == "rmse" else base), int(places or 0)

    @property
    def square_root(self) -> bool:
        """Whether the statistic is the root of the pooled ratio."""
        return self.name == "rmse"

    @property
    def loss(self) -> bool:
        """Whether less is better."""
        return self.name in _LOSSES

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


def resolve(names: Iterable[str] | None, scale: Scale) -> list[Metric]:
    """Return the metrics to score, `mae` and `rmse` for the prediction and for its nearest star.

    `accuracy` is that of the nearest star. Ratings without stars have neither.
    """
    if isinstance(names, str):
        names = [names]
    if names is None:
        names = (*DEFAULT_METRICS, "logloss") if scale.binary else DEFAULT_METRICS
    metrics = []
    for metric in map(Metric.named, dict.fromkeys(names)):
        if metric.name == "logloss" and not scale.binary:
            raise InvalidValueError("metrics: 'logloss' needs ratings that are 0 or 1")
        if metric.name != "accuracy":
            metrics.append(metric)
        if metric.name in ("mae", "rmse", "accuracy") and scale.step is not None:
            metrics.append(replace(metric, decision="rounded"))
    return metrics


def score(
    predictions: Floats,
    targets: Floats,
    offsets: NDArray[np.int64],
    metrics: Sequence[Metric],
    scale: Scale,
    relevant: float,
) -> tuple[Floats, Floats]:
    """Score predictions of ragged query rows, task by task.

    Parameters
    ----------
    predictions, targets
        One number a query row.
    offsets
        ``[tasks + 1]``; rows ``offsets[t]:offsets[t + 1]`` belong to task t.
    metrics
        From `resolve`.
    scale
        Predictions are clipped to it.
    relevant
        A target of at least this much is relevant.

    Returns
    -------
    numerators, denominators
        ``[metrics, tasks]``; 0 / 0 where a task is left out (no relevant row, one class).
    """
    mean = scale.clip(predictions)
    shape = (len(metrics), len(offsets) - 1)
    numerators, denominators = np.empty(shape), np.empty(shape)
    versions = {
        "mean": (mean, targets),
        "rounded": (scale.rounded(mean), targets),
        # Counted in stars, the nearest star is the nearest integer.
        "star": (scale.stars(mean), scale.stars(targets)),
    }
    wanted = ["star" if metric.name == "accuracy" else metric.decision for metric in metrics]
    for version, (p, y) in versions.items():
        chosen = [index for index, name in enumerate(wanted) if name == version]
        if chosen:
            numerators[chosen], denominators[chosen] = _metarec.metrics(
                np.ascontiguousarray(p, np.float64),
                np.ascontiguousarray(y, np.float64),
                np.ascontiguousarray(offsets, np.int64),
                [(*metrics[index].native, relevant) for index in chosen],
            )
    return numerators, denominators


def checked_predictions(predictions: object, rows: int, source: str) -> Floats:
    """Return what a model's `predict` gave as ``[rows]`` float64, or raise naming the model."""
    try:
        array = np.asarray(predictions, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(f"{source}: predict must return numbers: {error}") from error
    if array.shape != (rows,):
        raise InvalidValueError(
            f"{source}: predict returned shape {array.shape}, wanted ({rows},), one per query row"
        )
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise NumericalError(f"{source}: prediction {bad[0]} is {array[bad[0]]}, wanted finite")
    return array
