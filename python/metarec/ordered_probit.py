"""Levels of ratings whose mean and variance are known."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.decisions import Floats


class OrderedProbit:
    r"""Probabilities of levels, such as stars, from the mean m and the variance v of a rating.

    .. math:: P(r \le l_k) = \Phi\big((c_k - s\,m) / \sqrt v\big),

    tilted by :math:`e^{a l}` so that the mean of the levels is m again (inside the scale): the cuts
    say how a scale is used, the moments where this rating lies.

    Parameters
    ----------
    levels : float [levels]
        Ascending.

    Attributes
    ----------
    cuts : float64 [levels - 1]
        c; half way between the levels until `fit`.
    slope : float
        s; 1 until `fit`.
    shift, stretch : float
        `fit` also corrects the mean, to shift + stretch × m; 0 and 1 until then.

    References
    ----------
    McKelvey, Zavoina: A statistical model for the analysis of ordinal level dependent variables.
    Journal of Mathematical Sociology 4 (1975).

    Examples
    --------
    >>> stars = OrderedProbit([1, 2, 3, 4, 5])
    >>> p = stars.probabilities([3.7], [0.8])
    >>> p.shape, round(float((p @ stars.levels)[0]), 6)
    ((1, 5), 3.7)
    """

    # Rows of no correction that the rows of `fit` are mixed with.
    _PRIOR_ROWS = 100

    def __init__(self, levels: ArrayLike) -> None:
        self.levels = np.ascontiguousarray(levels, np.float64)
        self.cuts: Floats = (self.levels[1:] + self.levels[:-1]) / 2
        self.slope, self.shift, self.stretch = 1.0, 0.0, 1.0

    def fit(self, means: ArrayLike, variances: ArrayLike, ratings: ArrayLike) -> "OrderedProbit":
        """Learn how the scale is used from rows that no model was trained on.

        First the mean, by least squares, then cuts and slope, by maximum likelihood. Few rows
        change little; none, nothing.

        Parameters
        ----------
        means, variances : float [rows]
        ratings : float [rows]
            What came; each counts as the nearest level.
        """
        m, v = _vector(means), _vector(variances)
        targets = _vector(ratings)
        if not len(m):
            return self
        # Ridge towards the line through the origin of slope one, as of rows of the same spread.
        center = m.mean()
        share = len(m) / (len(m) + self._PRIOR_ROWS)
        spread = np.square(m - center).mean()
        errors = targets - m
        slope = np.mean(errors * (m - center)) / spread if spread > 0 else 0.0
        self.stretch = float(1 + share * slope)
        self.shift = float(share * (errors.mean() - slope * center))
        places = np.abs(targets[:, None] - self.levels).argmin(axis=1).astype(np.int64)
        self.cuts, self.slope = _metarec.fit_ordered_probit(
            self.corrected(m), v, self.levels, places
        )
        return self

    def corrected(self, means: ArrayLike) -> Floats:
        """Return the means as corrected by `fit`."""
        return np.asarray(self.shift + self.stretch * _vector(means), np.float64)

    def mean(self, means: ArrayLike) -> Floats:
        """Return the means of `probabilities`, which need no variance: corrected, in the scale."""
        low, high = self.levels[0], self.levels[-1]
        margin = 0.005 * (high - low)
        return np.clip(self.corrected(means), low + margin, high - margin)

    def probabilities(self, means: ArrayLike, variances: ArrayLike) -> Floats:
        """Return the probabilities of the levels, ``[rows, levels]``."""
        return _metarec.ordered_probit(
            self.corrected(means), _vector(variances), self.levels, self.cuts, self.slope
        )

    def state(self) -> dict[str, Any]:
        """Return a JSON-able dict from which `from_state` makes this again."""
        arrays = {"levels": self.levels.tolist(), "cuts": self.cuts.tolist()}
        return arrays | {name: getattr(self, name) for name in ("slope", "shift", "stretch")}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Return what `state` told."""
        probit = cls(state["levels"])
        probit.cuts = np.array(state["cuts"], np.float64)
        for name in ("slope", "shift", "stretch"):
            setattr(probit, name, float(state[name]))
        probit.probabilities([0.0], [1.0])  # refuses what is none
        return probit

    def __repr__(self) -> str:
        cuts = np.array2string(self.cuts, precision=2, separator=", ", threshold=10)
        return f"OrderedProbit(levels={len(self.levels)}, cuts={cuts}, slope={self.slope:.3f})"


def _vector(values: Any) -> NDArray[np.float64]:
    return np.ascontiguousarray(values, np.float64)
