"""The workload: MeLU's network over ragged tasks, as a `TaskSet` and as plain arrays for peers.

8 fields of 32 columns into 64, 64 and 1; supports of 3 to 90 rows (mean 36), 10 query rows,
meta-batches of 32. Ids are synthetic, table sizes are MovieLens-1M's. Every meta-batch has as many
tasks of each length group as of any other: so a peer that pads by length groups has fixed shapes,
compiles once and pads little. Same seed, same workload.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import metarec as mr

Floats = NDArray[np.float32]
Parameters = dict[str, Floats]

ITEM_FIELDS = {"rate": 6, "genre": 25, "director": 2_186, "actor": 8_030}
USER_FIELDS = {"gender": 2, "age": 7, "occupation": 21, "zip": 3_402}
LENGTH_GROUPS = 4
#: Outer steps in one block of time; JAX scans over so many.
BLOCK = 4
INNER_LR, LR = 0.05, 1e-3


@dataclass(frozen=True)
class Algorithm:
    """What is trained: "maml", "fomaml" (first order), "anil" or "reptile", and its inner steps."""

    name: str
    steps: int

    def __str__(self) -> str:
        names = {
            "maml": "exact MAML",
            "fomaml": "first order",
            "anil": "ANIL",
            "reptile": "Reptile",
        }
        return f"{names[self.name]}, {self.steps} step{'s' if self.steps > 1 else ''}"

    def flops(self, support: float, query: float) -> float:
        """Floating-point operations of one task's products, first layer split by user and item.

        Per row: forward, gradients of weights and of inputs; the user's one row is not counted.
        """
        first, second, last = 2 * 128 * 64, 2 * 64 * 64, 2 * 64
        inner = (
            2 * (first + second + last) + second + last
        )  # the first layer's inputs are not adapted
        whole = 3 * (first + second + last)
        body = first + second
        return {
            "maml": 3 * inner * self.steps * support + whole * query,
            "fomaml": inner * self.steps * support + whole * query,
            "anil": (3 * body + 6 * last * self.steps) * support + whole * query,
            "reptile": whole * self.steps * support,
        }[self.name]


ALGORITHMS = [
    Algorithm(name, steps) for name in ("maml", "fomaml", "anil", "reptile") for steps in (1, 5)
]


@dataclass(frozen=True)
class Batch:
    """One task after the other, expanded: what a peer's own loader would have looked up."""

    support: list[
        tuple[NDArray[np.int32], Floats]
    ]  # per task: ids [rows, item fields], targets [rows]
    query: list[tuple[NDArray[np.int32], Floats]]
    user: NDArray[np.int32]  # [tasks, user fields]


