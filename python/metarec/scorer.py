"""What scores items for one user."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.decisions import Decision
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import FeatureTable
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.cold_start import ColdStart
    from metarec.estimator import DistributionEstimator


class Scorer(Protocol):
    """What scores items for one user."""

    def columns(self, score: str, /) -> int:
        """Return how many numbers a score is; 0 where there is no such score."""

    def predict(
        self, catalogue: _metarec.Features, items: NDArray[np.int32], score: str = "prediction"
    ) -> NDArray[np.floating[Any]]:
        """Return a score for each item: "prediction", "uncorrected" or "distribution"."""


class TaskScorer:
    """Scores items for one user as the query of a task, by the model's `predict`.

    `quick` gives scores without a correction, where it has them.
    """

    def __init__(
        self,
        model: "ColdStart | DistributionEstimator",
        items: NDArray[np.int32],
        ratings: ArrayLike,
        user: FeatureTable | None,
        quick: Scorer | None = None,
    ) -> None:
        self._model, self._items, self._user, self._quick = model, items, user, quick
        try:
            self._ratings = np.array(ratings, np.float32)
        except (TypeError, ValueError) as error:
            raise InvalidTypeError(f"ratings: expected numbers; {error}") from None
        if self._ratings.shape != items.shape:
            raise InvalidValueError(
                f"ratings: expected one for each of {len(items)} items, got shape "
                f"{self._ratings.shape}"
            )
        self.tasks(items[:0])  # Checks the ratings.

    def tasks(self, items: NDArray[np.int32]) -> TaskSet:
        """Return a task of the user's ratings that asks for items."""
        support = len(self._items)
        return TaskSet(
            np.array([0, support + len(items)]),
            np.array([support]),
            np.concatenate([self._items, items]),
            np.concatenate([self._ratings, np.zeros(len(items), np.float32)]),
            None if self._user is None else np.zeros(1, np.int32),
            items=self._model._items,
            users=self._user,
        )

    def columns(self, score: str, /) -> int:
        """Return how many numbers a score is; 0 where there is no such score."""
        if score == "distribution":
            return 0 if self._model.levels_ is None else len(self._model.levels_)
        if score == "uncorrected":
            return 0 if self._quick is None else self._quick.columns(score)
        return 1

    def predict(
        self, catalogue: _metarec.Features, items: NDArray[np.int32], score: str = "prediction"
    ) -> NDArray[np.floating[Any]]:
        """Return what the model says of each item."""
        if score == "uncorrected" and self._quick is not None:
            return self._quick.predict(catalogue, items, score)
        decision: Decision = "distribution" if score == "distribution" else "mean"
        return self._model.predict(self.tasks(items), decision)
