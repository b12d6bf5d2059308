"""What a model was adapted to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.features import FeatureTable
from metarec.tasks import TaskSet


@dataclass(frozen=True, eq=False)
class UserSupport:
    """Rows of the model's table, their ratings, and the user, as features and as given.

    Sampled negatives come behind the user's own ratings.
    """

    codes: NDArray[np.int32]
    ratings: NDArray[np.float64]
    features: FeatureTable | None
    user: Any

    def task(self, items: FeatureTable) -> TaskSet:
        """Return a task of these ratings that asks for nothing, of the model's items."""
        count = np.array([len(self.codes)])
        return TaskSet(
            np.append(0, count),
            count,
            self.codes,
            self.ratings,
            None if self.features is None else np.zeros(1, np.int32),
            items=items,
            users=self.features,
        )
