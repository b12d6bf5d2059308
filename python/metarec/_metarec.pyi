"""The native module: Swift kernels behind a C shim, which converts, checks, releases the GIL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]

__version__: str

def isa() -> str: ...
def schema() -> str: ...

class Features:
    """Rows of users or items.

    A field is (name, kind, size, ids, offsets, vectors), kind "categorical", "bag" or "dense".
    """

    def __init__(
        self,
        rows: int,
        fields: Sequence[
            tuple[str, str, int, NDArray[np.int32] | None, NDArray[np.int64] | None, Floats | None]
        ],
    ) -> None: ...
    def close(self) -> None: ...

class Tasks:
    task_count: int
    support_rows: int
    query_rows: int

    def __init__(
        self,
        offsets: NDArray[np.int64],
        support_counts: NDArray[np.int64],
        item_index: NDArray[np.int32],
        targets: Floats,
        user_index: NDArray[np.int32] | None,
        items: Features,
        users: Features | None,
    ) -> None: ...
    def take(self, task_ids: NDArray[np.int64]) -> Tasks: ...
    def close(self) -> None: ...

class Learner:
    steps: int

    def __init__(
        self, options: Mapping[str, float | int | bool | str | Sequence[float] | None]
    ) -> None: ...
    def initialize(self, tasks: Tasks) -> None: ...
    def parameters(self) -> dict[str, Floats]: ...
    def optimizer_state(self) -> dict[str, Floats]: ...
    def adapted_names(self) -> list[str]: ...
    def settle(self) -> None: ...
    def meta_gradient(self, tasks: Tasks) -> tuple[float, dict[str, Floats]]: ...
    def step(self, tasks: Tasks) -> float: ...
    def train_epoch(
        self,
        tasks: Tasks,
        episodes: tuple[int, int, int, int] | None,
        epoch: int,
        progress: Callable[[float, float], Any] | None = None,
    ) -> float: ...
    def predict(self, tasks: Tasks) -> Floats: ...
    def distribution(self, tasks: Tasks) -> Floats: ...
    def adapted_parameters(self, tasks: Tasks) -> dict[str, Floats]: ...
    def support_losses(self, tasks: Tasks) -> Floats: ...
    def adapt(self, tasks: Tasks) -> Adapted: ...
    def close(self) -> None: ...

class Adapted:
    def predict(self, tasks: Tasks) -> Floats: ...
    def close(self) -> None: ...

def metrics(
    predictions: NDArray[np.float64],
    targets: NDArray[np.float64],
    offsets: NDArray[np.int64],
    metrics: Sequence[tuple[str, int, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerators and denominators, [len(metrics), tasks] each. A metric is (name, k, relevant)."""

def bootstrap(
    numerators: NDArray[np.float64],
    denominators: NDArray[np.float64],
    square_root: NDArray[np.bool_],
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """[statistics, resamples], the same resamples of the clusters for every statistic."""
