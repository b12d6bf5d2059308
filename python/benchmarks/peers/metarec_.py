"""metarec."""

from itertools import cycle

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

    def adapt(
        self, items: np.ndarray, ratings: np.ndarray, user: int, candidates: np.ndarray | None
    ):
        if getattr(self, "_user", (-1, None))[0] != user:
            self._user = (user, self.workload.user(user))
        adapted = self.learner.adapt(items, ratings, self._user[1])
        return None if candidates is None else adapted.predict(candidates)


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
