"""What is read off a distribution over levels: the prediction that is best for a measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from metarec.errors import InvalidValueError

if TYPE_CHECKING:
    from metarec.dataset import Dataset

Decision = Literal["mean", "median", "mode", "distribution"]
DECISIONS = ("mean", "median", "mode", "distribution")
Floats = NDArray[np.float64]

#: More different ratings than these are numbers on a line, not levels.
MOST_LEVELS = 101


def levels_of(data: Dataset) -> Floats | None:
    """Return the levels of a data set's ratings, ascending; None where they are continuous.

    Levels lie a step apart, the smallest gap between two ratings, from the lowest to the highest of
    the scale, whether each occurs or not.

    Examples
    --------
    >>> import metarec as mr
    >>> levels_of(mr.Dataset.from_arrays([1, 1, 2], [6, 7, 6], [1, 2, 5]))
    array([1., 2., 3., 4., 5.])
    """
    low, high = data.scale
    given = np.unique(np.append(data.rating.astype(np.float64), (low, high)))
    if len(given) == 1:
        return given
    step = np.diff(given).min()
    places = (given - low) / step
    if places[-1] >= MOST_LEVELS or np.abs(places - np.rint(places)).max() > 1e-4:
        return None
    return np.asarray(low + step * np.arange(np.rint(places[-1]) + 1), np.float64)


def decide(probabilities: Floats, levels: Floats, decision: Decision) -> Floats:
    """Return the prediction of each row that is best for a measure.

    Parameters
    ----------
    probabilities : float64 [rows, levels]
        Of every level; rows sum to one.
    levels : float64 [levels]
        Ascending.
    decision : "mean", "median", "mode" or "distribution"
        Best for the squared error, the absolute error and the share of exact hits; or the
        probabilities themselves.

    Raises
    ------
    InvalidValueError
        There is no such decision.

    Examples
    --------
    >>> decide(np.array([[0.5, 0.1, 0.4]]), np.array([1.0, 2.0, 3.0]), "mean")
    array([1.9])
    >>> decide(np.array([[0.4, 0.2, 0.4]]), np.array([1.0, 2.0, 3.0]), "median")
    array([2.])
    """
    check_decision(decision)
    if decision == "distribution":
        return probabilities
    if decision == "mean":
        return np.asarray(np.einsum("rl,l->r", probabilities, levels), np.float64)
    if decision == "mode":
        return np.asarray(levels[np.argmax(probabilities, axis=1)])
    # Sums are rounded: what is within a hair of a half is the half.
    upto = np.cumsum(probabilities, axis=1) >= 0.5 - 1e-12
    return np.asarray(levels[np.argmax(upto, axis=1)])


def check_decision(decision: str) -> None:
    """Raise unless there is such a decision."""
    if decision not in DECISIONS:
        raise InvalidValueError(f"decision: got {decision!r}, wanted one of {DECISIONS}")
