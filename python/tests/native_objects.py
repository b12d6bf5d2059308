"""Small features, tasks and learners of the native module, for the tests of the boundary."""

from typing import Any

import numpy as np

from metarec import _metarec as native

OPTIONS: dict[str, Any] = {
    "backbone": "feature_mlp",
    "backbone.embedding_dim": 4,
    "backbone.hidden": [8, 8],
    "algorithm": "maml",
    "algorithm.inner_lr": 0.05,
    "algorithm.inner_steps": 2,
    "algorithm.order": 2,
    "algorithm.adapt": "decision",
    "loss": "squared_error",
    "optimizer": "adam",
    "optimizer.lr": 0.01,
    "batch_size": 8,
    "threads": 1,
    "dtype": "float64",
    "seed": 0,
}


def int32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def int64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def make_items(**changes: Any) -> native.Features:
    """Four items with a field of each kind; `changes` replace the parts of the fields by name."""
    parts: dict[str, Any] = {
        "rows": 4,
        "ids": int32(0, 1, 2, -1),
        "size": 3,
        "bag_ids": int32(0, 4, 1, 2, -1),
        "bag_offsets": int64(0, 2, 2, 4, 5),
        "bag_size": 5,
        "vectors": np.linspace(-1.0, 1.0, 8).reshape(4, 2),
        "vector_size": 2,
    } | changes
    return native.Features(
        parts["rows"],
        [
            ("rate", "categorical", parts["size"], parts["ids"], None, None),
            ("genre", "bag", parts["bag_size"], parts["bag_ids"], parts["bag_offsets"], None),
            ("plot", "dense", parts["vector_size"], None, None, parts["vectors"]),
        ],
    )


def make_users() -> native.Features:
    return native.Features(3, [("age", "categorical", 2, int32(0, 1, -1), None, None)])


def task_arrays(**changes: Any) -> dict[str, Any]:
    """Four tasks: an ordinary one, without support, without query, and of an unknown user."""
    return {
        "offsets": int64(0, 4, 6, 8, 11),
        "support_counts": int64(2, 0, 2, 1),
        "item_index": int32(0, 1, 2, 3, 0, -1, 1, 2, 3, 3, 0),
        "targets": np.array([1.0, 5, 3, 4, 2, 2, 5, 1, 3, 4, 5]),
        "user_index": int32(0, 1, 2, -1),
    } | changes


def make_tasks(**changes: Any) -> native.Tasks:
    parts = {"items": make_items(), "users": make_users()} | changes
    return native.Tasks(**task_arrays(**parts))


def rated(**changes: Any) -> dict[str, Any]:
    """The first of the four tasks as arguments of `Learner.adapt`."""
    return {
        "catalogue": make_items(),
        "user": native.Features(1, [("age", "categorical", 2, int32(0), None, None)]),
        "items": int32(0, 1),
        "ratings": np.array([1.0, 5]),
    } | changes


def trainable(tasks: native.Tasks | None = None) -> native.Tasks:
    """Those of the four tasks that have query rows."""
    return (make_tasks() if tasks is None else tasks).take(int64(0, 1, 3))


def make_learner(tasks: native.Tasks | None = None, **changes: Any) -> native.Learner:
    """An initialised learner; underscores in the names of `changes` stand for dots."""
    options = OPTIONS | {name.replace("__", "."): value for name, value in changes.items()}
    learner = native.Learner(options)
    learner.initialize(make_tasks() if tasks is None else tasks)
    return learner


def many(tasks: native.Tasks, count: int) -> native.Tasks:
    """`count` tasks, the ordinary one over and over: work for a while."""
    return tasks.take(np.zeros(count, np.int64))
