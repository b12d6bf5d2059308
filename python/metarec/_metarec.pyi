"""The native module: Swift kernels behind a C shim, which converts, checks, releases the GIL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeAlias, TypeVar, final

import numpy as np
from numpy.typing import NDArray

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
_Float = TypeVar("_Float", np.float32, np.float64)

__version__: str

def isa() -> str: ...
def schema() -> str: ...

@final
class Features:
    """Rows of users or items.

    A field is (name, kind, size, ids, offsets, vectors), kind "categorical", "bag" or "dense".
    """

    def __new__(
        cls,
        rows: int,
        fields: Sequence[
            tuple[str, str, int, NDArray[np.int32] | None, NDArray[np.int64] | None, _Floats | None]
        ],
    ) -> Self: ...
    def close(self) -> None: ...

@final
class Tasks:
    def __new__(
        cls,
        offsets: NDArray[np.int64],
        support_counts: NDArray[np.int64],
        item_index: NDArray[np.int32],
        targets: _Floats,
        user_index: NDArray[np.int32] | None,
        items: Features,
        users: Features | None,
    ) -> Self: ...
    @property
    def task_count(self) -> int: ...
    @property
    def support_rows(self) -> int: ...
    @property
    def query_rows(self) -> int: ...
    def take(self, task_ids: NDArray[np.int64]) -> Tasks: ...
    def close(self) -> None: ...

@final
class Learner:
    steps: int
    rate_share: float

    def __new__(
        cls, options: Mapping[str, float | int | bool | str | Sequence[float] | None]
    ) -> Self: ...
    def initialize(self, tasks: Tasks, limit: int | None = None) -> None: ...
    def parameters(self) -> dict[str, _Floats]: ...
    def optimizer_state(self) -> dict[str, _Floats]: ...
    def adapted_names(self) -> list[str]: ...
    def settle(self) -> None: ...
    def profile(self, tasks: Tasks) -> list[tuple[str, float, float]]: ...
    def meta_gradient(self, tasks: Tasks) -> tuple[float, dict[str, _Floats]]: ...
    def step(self, tasks: Tasks) -> float: ...
    def train_epoch(
        self,
        tasks: Tasks,
        episodes: tuple[int, int, int, int] | None,
        epoch: int,
        progress: Callable[[float, float], Any] | None = None,
        step: int = 0,
        sum: float = 0.0,
        count: int | None = None,
    ) -> dict[str, Any]: ...
    def predict(self, tasks: Tasks) -> _Floats: ...
    def distribution(self, tasks: Tasks) -> _Floats: ...
    def adapted_parameters(self, tasks: Tasks) -> dict[str, _Floats]: ...
    def support_losses(self, tasks: Tasks) -> _Floats: ...
    def adapt(
        self,
        catalogue: Features,
        user: Features | None,
        items: NDArray[np.int32],
        ratings: _Floats,
    ) -> Adapted: ...
    def close(self) -> None: ...

@final
class Adapted:
    def columns(self, score: str, /) -> int: ...
    def predict(
        self, catalogue: Features, items: NDArray[np.int32], score: str = "prediction"
    ) -> _Floats: ...
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

def distribution(
    probabilities: NDArray[np.float64],
    levels: NDArray[np.float64],
    targets: NDArray[np.float64] | None,
    values: Sequence[str],
    seed: int,
) -> NDArray[np.float64]:
    """[len(values), rows] of distributions [rows, levels]: mean, median, mode, gain, confidence,
    negative_log, transform."""

def catalogue(
    scores: _Floats,
    excluded_offsets: NDArray[np.int64],
    excluded: NDArray[np.int32],
    relevant_offsets: NDArray[np.int64],
    relevant: NDArray[np.int32],
    metrics: Sequence[tuple[str, int, float]],
    k: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Numerators and denominators, [len(metrics), users] each, and the best items [users, k]."""

def list_diversity(lists: NDArray[np.int32], items: Features) -> NDArray[np.float64]:
    """One less the mean similarity of each list's pairs, [lists]."""

def negatives(
    weights: NDArray[np.float64],
    own_offsets: NDArray[np.int64],
    own: NDArray[np.int32],
    counts: NDArray[np.int64],
    seed: int,
    epoch: int,
    batch_size: int = 0,
) -> NDArray[np.int32]:
    """Items by weight that a task does not have, [sum of counts]; -1 where it has them all.

    With `batch_size` only items of other tasks of the same step of that epoch, their weights times
    the number of these tasks.
    """

def sample_factors(
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    rating: _Floats,
    items: Features,
    users: Features | None,
    user_count: int,
    rank: int,
    samples: int,
    burn_in: int,
    interval: int,
    threads: int,
    seed: int,
    progress: Callable[[float, float], Any] | None = None,
) -> dict[str, Any]:
    """Posterior of a Bayesian matrix factorisation: arrays by name, and "mean"; threads 0: all."""

def least_squares_factors(
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    rating: _Floats,
    user_count: int,
    item_count: int,
    rank: int,
    sweeps: int,
    penalty: float,
    bias_penalty: float,
    threads: int,
    seed: int,
    progress: Callable[[float, float], Any] | None = None,
) -> dict[str, Any]:
    """Its point estimate, as one sample, and "objectives" [sweeps]."""

def place_items(factors: dict[str, Any], items: Features) -> dict[str, Any]:
    """Return "item_factors" and "item_novelty" of new items, by their features alone."""

def fold_in(
    factors: dict[str, Any], tasks: Tasks, threads: int, variances: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return means and variances, [query rows]."""

def fold_user(factors: dict[str, Any], tasks: Tasks, threads: int) -> NDArray[np.float32]:
    """Return the only task's user for `score_items`, [samples, rank + 2, rank + 2]."""

def score_items(
    factors: dict[str, Any],
    user: NDArray[np.float32],
    item_columns: NDArray[np.float32],
    items: NDArray[np.int32],
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and variances of that user's ratings, [items]; -1: an unknown item."""

def mix_levels(
    given: NDArray[np.float64],
    kind: NDArray[np.bool_],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    levels: NDArray[np.float64],
    cuts: NDArray[np.float64],
    lines: NDArray[np.float64],
    weights: NDArray[np.float64],
    threads: int,
) -> NDArray[np.float64]:
    """Return the log-linear mixture of a distribution and of ordered probits, [rows, levels]."""

def product(
    a: NDArray[_Float], b: NDArray[_Float], transposed: bool, threads: int
) -> NDArray[_Float]:
    """Return a b, or a transposed times b: the same bits for any number of threads."""

def orthonormal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return orthonormal columns of the same span; zeros for one that depends on those before."""

def eigenvectors(
    matrix: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues, largest first, and eigenvectors of a symmetric matrix."""

def ordered_probit(
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    levels: NDArray[np.float64],
    cuts: NDArray[np.float64],
    slope: float,
) -> NDArray[np.float64]:
    """Return probabilities of the levels, [rows, levels]."""

def fit_ordered_probit(
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    levels: NDArray[np.float64],
    places: NDArray[np.int64],
) -> tuple[NDArray[np.float64], float]:
    """Return the most likely cuts [levels - 1] and slope."""
