"""What scores items for one user."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metarec import _metarec
from metarec.decisions import Decision, decide
from metarec.errors import InvalidTypeError, InvalidValueError
from metarec.features import FeatureTable
from metarec.tasks import TaskSet

if TYPE_CHECKING:
    from metarec.estimator import DistributionEstimator
    from metarec.mixture import Mixture


class Scorer(Protocol):
    """What scores items for one user."""

    def columns(self, score: str, /) -> int:
        """Return how many numbers a score is; 0 where there is no such score."""

    def predict(
        self, catalogue: _metarec.Features, items: NDArray[np.int32], score: str = "prediction"
    ) -> NDArray[np.floating[Any]]:
        """Return a score for each item: "prediction", "uncorrected" or "distribution"."""


class TaskScorer:
    """Scores items for one user as the query of a task, by the model's `predict`."""

    def __init__(
        self,
        model: "DistributionEstimator",
        items: NDArray[np.int32],
        ratings: ArrayLike,
        user: FeatureTable | None,
    ) -> None:
        self._model, self._items, self._user = model, items, user
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
        return 0 if score == "uncorrected" else 1

    def predict(
        self, catalogue: _metarec.Features, items: NDArray[np.int32], score: str = "prediction"
    ) -> NDArray[np.floating[Any]]:
        """Return what the model says of each item."""
        decision: Decision = "distribution" if score == "distribution" else "mean"
        return self._model.predict(self.tasks(items), decision)


class MixtureScorer:
    """Scores items for one user by a network that is adapted to him and the factorisations beside.

    Scores without a correction are the network's own.
    """

    def __init__(self, network: _metarec.Adapted, mixture: "Mixture", user: TaskSet) -> None:
        self._network, self._mixture = network, mixture
        self._users = mixture.fold_user(user)

    def columns(self, score: str, /) -> int:
        """Return how many numbers a score is; 0 where there is no such score."""
        return self._network.columns(score)

    def predict(
        self, catalogue: _metarec.Features, items: NDArray[np.int32], score: str = "prediction"
    ) -> NDArray[np.floating[Any]]:
        """Return what the mixture says of each item."""
        if score == "uncorrected":
            return self._network.predict(catalogue, items, score)
        network = self._network.predict(catalogue, items, "distribution")
        mixed = self._mixture.of_items(network, self._users, items)
        return mixed if score == "distribution" else decide(mixed, self._mixture.levels, "mean")
