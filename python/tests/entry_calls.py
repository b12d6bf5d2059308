"""Good calls of the public Python functions and methods, to be spoiled."""

import inspect
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from hostile import junk
from learners import random_tasks, small_learner
from scenarios import small_data

import metarec as mr

# Made by others alone: their constructors trust them.
MADE_BY_OTHERS = {"AdaptedModel", "AdaptedUser", "Component", "Dataset", "Provenance", "Report"}
MADE_BY_OTHERS |= {"Blend", "MetaModel", "Recommendations", "Tuning", "MetarecError"}


class Shop:
    """Small data and models, made once, that all calls share; no call may change them."""

    def __init__(self) -> None:
        self.data = small_data(users=40)
        self.tasks = random_tasks()
        self.model = small_learner(epochs=1).fit(self.tasks)
        self.user = self.model.adapt([1, 3], [0.5, 1.0])
        self.frames = {
            "user": ["a", "a", "b", "c"],
            "item": [1, 2, 2, 3],
            "rating": [1.0, 5.0, 3.0, 4.0],
            "timestamp": [4, 3, 2, 1],
        }


def calls(shop: Shop) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """A good call by name: the function and its arguments."""
    ids, offsets = np.array([0, 1, 2, -1], np.int32), np.array([0, 1, 1, 3, 4])
    model, data, tasks, user = shop.model, shop.data, shop.tasks, shop.user
    numbers = {"users": 8, "items": 8, "seed": 0}

    def fit(kind: Any) -> Callable[..., Any]:
        """Options are checked when a model is fitted."""
        return lambda **options: kind(**options).fit(tasks, progress=False)

    small = {"embedding_dim": 3, "hidden": (4,), "inner_steps": 1, "inner_lr": 0.1, "epochs": 1}
    small |= {"batch_size": 4, "seed": 0, "threads": 1, "dtype": "float64", "lr": 0.01}
    learner = {"backbone": mr.FeatureMLP(embedding_dim=3, hidden=(4,)), "algorithm": mr.MAML()}
    learner |= {"epochs": 1, "batch_size": 4, "seed": 0, "threads": 1, "dtype": "float32"}
    history = {"items": [1, 3], "ratings": [0.5, 1.0]}
    fitted = small_learner(epochs=1).fit
    found: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "Dataset.from_frames": (mr.Dataset.from_frames, {"ratings": shop.frames}),
        "Dataset.from_arrays": (
            mr.Dataset.from_arrays,
            {"user": np.array([0, 1]), "item": np.array([1, 0]), "rating": np.array([1.0, 2])},
        ),
        "Dataset.tasks": (data.tasks, {}),
        "split.cold_start": (
            mr.split.cold_start,
            {"data": data, "new_users": 0.3, "new_items": 0.3, "min_ratings": 13, "query": 5}
            | {"max_ratings": 100, "order": "shuffle", "seed": 0, "validation": 0.1},
        ),
        "split.melu": (mr.split.melu, {"data": data, "seed": 0, "folder": "nowhere"}),
        "datasets.synthetic": (mr.datasets.synthetic, numbers | {"noise": 0.1}),
        "Categorical": (mr.Categorical, {"ids": ids, "size": 3}),
        "Bag": (mr.Bag, {"ids": ids, "offsets": offsets, "size": 3}),
        "Dense": (mr.Dense, {"vectors": np.ones((4, 2))}),
        "FeatureTable": (mr.FeatureTable, {"fields": {"a": mr.Categorical(ids, 3)}}),
        "features.bucketise": (mr.features.bucketise, {"buckets": 4}),
        "features.hash": (mr.features.hash, {"buckets": 4, "seed": 0}),
        "features.log": (mr.features.log, {}),
        "features.standardise": (mr.features.standardise, {}),
        "features.vectors": (mr.features.vectors, {"values": np.ones((4, 2)), "unit": True}),
        "TaskSet": (
            mr.TaskSet,
            {"offsets": np.array([0, 3, 5]), "support_counts": np.array([2, 1])}
            | {"item_index": np.array([0, 1, 2, 0, 1], np.int32), "targets": np.ones(5)}
            | {"user_index": None, "items": tasks.items},
        ),
        "TaskSet.take": (tasks.take, good(tasks.take, [0, 2])),
        "Episodes": (mr.Episodes, {"support": (1, 3), "query": (1, 2)}),
        "Negatives": (mr.Negatives, {}),
        "MetaLearner": (fit(mr.MetaLearner), learner),
        "MetaLearner.fit": (fitted, good(fitted, tasks)),
        "MetaLearner.adapt": (model.adapt, dict(history)),
        "MetaLearner.predict": (model.predict, {"tasks": tasks}),
        "MetaLearner.partial_fit": (small_learner().partial_fit, {"tasks": tasks}),
        "MetaLearner.initialize": (small_learner().initialize, {"tasks": tasks}),
        "AdaptedUser.predict": (user.predict, {"items": [1, 2]}),
        "AdaptedUser.recommend": (user.recommend, {"k": 3}),
        "MeLU": (fit(mr.MeLU), {n: v for n, v in small.items() if n != "dtype"}),
        "FineTune": (fit(mr.FineTune), {"epochs": 1, "embedding_dim": 3, "hidden": (4,)}),
        "BayesianMF": (lambda **o: mr.BayesianMF(**o).fit(data), {"rank": 2, "seed": 0}),
        "load": (mr.load, {"path": "nothing.metarec"}),
        "meta_learning": (mr.meta_learning, {"tasks": tasks, "seed": 0}),
        "meta_learning_recommendation": (
            mr.meta_learning_recommendation,
            {"user_history": [(np.ones((2, 3)), [1, 2])], "candidate_content": np.ones((3, 3))},
        ),
        "evaluate": (mr.evaluate, {"models": model, "splits": "no splits", "draws": 1}),
        "plot.adaptation": (mr.plot.adaptation, {"user": "nobody", "k": 3}),
        "plot.learning_curve": (mr.plot.learning_curve, {"models": "no model"}),
        "export.onnx": (mr.export.onnx, {"user": "nobody", "path": "x.onnx"}),
    }
    for name, component in mr.COMPONENTS.items():
        options = {p.name: p.default for p in inspect.signature(component).parameters.values()}
        found[name] = (component, options)
    return found


def good(function: Callable[..., Any], value: Any) -> dict[str, Any]:
    """The value as the first argument, by its name."""
    return {next(iter(inspect.signature(function).parameters)): value}


def unspoken() -> dict[str, Callable[..., Any]]:
    """All functions and classes that the package exports; without a good call they get junk."""
    exported = {name: getattr(mr, name) for name in mr.__all__ if name not in MADE_BY_OTHERS}
    return {name: thing for name, thing in exported.items() if callable(thing)}


def generic(function: Callable[..., Any], random: Random) -> dict[str, Any]:
    """Anything for every argument that the signature wants."""
    parameters = inspect.signature(function).parameters.values()
    wanted = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return {p.name: junk(random) for p in wanted if p.default is p.empty or random.random() < 0.3}
