"""Scores by training seed, draw and user, and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
    by: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Interval:
    """A value, the ends of its 95 % interval, and the number of tasks behind it."""

    value: float
    low: float
    high: float
    tasks: int


@dataclass(frozen=True)
class Measured:
    """The mean over seeds and draws, and the values of each draw and of each seed."""

    whole: Interval
    draws: list[Interval]
    seeds: list[Interval]


@dataclass(frozen=True)
class Scores:
    """A metric's statistics of one model, ``[seeds, draws, users]`` over ``[draws, users]``.

    The value of a seed and draw is (the root of) Σ numerators / Σ denominators over the users; all
    other values are means of those. What is no such ratio, as the coverage of a catalogue, has one
    "user", and no interval.
    """

    metric: Metric
    numerators: Floats
    denominators: Floats
    resampled: bool = True

    def of(self, users: NDArray[np.bool_]) -> Scores:
        """Return the scores of some of the users."""
        return replace(
            self,
            numerators=np.ascontiguousarray(self.numerators[..., users]),
            denominators=np.ascontiguousarray(self.denominators[..., users]),
        )

    @property
    def tasks(self) -> NDArray[np.int64]:
        """How many tasks each draw did not leave out."""
        counts: NDArray[np.int64] = np.count_nonzero(self.denominators, axis=-1)
        return counts

    @property
    def values(self) -> Floats:
        """The metric's value for each seed and draw; NaN where all tasks are left out."""
        with np.errstate(invalid="ignore"):
            ratio: Floats = self.numerators.sum(-1) / self.denominators.sum(-1)
        if self.metric.square_root:
            np.sqrt(ratio, out=ratio)
        return ratio

    @property
    def by_draw(self) -> Floats:
        """The mean over the seeds, of each draw."""
        return np.asarray(self.values.mean(axis=0), np.float64)

    @property
    def by_seed(self) -> Floats:
        """The mean over the draws, of each seed."""
        return np.asarray(self.values.mean(axis=1), np.float64)

    @property
    def value(self) -> float:
        """The mean over seeds and draws."""
        return float(self.values.mean())


def resample(scores: Sequence[Scores], resamples: int, seed: int) -> list[Floats]:
    """Return ``[seeds, draws, resamples]`` for each score; all are of the same draws and users.

    A user's seeds and draws stay together, and every score sees the same resamples of the users.
    """
    shapes = [score.numerators.shape for score in scores]
    users = shapes[0][-1]
    values = _metarec.bootstrap(
        np.concatenate([score.numerators.reshape(-1, users) for score in scores]),
        np.concatenate(
            [
                np.tile(score.denominators, (s[0], 1))
                for score, s in zip(scores, shapes, strict=True)
            ]
        ),
        np.repeat([score.metric.square_root for score in scores], [s[0] * s[1] for s in shapes]),
        resamples,
        seed,
    )
    ends = np.cumsum([s[0] * s[1] for s in shapes])[:-1]
    return [
        part.reshape(*shape[:2], resamples)
        for part, shape in zip(np.split(values, ends), shapes, strict=True)
    ]


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


def p_value(differences: Floats) -> float:
    """Return how often resampled differences lie on the lesser side of 0, of both sides.

    ``2 (1 + min(#{d <= 0}, #{d >= 0})) / (1 + resamples)``, at most 1: it is never 0.
    """
    known = differences[~np.isnan(differences)]
    if not len(known):
        return float("nan")
    lesser = min(np.count_nonzero(known <= 0), np.count_nonzero(known >= 0))
    return float(min(1.0, 2 * (1 + lesser) / (1 + len(known))))


def measure_cells(
    scores: Mapping[Cell, Scores], resamples: int, seed: int
) -> tuple[dict[Cell, Measured], dict[Cell, Floats]]:
    """Return what the cells of one scenario and support size come to.

    The second are the resampled values of the mean over seeds and draws, of cells of all users.
    """
    groups: dict[tuple[str | None, str | None, bool], list[Cell]] = {}
    for cell, score in scores.items():
        groups.setdefault((cell.by, cell.group, score.resampled), []).append(cell)
    measured: dict[Cell, Measured] = {}
    resampled: dict[Cell, Floats] = {}
    for cells in groups.values():
        found = measure([scores[cell] for cell in cells], resamples, seed)
        for cell, (each, values) in zip(cells, found, strict=True):
            measured[cell] = each
            if cell.group is None:
                resampled[cell] = values
    return measured, resampled


def measure(
    scores: Sequence[Scores], resamples: int, seed: int
) -> Iterator[tuple[Measured, Floats]]:
    """Yield what each score comes to, and the resampled values of the mean over seeds and draws.

    All scores are of the same draws and users.
    """
    for score, values in zip(scores, _resampled(scores, resamples, seed), strict=True):
        tasks = score.tasks.tolist()
        mean = round(score.tasks.mean())
        whole = values.mean(axis=(0, 1))
        by_draw = zip(score.by_draw.tolist(), values.mean(axis=0), tasks, strict=True)
        by_seed = zip(score.by_seed.tolist(), values.mean(axis=1), strict=True)
        measured = Measured(
            _interval(score.value, whole, mean),
            [_interval(*each) for each in by_draw],
            [_interval(value, ends, mean) for value, ends in by_seed],
        )
        yield measured, whole


def _interval(value: float, values: Floats, tasks: int) -> Interval:
    low, high = central(values).tolist()
    return Interval(value, low, high, tasks)


def _resampled(scores: Sequence[Scores], resamples: int, seed: int) -> Iterator[Floats]:
    ratios = [score for score in scores if score.resampled]
    found = iter(resample(ratios, resamples, seed) if ratios else [])
    for score in scores:
        shape = (*score.numerators.shape[:2], resamples)
        yield next(found) if score.resampled else np.full(shape, np.nan)
