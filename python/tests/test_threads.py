"""Models train in several Python threads at once, each as it would alone."""

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from learners import copies, random_tasks, same_bits, small_learner, small_preset

import metarec as mr
from metarec.errors import InvalidTypeError, StateError


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


# --- reading while training -----------------------------------------------------------------------


def answers(model, task):
    """What one user gets."""
    ann = model.adapt([task % 12, 3], [1.0, -1.0])
    return ann.predict(range(12)), ann.recommend(k=4).items


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_many_read_one_model_while_another_is_fitted():
    tasks = random_tasks(tasks=40)
    served = small_learner(epochs=2).fit(tasks)
    alone = small_learner(epochs=30, seed=1).fit(tasks)
    wanted = [answers(served, task) for task in range(40)]
    predictions = served.predict(tasks)
    done = threading.Event()

    def read(number):
        reads = 0
        while not done.is_set():
            task = (number * 7 + reads) % 40
            assert same(answers(served, task), wanted[task])
            assert np.array_equal(served.predict(tasks), predictions)
            reads += 1
        return reads

    with ThreadPoolExecutor(7) as pool:
        readers = [pool.submit(read, number) for number in range(7)]
        other = small_learner(epochs=30, seed=1).fit(tasks, progress=False)
        done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert same_bits(copies(other), copies(alone))


def test_while_a_model_is_fitted_it_refuses_all_others():
    tasks = random_tasks(tasks=9)
    model = small_learner(epochs=3).fit(tasks)
    ann = model.adapt([1], [1.0])
    refused = []
    calls = {
        "adapt": lambda: model.adapt([1], [1.0]),
        "predict": lambda: model.predict(tasks),
        "parameters": model.parameters,
        "meta_gradient": lambda: model.meta_gradient(tasks),
        "partial_fit": lambda: model.partial_fit(tasks),
        "fit": lambda: model.fit(tasks),
        "initialize": lambda: model.initialize(tasks),
        "steps": lambda: model.steps,
        "pickle": lambda: pickle.dumps(model),
        "adapted": lambda: ann.predict([1]),
    }

    def elsewhere():
        for name, call in calls.items():
            try:
                call()
            except StateError as error:
                refused.append((name, str(error)))

    def during(row):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert np.isfinite(model.predict(tasks)).all()  # The thread that trains may.

    model.fit(tasks, callbacks=[during])
    assert [name for name, _ in refused] == list(calls) * 3
    reasons = {"adapted": "fitted anew since this user was adapted"}
    for name, text in refused:
        assert reasons.get(name, "fitted by another thread") in text
    assert same_bits(copies(model), copies(small_learner(epochs=3).fit(tasks)))
    elsewhere()  # Afterwards it answers again, but for the user adapted before.
    assert [name for name, _ in refused[len(calls) * 3 :]] == ["adapted"]


def test_a_fit_waits_for_the_reads_that_are_under_way():
    """Every read is of the parameters before the fit or after it, none of a part of it."""
    tasks = random_tasks(tasks=20)
    wanted = []
    for epochs in (1, 2, 3, 4):
        model = small_learner(epochs=epochs).fit(tasks)
        wanted.append([answers(model, task) for task in range(20)])
    model = small_learner(epochs=1).fit(tasks)
    found, refusals, done = [], [], threading.Event()

    def read(number):
        task = number
        while not done.is_set():
            try:
                found.append((task % 20, answers(model, task % 20)))
            except StateError:
                refusals.append(task)
            task += 1

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read, number) for number in range(4)]
        for epochs in (2, 3, 4) * 3:
            model.set_params(epochs=epochs).fit(tasks, progress=False)
            time.sleep(0.05)
        done.set()
        for reader in readers:
            reader.result()
    assert found and refusals
    for task, answer in found:
        assert any(same(answer, each[task]) for each in wanted)


def test_a_fit_that_fails_lets_the_others_in_again():
    tasks = random_tasks(tasks=9)
    model = small_learner(epochs=1).fit(tasks)

    def fails(row):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError):
        model.fit(tasks, callbacks=[fails])
    with pytest.raises(InvalidTypeError):
        model.fit(None)
    with ThreadPoolExecutor(1) as pool:
        assert np.isfinite(pool.submit(model.predict, tasks).result()).all()


@pytest.mark.parametrize("kind", [mr.BayesianMF, mr.baselines.ALS, mr.baselines.ItemKNN])
def test_the_other_models_are_read_by_many_threads(kind):
    data = mr.datasets.synthetic(users=60, items=40, seed=0)
    tasks = data.tasks(min_ratings=3)
    model = kind().fit(data)
    sets = [tasks.take([n, n + 1]) for n in range(20)]
    wanted = [model.predict(each) for each in sets]
    with ThreadPoolExecutor(8) as pool:
        other = pool.submit(kind().fit, data)
        for _ in range(5):
            found = pool.map(model.predict, sets)
            assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))
        assert np.array_equal(other.result().predict(sets[0]), wanted[0])
