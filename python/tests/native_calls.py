"""A good call of every function that the native module exports, to be spoiled."""

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from hostile import Mischief, Number, mischief, write_extremes
from native_objects import OPTIONS, int32, int64, make_items, make_users, rated, task_arrays

from metarec import _metarec as native
from metarec.errors import MetarecError

SCHEMA = json.loads(native.schema())
METRICS = ["mae", "mse", "rmse", "ndcg", "precision", "auc", "map", "logloss", "accuracy"]
VALUES = ["mean", "median", "mode", "gain", "confidence", "negative_log", "transform"]


def exported() -> Iterator[str]:
    """Yield the names of all functions, constructors, methods and properties of the module."""
    for name, thing in vars(native).items():
        if inspect.isbuiltin(thing):
            yield name
        elif isinstance(thing, type):
            if thing.__new__ is not object.__new__ and name != "Adapted":
                yield name
            yield from (f"{name}.{part}" for part in vars(thing) if not part.startswith("__"))


@dataclass
class Call:
    """What to call with which arguments by name; `words` are others that a refusal may name."""

    target: Callable[..., Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    by_position: bool = False


def options(random: Random) -> dict[str, Any]:
    """Options of a small learner, of any parts that there are."""
    chosen = dict(OPTIONS) if random.random() < 0.4 else {}
    if not chosen:
        for part in ("algorithm", "backbone", "loss", "optimizer", "schedule"):
            entry = random.choice(SCHEMA[part])
            chosen[part] = entry["name"]
            chosen |= {f"{part}.{o['name']}": o["default"] for o in entry["options"]}
    sizes = {"embedding_dim": 3, "hidden": [5], "tokens": 6, "features": 4, "user": 2}
    for name in chosen:
        if (last := name.rpartition(".")[2]) in sizes:
            chosen[name] = sizes[last]
    dtype = random.choice(["float32", "float64"])
    chosen |= {"batch_size": 2, "threads": random.choice([1, 1, 1, 2]), "dtype": dtype}
    return chosen


class World:
    """Objects that calls share for a while: some closed, some of changed buffers."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.arrays = task_arrays()
        self.ids = int32(0, 1, 2, -1)
        self.vectors = np.linspace(-1.0, 1.0, 8).reshape(4, 2)
        self.bag_ids = int32(0, 4, 1, 2, -1)
        self.bag_offsets = int64(0, 2, 2, 4, 5)
        self.items = make_items(
            ids=self.ids,
            vectors=self.vectors,
            bag_ids=self.bag_ids,
            bag_offsets=self.bag_offsets,
        )
        self.users = make_users()
        self.tasks = native.Tasks(**self.arrays, items=self.items, users=self.users)
        self.trainable = self.tasks.take(int64(0, 1, 3))
        self.before = [array.copy() for array in self.buffers()]
        self.learners = [self.learner() for _ in range(3)]
        self.adapted = [self.adapt(learner) for learner in self.learners]
        self.factors = self.sample(rank=2, samples=2)

    def learner(self, initialized: bool = True) -> native.Learner:
        while True:
            try:
                learner = native.Learner(options(self.random))
                if initialized:
                    learner.initialize(self.tasks)
                    self.adapt(learner)
            except MetarecError:  # not all parts go together
                continue
            return learner

    def adapt(self, learner: native.Learner) -> native.Adapted:
        return learner.adapt(**rated())

    def pick(self, things: list[Any]) -> Any:
        return self.random.choice(things)

    def some_learner(self) -> native.Learner:
        """One of the learners; now and then a new one, or one that is not initialised or closed."""
        way = self.random.random()
        if way < 0.002:
            self.learners[self.random.randrange(3)] = self.learner()
        if way > 0.98:
            learner = native.Learner(OPTIONS)
            if way > 0.99:
                learner.close()
            return learner
        return self.pick(self.learners)

    def some_tasks(self) -> native.Tasks:
        way = self.random.random()
        if way > 0.99:
            closed = self.tasks.take(int64(0))
            closed.close()
            return closed
        return self.tasks if way < 0.2 else self.trainable

    def buffers(self) -> list[np.ndarray]:
        """What the shared objects have borrowed."""
        return [*self.arrays.values(), self.ids, self.vectors, self.bag_ids, self.bag_offsets]

    def change_buffer(self) -> None:
        """Write nonsense into a borrowed array."""
        write_extremes(self.pick(self.buffers()), self.random)

    def restore(self) -> None:
        """Undo that."""
        for array, before in zip(self.buffers(), self.before, strict=True):
            array[...] = before

    def progress(self) -> Any:
        learner = self.learners[0]
        uses = [lambda *_: None, mischief, lambda *_: learner.steps, lambda *_: self.tasks.close()]
        return self.pick([None, None, *uses])

    def reentrant(self) -> Number:
        """A number that closes or uses what the call is about while it is read."""
        uses: list[Callable[[], Any]] = [
            lambda: self.factors.clear() or 1,
            lambda: self.pick(self.learners).close() or 1,
            lambda: self.items.close() or 1,
            lambda: self.tasks.close() or 1,
            lambda: self.pick(self.adapted).close() or 1,
            lambda: int(self.pick(self.learners).steps),
            lambda: len(self.pick(self.learners).predict(self.tasks)),
            lambda: self.change_buffer() or 1,
        ]
        return Number(self.pick(uses))

    def table(self) -> native.Features:
        return make_items() if self.random.random() < 0.2 else self.items

    # --- functions --------------------------------------------------------------------------------

    def sample(self, **changes: Any) -> dict[str, Any]:
        return native.sample_factors(**(self.sample_factors().arguments | changes))

    def sample_factors(self) -> Call:
        numbers = {"user_count": 3, "rank": self.pick([0, 1, 2]), "samples": self.pick([1, 2])}
        numbers |= {"burn_in": 1, "interval": 1, "threads": self.pick([1, 1, 1, 0, 2]), "seed": 5}
        arrays = {"user": int32(0, 1, 2, 0, 1), "item": int32(0, 1, 2, 3, 0)}
        arrays |= {"rating": np.array([1.0, 3, 5, 2, 4], self.pick([np.float32, np.float64]))}
        tables = {"items": self.items, "users": self.pick([None, self.users])}
        return Call(native.sample_factors, arrays | tables | numbers | {"progress": None})

    def least_squares_factors(self) -> Call:
        arguments = self.sample_factors().arguments
        for name in ("items", "users", "samples", "burn_in", "interval"):
            del arguments[name]
        arguments |= {"item_count": 4, "sweeps": 2, "penalty": 0.1, "bias_penalty": 0.2}
        return Call(native.least_squares_factors, arguments)

    def learned(self) -> dict[str, Any]:
        if not self.factors:
            self.factors.update(self.sample(rank=2, samples=2))
        return self.factors

    def place_items(self) -> Call:
        arguments = {"factors": self.learned(), "items": self.table()}
        return Call(native.place_items, arguments, tuple(self.factors))

    def fold_in(self) -> Call:
        arguments = {"factors": self.learned(), "tasks": self.some_tasks(), "threads": 1}
        arguments["variances"] = self.pick([True, False])
        return Call(native.fold_in, arguments, tuple(self.factors))

    def one_task(self) -> Any:
        return self.tasks.take(int64(0))

    def fold_user(self) -> Call:
        arguments = {"factors": self.learned(), "tasks": self.one_task(), "threads": 1}
        return Call(native.fold_user, arguments, tuple(self.factors))

    def score_items(self) -> Call:
        columns = np.ones((2, 4, 192), np.float32)
        arguments = {"factors": self.learned(), "user": np.ones((2, 4, 4), np.float32)}
        arguments |= {"item_columns": columns, "items": int32(0, 3, -1), "threads": 1}
        return Call(native.score_items, arguments, tuple(self.factors))

    def mix_levels(self) -> Call:
        arguments = {"given": np.full((3, 5), 0.2), "kind": np.array([True, False, True])}
        arguments |= {"means": np.full((1, 3), 3.5), "variances": np.full((1, 3), 0.5)}
        arguments |= {"levels": np.arange(1.0, 6), "cuts": np.tile(np.arange(1.5, 5), (2, 1, 1))}
        arguments |= {"lines": np.tile([1.0, 0, 1], (2, 1, 1)), "weights": np.full((2, 2), 0.5)}
        return Call(native.mix_levels, arguments | {"threads": 1})

    def product(self) -> Call:
        arguments = {"a": np.ones((4, 3), np.float32), "b": np.ones((4, 2), np.float32)}
        return Call(native.product, arguments | {"transposed": True, "threads": 1})

    def orthonormal(self) -> Call:
        return Call(native.orthonormal, {"matrix": np.eye(4)[:, :3] + 0.5})

    def eigenvectors(self) -> Call:
        return Call(native.eigenvectors, {"matrix": np.eye(3) + 0.5})

    def ordered_probit(self) -> Call:
        arguments = {"means": np.array([1.5, 2.0, 4.8]), "variances": np.array([0.2, 1.0, 0.5])}
        arguments |= {"levels": np.arange(1.0, 6), "cuts": np.arange(1.5, 5), "slope": 1.2}
        return Call(native.ordered_probit, arguments)

    def fit_ordered_probit(self) -> Call:
        arguments = self.ordered_probit().arguments
        del arguments["cuts"], arguments["slope"]
        return Call(native.fit_ordered_probit, arguments | {"places": int64(0, 1, 4)})

    def wanted(self) -> list[tuple[str, int, float]]:
        return [(self.pick(METRICS), self.pick([0, 1, 3]), 1.0) for _ in range(2)]

    def metrics(self) -> Call:
        arguments = {"predictions": np.linspace(0, 1, 6), "targets": np.array([1.0, 0, 1, 1, 0, 0])}
        arguments |= {"offsets": int64(0, 2, 2, 6), "metrics": self.wanted()}
        return Call(native.metrics, arguments, ("relevant",))

    def bootstrap(self) -> Call:
        arguments = {"numerators": np.ones((2, 3)), "denominators": np.ones((2, 3))}
        arguments |= {"square_root": np.array([True, False]), "resamples": 4, "seed": 1}
        return Call(native.bootstrap, arguments)

    def distribution(self) -> Call:
        arguments = {"probabilities": np.full((3, 4), 0.25), "levels": np.arange(4.0)}
        arguments |= {"targets": np.array([0.0, 3, 1]), "values": VALUES, "seed": 3}
        return Call(native.distribution, arguments)

    def catalogue(self) -> Call:
        scores = np.array([[0.1, 0.9, 0.5], [1, 1, 1]], self.pick([np.float32, np.float64]))
        arguments: dict[str, Any] = {"scores": scores}
        arguments |= {"excluded_offsets": int64(0, 1, 1), "excluded": int32(2)}
        arguments |= {"relevant_offsets": int64(0, 1, 3), "relevant": int32(1, 0, 2)}
        arguments |= {"metrics": [("ndcg", 2, 1.0), ("auc", 0, 1.0)], "k": 2}
        return Call(native.catalogue, arguments, ("relevant",))

    def list_diversity(self) -> Call:
        lists = np.array([[0, 1, 2], [3, -1, -1]], np.int32)
        return Call(native.list_diversity, {"lists": lists, "items": self.table()})

    def negatives(self) -> Call:
        arguments: dict[str, Any] = {"weights": np.array([1.0, 2, 0, 3])}
        arguments |= {"own_offsets": int64(0, 2, 3), "own": int32(0, 1, 3), "counts": int64(2, 3)}
        arguments |= {"seed": 1, "epoch": 0, "batch_size": self.pick([0, 2])}
        return Call(native.negatives, arguments)

    def isa(self) -> Call:
        return Call(native.isa)

    def schema(self) -> Call:
        return Call(native.schema)

    # --- tables and tasks -------------------------------------------------------------------------

    def Features(self) -> Call:
        fields = [
            ("rate", "categorical", 3, int32(0, 1, 2, -1), None, None),
            ("genre", "bag", 5, int32(0, 4, 1, 2, -1), int64(0, 2, 2, 4, 5), None),
            ("plot", "dense", 2, None, None, np.linspace(-1.0, 1.0, 8).reshape(4, 2)),
        ]
        return Call(native.Features, {"rows": 4, "fields": fields}, ("field", "fields"))

    def Features_close(self) -> Call:
        return Call(make_items().close)

    def Tasks(self) -> Call:
        users = self.pick([self.users, self.users, None])
        arguments = task_arrays() | {"items": self.table(), "users": users}
        if users is None:
            arguments["user_index"] = None
        return Call(native.Tasks, arguments)

    def Tasks_take(self) -> Call:
        return Call(self.some_tasks().take, {"task_ids": int64(0, 2, 2)})

    def Tasks_close(self) -> Call:
        return Call(self.tasks.take(int64(0)).close)

    def Tasks_task_count(self) -> Call:
        return Call(lambda: self.some_tasks().task_count)

    def Tasks_support_rows(self) -> Call:
        return Call(lambda: self.some_tasks().support_rows)

    def Tasks_query_rows(self) -> Call:
        return Call(lambda: self.some_tasks().query_rows)

    # --- learners ---------------------------------------------------------------------------------

    def Learner(self) -> Call:
        chosen = options(self.random)
        return Call(native.Learner, {"options": chosen}, tuple(chosen))

    def Learner_initialize(self) -> Call:
        limit = self.pick([None, None, 10**6, 10])
        learner = self.learner(initialized=False)
        return Call(
            learner.initialize, {"tasks": self.some_tasks(), "limit": limit}, ("parameters",)
        )

    def over_tasks(self, name: str) -> Call:
        return Call(getattr(self.some_learner(), name), {"tasks": self.some_tasks()})

    def Learner_profile(self) -> Call:
        return self.over_tasks("profile")

    def Learner_meta_gradient(self) -> Call:
        return self.over_tasks("meta_gradient")

    def Learner_step(self) -> Call:
        return self.over_tasks("step")

    def Learner_predict(self) -> Call:
        return self.over_tasks("predict")

    def Learner_distribution(self) -> Call:
        return self.over_tasks("distribution")

    def Learner_adapted_parameters(self) -> Call:
        return self.over_tasks("adapted_parameters")

    def Learner_support_losses(self) -> Call:
        return self.over_tasks("support_losses")

    def Learner_parameters(self) -> Call:
        learner, way = self.some_learner(), self.random.random()

        def write() -> None:
            views = learner.parameters()
            if way < 0.01:
                write_extremes(self.pick(list(views.values())), self.random)

        return Call(write)

    def Learner_optimizer_state(self) -> Call:
        return Call(self.some_learner().optimizer_state)

    def Learner_adapted_names(self) -> Call:
        return Call(self.some_learner().adapted_names)

    def Learner_settle(self) -> Call:
        return Call(self.some_learner().settle)

    def Learner_train_epoch(self) -> Call:
        episodes = self.pick([None, (1, 2, 1, 2)])
        tasks = self.some_tasks()
        if self.random.random() < 0.002:  # as long as progress is told
            tasks = self.trainable.take(np.zeros(50_000, np.int64))
        arguments: dict[str, Any] = {
            "tasks": tasks,
            "episodes": episodes,
            "epoch": self.pick([0, 7]),
        }
        if self.random.random() < 0.5:
            arguments |= {"progress": self.progress(), "step": self.pick([0, 1]), "sum": 0.5}
            arguments["count"] = self.pick([None, 1])
        return Call(self.some_learner().train_epoch, arguments, ("support", "query"))

    def Learner_adapt(self) -> Call:
        learner = self.some_learner()

        def adapt(**arguments: Any) -> None:
            self.adapted[self.random.randrange(3)] = learner.adapt(**arguments)

        # "users", which it is called where it is refused beside a table of items
        return Call(adapt, rated(catalogue=self.table()), ("users",))

    def Learner_close(self) -> Call:
        learner = native.Learner(OPTIONS)
        return Call(learner.close)

    def attribute(self, name: str, good: Any) -> Call:
        learner = self.some_learner()
        if self.random.random() < 0.5:
            return Call(lambda: getattr(learner, name))
        if self.random.random() < 0.1:
            return Call(lambda: delattr(learner, name), {}, (name,))
        return Call(lambda value: setattr(learner, name, value), {"value": good}, (name,))

    def Learner_steps(self) -> Call:
        return self.attribute("steps", 3)

    def Learner_rate_share(self) -> Call:
        return self.attribute("rate_share", 0.5)

    # --- one user ---------------------------------------------------------------------------------

    def Adapted_columns(self) -> Call:
        score = self.pick(["prediction", "uncorrected", "distribution"])
        return Call(self.pick(self.adapted).columns, {"score": score}, by_position=True)

    def Adapted_predict(self) -> Call:
        score = self.pick(["prediction", "prediction", "uncorrected", "distribution"])
        arguments = {"catalogue": self.table(), "items": int32(0, 3, -1, 2), "score": score}
        return Call(self.pick(self.adapted).predict, arguments)

    def Adapted_close(self) -> Call:
        return Call(self.adapt(self.learners[0]).close)

    def whole(self) -> bool:
        """Whether nothing shared was closed."""
        try:
            for learner, adapted in zip(self.learners, self.adapted, strict=True):
                learner.adapted_names(), adapted.columns("prediction")
            native.list_diversity(np.zeros((1, 2), np.int32), self.items)
            self.tasks.take(int64()), self.trainable.take(int64())
        except (MetarecError, Mischief):
            return False
        return True


def good_call(world: World, name: str) -> Call:
    """A good call of an exported function; a new one has to be told here how it is called."""
    return getattr(world, name.replace(".", "_"))()
