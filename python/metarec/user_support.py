"""What a model was adapted to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metarec.features import FeatureTable


@dataclass(frozen=True, eq=False)
class UserSupport:
    """Rows of the model's table, their ratings, and the user, as features and as given.

    Sampled negatives come behind the user's own ratings.
    """

    codes: NDArray[np.int32]
    ratings: NDArray[np.float64]
    features: FeatureTable | None
    user: Any
