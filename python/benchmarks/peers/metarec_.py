"""metarec."""

from itertools import cycle
from typing import Any

import numpy as np
from workload import INNER_LR, LR, Algorithm, Parameters, Workload

import metarec as mr


class Metarec:
    name = "metarec"

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def supports(self, algorithm: Algorithm) -> bool:
        return True

    def prepare(self, workload: Workload, algorithm: Algorithm) -> None:
        self.workload = workload
        tasks = workload.task_set()
        self.batches = [tasks.take(numbers) for numbers in workload.batches]
        self.order = cycle(self.batches)
        self.learner = mr.MetaLearner(
            backbone=mr.FeatureMLP(
                embedding_dim=workload.embedding_dim, hidden=(workload.hidden,) * 2
            ),
            algorithm=_algorithm(algorithm),
            optimizer=mr.Adam(lr=LR),
            batch_size=workload.batch_size,
            threads=self.threads,
        ).initialize(tasks)
        for name, values in self.learner.parameters().items():
            values[...] = workload.parameters[name]

    def gradient(self, number: int) -> Parameters:
        return self.learner.meta_gradient(self.batches[number])[1]

    def gradients(self, count: int) -> None:
        for _ in range(count):
            self.learner.meta_gradient(next(self.order))

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.learner.partial_fit(next(self.order))

    def request(
        self, items: np.ndarray, ratings: np.ndarray, user: int, candidates: np.ndarray | None
    ) -> tuple[Any, ...]:
        """Return the same as a caller has it: ids and raw values, in lists and a dict."""
        if not hasattr(self, "one_user"):
            self._make_one_user()
        fields = zip(self.workload.user_fields, self.workload.user_ids[user].tolist(), strict=True)
        ids = self.ids[items].tolist()
        among = None if candidates is None else self.ids[candidates]
        return ids, ratings.tolist(), dict(fields), among

    def adapt(self, items: list[int], ratings: list[float], user: dict[str, int], candidates: Any):
        adapted = self.one_user.adapt(items=items, ratings=ratings, user=user)
        return None if candidates is None else adapted.predict(candidates)

    def _make_one_user(self) -> None:
        """A model of a data set whose items have ids of their own."""
        workload = self.workload
        tables = workload.tables()
        self.ids = 3 * np.arange(workload.items) + 7
        data = mr.Dataset.from_arrays([0], self.ids[:1], [3.0], item_ids=self.ids, **tables)
        self.one_user = mr.MetaLearner(**self.learner.get_params(deep=False)).initialize(data)
        for name, values in self.one_user.parameters().items():
            values[...] = workload.parameters[name]


def _algorithm(algorithm: Algorithm) -> object:
    options = {"inner_lr": INNER_LR, "inner_steps": algorithm.steps}
    match algorithm.name:
        case "maml":
            return mr.MAML(order=2, **options)
        case "fomaml":
            return mr.MAML(order=1, **options)
        case "anil":
            return mr.ANIL(order=2, **options)
    return mr.Reptile(**options)
