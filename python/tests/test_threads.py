"""Models train in several Python threads at once, each as it would alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner, small_preset

import metarec as mr


@pytest.mark.parametrize("threads", [1, 2])
def test_two_models_train_at_once_as_one_after_the_other(threads):
    data = mr.datasets.synthetic(users=200, items=80, seed=0)

    def train(seed, meet):
        model = small_preset("MeLU", seed=seed, threads=threads)
        meet.wait(timeout=30)
        return copies(model.fit(data, progress=False))

    alone = [train(seed, threading.Barrier(1)) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(train, (0, 1), [threading.Barrier(2)] * 2))
    assert all(same_bits(one, other) for one, other in zip(alone, together, strict=True))


def test_calls_of_one_model_wait_for_each_other():
    tasks = random_tasks(tasks=40)
    model = small_learner(dtype="float64").initialize(tasks)
    expected = [model.predict(tasks.take([task])) for task in range(40)]

    def predict(task):
        return [model.predict(tasks.take([task])) for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(predict, range(40)), expected, strict=True):
            assert all((one == wanted).all() for one in found)


def test_steps_from_several_threads_are_all_taken():
    tasks = random_tasks(tasks=4)
    model = small_learner(dtype="float64").initialize(tasks)
    with ThreadPoolExecutor(4) as pool:
        losses = list(pool.map(lambda _: model.partial_fit(tasks), range(40)))
    alone = small_learner(dtype="float64").initialize(tasks)
    assert sorted(losses) == sorted(alone.partial_fit(tasks) for _ in range(40))
    assert same_bits(copies(model), copies(alone))
    assert np.isfinite(losses).all()
