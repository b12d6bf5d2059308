"""Robust statistics of ratings: who and what is out of line."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.display import counted

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]

#: A normal distribution's standard deviation in median absolute deviations.
_DEVIATION = 1.4826
#: Users of fewer ratings are not judged by them.
ENOUGH = 5


def constant_users(users: Codes, ratings: NDArray[Any]) -> Mask:
    """Return which users, by code, have five ratings or more which are all the same."""
    size = int(users.max(initial=-1)) + 1
    if not len(users) or ratings.min() == ratings.max():
        return np.zeros(size, np.bool_)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, users, ratings)
    np.maximum.at(high, users, ratings)
    return np.asarray((low == high) & (np.bincount(users, minlength=size) >= ENOUGH), np.bool_)


def residuals(users: Codes, items: Codes, ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ratings less the median of the user, then of the item."""
    left = ratings - group_medians(ratings, users)[users]
    return left - group_medians(left, items)[items]


def group_medians(values: NDArray[np.float64], group: Codes) -> NDArray[np.float64]:
    """Return the median of the values in each group; zero of an empty group."""
    counts = np.bincount(group)
    ends = np.cumsum(counts)
    ordered = np.append(values[np.lexsort((values, group))], 0.0)
    low, high = ends - counts + (counts - 1) // 2, ends - counts + counts // 2
    return np.where(counts > 0, (ordered[np.maximum(low, 0)] + ordered[high]) / 2, 0.0)


def group_means(values: NDArray[np.float64], group: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean of the values in each group."""
    return np.bincount(group, values) / np.bincount(group)


def _spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return median and robust standard deviation; the mean deviation's where half are equal."""
    middle = float(np.median(values))
    away = np.abs(values - middle)
    return middle, _DEVIATION * float(np.median(away)) or 1.2533 * float(away.mean())


def outlying(e: NDArray[np.float64], users: Codes, threshold: float) -> tuple[Mask, str]:
    """Return which residuals are `threshold` robust deviations out, and why in words."""
    if not len(e):
        return np.zeros(0, np.bool_), ""
    middle, deviation = _spread(e)
    out = np.abs(e - middle) >= threshold * deviation
    why = (
        f"{threshold * deviation:.3g} or more, {threshold:g} robust deviations, from what user and "
        "item lead to expect"
    )
    return out & (deviation > 0), why


def noisy(e: NDArray[np.float64], users: Codes, threshold: float) -> tuple[Mask, str]:
    """Return the ratings of users whose residuals are large among users, and why in words."""
    counts = np.bincount(users)
    judged = counts >= ENOUGH
    if not judged.any():
        return np.zeros(len(e), np.bool_), ""
    error = np.bincount(users, np.abs(e)) / np.maximum(counts, 1)
    middle, deviation = _spread(error[judged])
    are_noisy = judged & (error - middle >= threshold * deviation) & (deviation > 0)
    why = (
        f"of users who are {middle + threshold * deviation:.3g} or more from what others lead to "
        f"expect, the median user {middle:.3g}: {counted(int(are_noisy.sum()), 'user')}"
    )
    return are_noisy[users], why
