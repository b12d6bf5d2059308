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


def resample(scores: Sequence[Scores], resamples: int, seed: int) -> Floats:
    """Return ``[scores, draws, resamples]`` of scores that are of the same draws and users.

    A user's draws stay together, and every score sees the same resamples of the users.
    """
    draws = len(scores[0].numerators)
    values = _metarec.bootstrap(
        np.concatenate([score.numerators for score in scores]),
        np.concatenate([score.denominators for score in scores]),
        np.repeat([score.metric.square_root for score in scores], draws),
        resamples,
        seed,
    )
    return values.reshape(len(scores), draws, resamples)


def central(values: Floats) -> Floats:
    """Return the ends of the central 95 % of the last axis, ``[..., 2]``, linear between values.

    A resample without a value (NaN) does not count; without any the ends are NaN.
    """
    ordered = np.sort(values, axis=-1)  # NaN comes last
    last = np.maximum(np.count_nonzero(~np.isnan(values), axis=-1) - 1, 0)[..., None]
    place = last * np.array([0.025, 0.975])
    below = np.floor(place).astype(np.int64)
    low = np.take_along_axis(ordered, below, -1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, last), -1)
    ends: Floats = low + (place - below) * (high - low)
    return ends


def intervals(scores: Sequence[Scores], resamples: int, seed: int) -> Iterator[list[Interval]]:
    """Yield for each score one interval a draw, and that of the mean over the draws at the end."""
    values = resample(scores, resamples, seed)
    for score, by_draw, whole in zip(
        scores, central(values), central(values.mean(axis=1)), strict=True
    ):
        drawn = zip(score.by_draw.tolist(), by_draw.tolist(), score.tasks.tolist(), strict=True)
        low, high = whole.tolist()
        yield [
            *(Interval(value, ends[0], ends[1], tasks) for value, ends, tasks in drawn),
            Interval(score.value, low, high, round(score.tasks.mean())),
        ]
