"""Models train in several Python threads at once, each as it would alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner, small_preset

import metarec as mr
from metarec.errors import StateError


@pytest.mark.parametrize("threads", [1, 2])
def test_two_models_train_at_once_as_one_after_the_other(threads):
    data = mr.datasets.synthetic(users=200, items=80, seed=0)

    def train(seed):
        return copies(small_preset("MeLU", seed=seed, threads=threads).fit(data, progress=False))

    alone = [train(seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(train, (0, 1)))
    assert all(same_bits(one, other) for one, other in zip(alone, together, strict=True))


def test_one_model_serves_many_threads():
    tasks = random_tasks(tasks=40)
    model = small_learner(dtype="float64").initialize(tasks)
    expected = [model.predict(tasks.take([task])) for task in range(40)]

    def predict(task):
        one = tasks.take([task])
        for _ in range(20):
            try:
                return model.predict(one)
            except StateError:  # in use by another thread, as the message says
                continue
        return expected[task]

    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(predict, range(40)), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
