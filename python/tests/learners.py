"""Small data, task sets and models for the tests of learners."""

from typing import Any

import numpy as np

import metarec as mr

ITEM_FIELDS = ("genre", "tags", "text")
USER_FIELDS = ("age", "likes", "profile")


def fields_of(names: tuple[str, ...], rows: int, random: np.random.Generator) -> mr.FeatureTable:
    """A categorical, a bag and a dense field under the given names; "" leaves one out."""

    def ids(shape: Any, size: int) -> np.ndarray:
        return random.integers(-1, size, shape).astype(np.int32)

    offsets = np.concatenate([[0], np.cumsum(random.integers(0, 4, rows))])
    made = {
        names[0]: mr.Categorical(ids(rows, 4), size=4),
        names[1]: mr.Bag(ids(offsets[-1], 5), offsets, size=5),
        names[2]: mr.Dense(random.normal(size=(rows, 3))),
    }
    return mr.FeatureTable({name: field for name, field in made.items() if name})


def random_tasks(
    seed: int = 0,
    tasks: int = 5,
    *,
    item_fields: tuple[str, ...] = ITEM_FIELDS,
    user_fields: tuple[str, ...] | None = USER_FIELDS,
    binary: bool = False,
    dtype: str = "float64",
) -> mr.TaskSet:
    """Ragged tasks, some without support, none without query; some items and users are unknown."""
    random = np.random.default_rng(seed)
    items, users = 12, 4
    support = random.integers(0, 5, tasks)
    counts = support + random.integers(1, 4, tasks)
    rows = int(counts.sum())
    targets = random.integers(0, 2, rows) if binary else random.normal(size=rows)
    return mr.TaskSet(
        np.concatenate([[0], np.cumsum(counts)]),
        support,
        random.integers(-1, items, rows).astype(np.int32),
        targets.astype(dtype),
        None if user_fields is None else random.integers(-1, users, tasks).astype(np.int32),
        items=fields_of(item_fields, items, random),
        users=None if user_fields is None else fields_of(user_fields, users, random),
    )


def small_learner(**options: Any) -> mr.MetaLearner:
    return mr.MetaLearner(
        **{
            "backbone": mr.FeatureMLP(embedding_dim=3, hidden=(6, 4)),
            "algorithm": mr.MAML(inner_lr=0.1, inner_steps=2),
            "optimizer": mr.Adam(lr=0.01),
            "batch_size": 4,
            **options,
        }
    )


def small_preset(name: str, **options: Any) -> mr.MetaLearner:
    """A preset, or "MetaLearner", that trains in no time."""
    if name == "MetaLearner":
        return small_learner(epochs=2, **options)
    kind = {"MeLU": mr.MeLU, "FineTune": mr.FineTune}[name]
    return kind(embedding_dim=3, hidden=(6, 4), inner_steps=2, epochs=2, **options)


def copies(model: mr.MetaLearner) -> dict[str, np.ndarray]:
    return {name: value.copy() for name, value in model.parameters().items()}


def same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        value.dtype == other[name].dtype and value.tobytes() == other[name].tobytes()
        for name, value in one.items()
    )
