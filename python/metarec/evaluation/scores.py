"""Scores by user and draw, and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metarec import _metarec
from metarec.evaluation.metrics import Metric

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """What one group of report rows is about."""

    model: str
    scenario: str
    metric: str
    decision: str
    support_size: int | None


@dataclass(frozen=True)
class Interval:
    """A value, the ends of its 95 % interval, and the number of tasks behind it."""

    value: float
    low: float
    high: float
    tasks: int


@dataclass(frozen=True)
class Scores:
    """A metric's statistics of one model, ``[draws, users]`` each.

    The value of a draw is (the root of) Σ numerators / Σ denominators over its users; the value of
    all draws is the mean of those.
    """

    metric: Metric
    numerators: Floats
    denominators: Floats

    @property
    def tasks(self) -> NDArray[np.int64]:
        """How many tasks each draw did not leave out."""
        counts: NDArray[np.int64] = np.count_nonzero(self.denominators, axis=1)
        return counts

    @property
    def by_draw(self) -> Floats:
        """The metric's value in each draw; NaN where all tasks are left out."""
        with np.errstate(invalid="ignore"):
            ratio: Floats = self.numerators.sum(1) / self.denominators.sum(1)
        if self.metric.square_root:
            np.sqrt(ratio, out=ratio)
        return ratio

    @property
    def value(self) -> float:
        """The mean over the draws."""
        return float(self.by_draw.mean())


def resample(scores: Sequence[Scores], resamples: int, seed: int) -> Iterator[Floats]:
    """Yield ``[draws, resamples]`` for each of `scores`, which are of the same draws and users.

    A user's draws stay together, and every score sees the same resamples of the users.
    """
    values = _metarec.bootstrap(
        np.concatenate([score.numerators for score in scores]),
        np.concatenate([score.denominators for score in scores]),
        np.concatenate(
            [np.full(len(score.numerators), score.metric.square_root) for score in scores]
        ),
        resamples,
        seed,
    )
    start = 0
    for score in scores:
        yield values[start : start + len(score.numerators)]
        start += len(score.numerators)


def percentiles(values: Floats) -> tuple[float, float]:
    """Return the ends of the central 95 %, of the resamples that have a value."""
    values = values[~np.isnan(values)]
    if not values.size:
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def intervals(scores: Scores, values: Floats) -> list[Interval]:
    """Return one interval a draw, and that of the mean over the draws at the end."""
    by_draw = [
        Interval(float(value), *percentiles(draw), int(tasks))
        for value, draw, tasks in zip(scores.by_draw, values, scores.tasks, strict=True)
    ]
    mean = Interval(scores.value, *percentiles(values.mean(0)), round(float(scores.tasks.mean())))
    return [*by_draw, mean]