@dataclass(frozen=True)
class Workload:
    """Tasks, their meta-batches, and the parameters to start from."""

    tasks: int = 640
    batch_size: int = 32
    lengths: tuple[int, int] = (3, 90)
    query_rows: int = 10
    hidden: int = 64
    items: int = 3_706
    users: int = 6_040
    table_factor: int = 1
    seed: int = 0
    embedding_dim: int = 32

    @property
    def item_fields(self) -> dict[str, int]:
        return {name: size * self.table_factor for name, size in ITEM_FIELDS.items()}

    @property
    def user_fields(self) -> dict[str, int]:
        return {name: size * self.table_factor for name, size in USER_FIELDS.items()}

    @property
    def fields(self) -> dict[str, int]:
        return self.item_fields | self.user_fields

    @cached_property
    def item_ids(self) -> NDArray[np.int32]:
        """Features of the items [items, item fields]."""
        return self.table_factor * _features(self.items, ITEM_FIELDS, self.seed + 1)

    @cached_property
    def user_ids(self) -> NDArray[np.int32]:
        """Features of the users [users, user fields]."""
        return self.table_factor * _features(self.users, USER_FIELDS, self.seed + 2)

    @cached_property
    def support_counts(self) -> NDArray[np.int64]:
        """Support rows of each task, from few to many."""
        low, high = self.lengths
        share = np.random.default_rng(self.seed + 3).beta(1.1, 1.8, self.tasks)
        counts = np.sort(low + np.rint(share * (high - low))).astype(np.int64)
        if self.tasks > 1:
            counts[[0, -1]] = low, high
        return counts

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(self.support_counts + self.query_rows)])

    @cached_property
    def item_index(self) -> NDArray[np.int32]:
        """Popular items come often, as in MovieLens."""
        draw = np.random.default_rng(self.seed + 4).random(self.offsets[-1])
        return np.minimum(self.items * draw**2.5, self.items - 1).astype(np.int32)

    @cached_property
    def user_index(self) -> NDArray[np.int32]:
        return np.random.default_rng(self.seed + 5).integers(0, self.users, self.tasks, np.int32)

    @cached_property
    def targets(self) -> Floats:
        generator = np.random.default_rng(self.seed + 6)
        return generator.integers(1, 6, self.offsets[-1]).astype(np.float32)

    @cached_property
    def batches(self) -> list[NDArray[np.int64]]:
        """Task numbers; in each batch, group after group, as many tasks of every length group."""
        generator = np.random.default_rng(self.seed + 7)
        groups = np.arange(self.tasks).reshape(LENGTH_GROUPS, -1)
        shuffled = generator.permuted(groups, axis=1)
        parts = shuffled.reshape(LENGTH_GROUPS, -1, self.batch_size // LENGTH_GROUPS)
        return [parts[:, number].reshape(-1) for number in range(parts.shape[1])]

    def group_lengths(self, groups: int) -> list[int]:
        """The longest support in each of so many length groups."""
        return [int(part[-1]) for part in np.split(self.support_counts, groups)]

    def batch(self, number: int) -> Batch:
        """Meta-batch `number`, expanded."""

        def rows(start: int, stop: int) -> tuple[NDArray[np.int32], Floats]:
            return self.item_ids[self.item_index[start:stop]], self.targets[start:stop]

        numbers = self.batches[number]
        starts, counts = self.offsets[numbers], self.support_counts[numbers]
        return Batch(
            [rows(s, s + n) for s, n in zip(starts, counts, strict=True)],
            [rows(s + n, s + n + self.query_rows) for s, n in zip(starts, counts, strict=True)],
            self.user_ids[self.user_index[numbers]],
        )

    @property
    def layers(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of the weights; each layer has a bias besides."""
        inputs = self.embedding_dim * len(self.fields)
        return {
            "dense0": (inputs, self.hidden),
            "dense1": (self.hidden, self.hidden),
            "head": (self.hidden, 1),
        }

    def traffic(self, algorithm: Algorithm) -> float:
        """Bytes that an outer step with Adam reads or writes for a task, each at least once.

        Parameters, first and second moments of the table rows that a batch touches and of the
        layers are read and written; the rows' item numbers, features and targets are read.
        """
        layers = sum((rows + 1) * columns for rows, columns in self.layers.values())
        numbers = 0
        for batch in map(self.batch, range(len(self.batches))):
            queries = [] if algorithm.name == "reptile" else batch.query
            parts = [ids for ids, _ in (*batch.support, *queries)]
            columns = [*np.concatenate(parts).T, *batch.user.T]
            touched = sum(len(np.unique(column)) for column in columns)
            read = sum(ids.size + 2 * len(ids) for ids in parts) + batch.user.size
            numbers += 6 * (touched * self.embedding_dim + layers) + read
        return 4 * numbers / self.tasks

    @cached_property
    def parameters(self) -> Parameters:
        """What everybody starts from, under metarec's names."""
        generator = np.random.default_rng(self.seed + 8)
        found: Parameters = {
            f"embedding.{name}": generator.normal(0, 0.1, (size, self.embedding_dim)).astype(
                np.float32
            )
            for name, size in self.fields.items()
        }
        for name, (rows, columns) in self.layers.items():
            bound = np.sqrt(6 / rows)
            found[f"{name}.weight"] = generator.uniform(-bound, bound, (rows, columns)).astype(
                np.float32
            )
            found[f"{name}.bias"] = generator.normal(0, 0.1, columns).astype(np.float32)
        return found

    def task_set(self) -> "mr.TaskSet":
        """Return the tasks for metarec."""
        import metarec as mr

        return mr.TaskSet(
            self.offsets,
            self.support_counts,
            self.item_index,
            self.targets,
            self.user_index,
            **self.tables(),
        )

    def tables(self) -> "dict[str, mr.FeatureTable]":
        """Return the features of items and users for metarec."""
        import metarec as mr

        return {
            "items": mr.FeatureTable(_categorical(self.item_ids, self.item_fields)),
            "users": mr.FeatureTable(_categorical(self.user_ids, self.user_fields)),
        }


def _features(rows: int, fields: dict[str, int], seed: int) -> NDArray[np.int32]:
    """Values of a heavy-tailed popularity."""
    draw = np.random.default_rng(seed).random((rows, len(fields))) ** 1.5
    return (draw * np.array(list(fields.values()))).astype(np.int32)


def _categorical(ids: NDArray[np.int32], fields: dict[str, int]) -> "dict[str, mr.Categorical]":
    import metarec as mr

    return {
        name: mr.Categorical(np.ascontiguousarray(ids[:, column]), size=size)
        for column, (name, size) in enumerate(fields.items())
    }
